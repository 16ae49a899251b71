use gateway_simulator::{FaultKind, Happening, Knobs, Options, RestFault, Simulator};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use crate::client::{QUERY, TOKEN, get, quiet, start, within};

async fn gateway_bot(simulator: &Simulator) -> (String, String) {
    get(simulator.address(), "/api/v10/gateway/bot", &format!("Authorization: Bot {TOKEN}\r\n")).await
}

#[tokio::test]
async fn gateway_bot_tells_url_shards_and_budget() {
    let options = Options { recommended_shards: 3, max_concurrency: 2, guilds_per_shard: 0, ..Options::default() };
    let simulator = start(options).await;
    let (head, body) = gateway_bot(&simulator).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(head.starts_with("http/1.1 200") && head.contains("x-ratelimit-remaining: 49"), "{head}");
    assert_eq!(body["url"], format!("ws://{}", simulator.address()));
    assert_eq!((&body["shards"], &body["session_start_limit"]["max_concurrency"]), (&Value::from(3), &Value::from(2)));
}

#[tokio::test]
async fn the_token_is_checked_and_only_the_url_is_public() {
    let simulator = start(Options { token: Some(TOKEN.to_owned()), ..Options::default() }).await;
    for authorization in ["", "Authorization: Bot wrong\r\n", &format!("Authorization: {TOKEN}\r\n")] {
        let (head, body) = get(simulator.address(), "/api/v10/gateway/bot", authorization).await;
        assert!(head.starts_with("http/1.1 401"));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["message"], "401: Unauthorized");
    }
    for path in ["/api/gateway", "/api/v9/gateway", "/api/v10/gateway"] {
        assert!(get(simulator.address(), path, "").await.0.starts_with("http/1.1 200"), "{path}");
    }
    assert!(get(simulator.address(), "/api/v10/nowhere", "").await.0.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn the_url_can_have_a_trailing_slash() {
    let knobs = Knobs { url_trailing_slash: true, ..Knobs::default() };
    let simulator = start(Options { knobs, ..Options::default() }).await;
    assert!(gateway_bot(&simulator).await.1.contains(&format!("ws://{}/\"", simulator.address())));
}

#[tokio::test]
async fn rest_fails_as_asked_and_then_works_again() {
    let simulator = quiet().await;
    let retry_after = Duration::from_millis(1_500);
    let cases = [
        (RestFault::Status(500), "500", "internal server error"),
        (RestFault::RateLimited { retry_after, global: true }, "429", r#""retry_after":1.5"#),
        (RestFault::Cloudflare { retry_after }, "429", "error code: 1015"),
        (RestFault::Html, "200", "<html>"),
        (RestFault::Empty, "200", ""),
        (RestFault::Body(r#"{"url":"gopher://"}"#.to_owned()), "200", "gopher"),
        (RestFault::Drop, "", ""),
    ];
    for (fault, status, body) in cases {
        simulator.control().fault(FaultKind::Rest(fault.clone()));
        let (head, got) = gateway_bot(&simulator).await;
        assert!(head.split(' ').nth(1).unwrap_or_default() == status, "{fault:?}: {head}");
        assert!(got.to_lowercase().contains(body), "{fault:?}: {got}");
        assert_eq!(head.contains("retry-after: 2"), status == "429");
    }
    assert!(gateway_bot(&simulator).await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn requests_beyond_the_global_limit_are_refused() {
    let mut options = Options { guilds_per_shard: 0, ..Options::default() };
    options.limits.requests_per_second = 1;
    let simulator = start(options).await;
    for _ in 0..20 {
        let (head, body) = gateway_bot(&simulator).await;
        if head.starts_with("http/1.1 429") {
            assert!(body.contains(r#""global":true"#) && head.contains("x-ratelimit-scope: global"), "{head}");
            return;
        }
    }
    panic!("20 requests passed");
}

#[tokio::test]
async fn requests_are_in_the_journal() {
    let simulator = quiet().await;
    get(simulator.address(), "/api/v10/gateway", "User-Agent: DiscordBot (here, 1)\r\n").await;
    let entry = simulator.control().wait_for(|entry| matches!(entry.happening, Happening::Rest { .. })).await.unwrap();
    let Happening::Rest { path, user_agent, status, .. } = entry.happening else { panic!() };
    assert_eq!((path.as_str(), user_agent.as_str(), status), ("/api/v10/gateway", "DiscordBot (here, 1)", 200));
}

#[tokio::test]
async fn tls_is_served_with_a_certificate_that_can_be_trusted() {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let simulator = start(Options { tls: true, ..Options::default() }).await;
    assert_eq!(simulator.api_scheme(), "https");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.certificate_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = Connector::Rustls(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let url = format!("wss://{}/?{QUERY}", simulator.api_host());
    let (mut socket, _) = within(connect_async_tls_with_config(url, None, false, Some(connector))).await.unwrap();
    let hello = within(futures_util::StreamExt::next(&mut socket)).await.unwrap().unwrap();
    assert!(hello.into_text().unwrap().contains(r#""op":10"#));
}
