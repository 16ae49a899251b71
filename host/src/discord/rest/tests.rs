use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const TOKEN: &str = "MTIz.s3cret.token";
const GOOD: &str = r#"{"url":"ws://127.0.0.1:1","shards":3,"session_start_limit":{"total":1000,"remaining":7,"reset_after":60000,"max_concurrency":1}}"#;

fn api(host: &str) -> Api {
    Api { scheme: Scheme::Http, host: host.into(), version: 10, gateway_version: 10 }
}

/// A server that gives one connection after another one of the answers, and then returns the heads of the requests.
async fn serve(answers: Vec<String>) -> (Rest, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(socket.read_u8().await.unwrap());
            }
            requests.push(String::from_utf8(request).unwrap());
            // A client that has had enough hangs up.
            let _ = socket.write_all(answer.as_bytes()).await;
        }
        requests
    });
    (Rest::new(&api(&host), &Secret::new(TOKEN)).unwrap(), server)
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

#[tokio::test]
async fn the_request_is_what_discord_demands() {
    let (rest, server) = serve(vec![response("200 OK", "", GOOD)]).await;
    let info = rest.gateway_bot().await.unwrap();
    assert_eq!((info.shards.get(), info.session_start_limit.remaining), (3, 7));
    let [request] = &server.await.unwrap()[..] else { panic!("one request") };
    assert!(request.starts_with("GET /api/v10/gateway/bot HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("authorization: Bot {TOKEN}\r\n")), "{request}");
    let agent =
        format!("user-agent: DiscordBot (https://github.com/spec-tacles/gateway, {})\r\n", env!("CARGO_PKG_VERSION"));
    assert!(request.contains(&agent), "{request}");
}

#[tokio::test]
async fn a_void_token_ends_it_at_once() {
    let (rest, server) =
        serve(vec![response("401 Unauthorized", "", r#"{"message":"401: Unauthorized","code":0}"#)]).await;
    assert_eq!(rest.gateway_bot_when_available().await, Err(RestError::Unauthorized));
    assert_eq!(server.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_does_not_take_the_token_elsewhere() {
    let (rest, server) = serve(vec![response("301 Moved", "location: http://127.0.0.1:1/\r\n", "")]).await;
    let error = rest.gateway_bot().await.unwrap_err();
    assert!(matches!(error, RestError::NotDiscord { status: 301, .. }), "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn answers_of_all_kinds_are_told_apart() {
    let kinds = vec![
        (response("429 Too Many", "retry-after: 7\r\n", "error code: 1015"), "wait 7 s"),
        (response("502 Bad Gateway", "", "<html>"), "(502)"),
        (response("200 OK", "", "<html>log in</html>"), "log in"),
        (response("200 OK", "", ""), "it is empty"),
        (response("200 OK", "", &"x".repeat(10 * BODY)), "far too large"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut".into(), "cannot be reached"),
        ("SSH-2.0-OpenSSH\r\n".into(), "cannot be reached"),
        (String::new(), "cannot be reached"),
    ];
    let (answers, texts): (Vec<_>, Vec<_>) = kinds.into_iter().unzip();
    let (rest, server) = serve(answers).await;
    for text in texts {
        let error = rest.gateway_bot().await.unwrap_err();
        assert!(error.to_string().contains(text), "{text}: {error}");
        assert_ne!(error.retry(), Retry::Never, "{error}");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn it_asks_again_until_the_answer_is_good() {
    let unavailable = || RestError::Unavailable { status: 502, excerpt: String::new() };
    let mut answers = vec![Err(unavailable()), Err(RestError::RateLimited(Duration::from_secs(30))), Ok(3)].into_iter();
    let mut slept = Vec::new();
    let sleep = |time: Duration| {
        slept.push(time.as_secs_f64());
        std::future::ready(())
    };
    let answer = until_available(|| std::future::ready(answers.next().unwrap()), sleep).await;
    assert_eq!(answer, Ok(3));
    assert!((0.5..=1.0).contains(&slept[0]) && (30.0..=31.0).contains(&slept[1]), "{slept:?}");
}

#[tokio::test]
async fn nobody_there_is_unreachable_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Rest::new(&api(&host), &Secret::new(TOKEN)).unwrap().gateway_bot().await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[test]
fn pauses_grow_are_drawn_and_have_an_end() {
    let seconds = |tries, drawn| pause(Retry::WithBackoff, tries, drawn).unwrap().as_secs_f64();
    assert_eq!([0, 1, 2, 5, 6, 40, u32::MAX].map(|tries| seconds(tries, 1.0)), [1.0, 2.0, 4.0, 32.0, 60.0, 60.0, 60.0]);
    assert_eq!(seconds(1, 0.0), 1.0);
    assert_eq!(pause(Retry::Never, 0, 0.5), None);
    let wait = Duration::from_secs(9);
    assert_eq!(pause(Retry::After(wait), 0, 0.0), Some(wait), "never earlier than asked");
    assert!(pause(Retry::After(wait), 0, 1.0) <= Some(wait + Duration::from_secs(1)));
}

#[test]
fn the_token_is_never_shown() {
    let rest = Rest::new(&api("localhost"), &Secret::new(TOKEN)).unwrap();
    assert!(!format!("{rest:?}").contains("s3cret"), "{rest:?}");
    let error = Rest::new(&api("localhost"), &Secret::new("s3cret\n")).unwrap_err();
    assert_eq!(error, RestError::MalformedToken);
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn an_address_that_is_none_is_named() {
    let error = Rest::new(&api("exa mple.com"), &Secret::new(TOKEN)).unwrap_err();
    assert!(
        error.to_string().contains("http://exa mple.com/api/v10/gateway/bot") && error.to_string().contains("api.host"),
        "{error}"
    );
}

#[test]
fn a_client_for_tls_has_roots_to_believe() {
    let api = Api { scheme: Scheme::Https, ..api("discord.com") };
    Rest::new(&api, &Secret::new(TOKEN)).unwrap();
}
