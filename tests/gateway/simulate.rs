//! `gateway simulate`.

use gateway_tests::{Gateway, Setup};

use crate::GATEWAY;

/// Starts a simulator on a free port, and answers with it and the variables that its first lines name.
async fn simulate(arguments: &[&str]) -> (Gateway, Vec<(String, String)>) {
    let setup = ["simulate", "--listen", "127.0.0.1:0", "--rate", "100"].into_iter().chain(arguments.iter().copied());
    let setup = setup.fold(Setup::new(GATEWAY), |setup, argument| setup.argument(argument));
    let mut simulator = setup.start();
    let mut variables = Vec::new();
    while variables.is_empty() {
        let line = simulator.next_line().await.unwrap();
        variables = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
    }
    (simulator, variables)
}

fn connecting(variables: &[(String, String)]) -> Setup {
    variables.iter().fold(Setup::new(GATEWAY).variable("DISCORD_RAW_INTENTS", "53608447"), |setup, (name, value)| {
        setup.variable(name, value)
    })
}

#[tokio::test]
async fn a_gateway_connects_with_the_variables_that_simulate_prints() {
    let (mut simulator, variables) = simulate(&["--shards", "2"]).await;
    let mut gateway = connecting(&variables).start();
    gateway.next_named("READY").await;
    gateway.next_named("MESSAGE_CREATE").await;
    gateway.drain().await;
    simulator.signal("INT").await;
    assert!(simulator.ended().await.success());
}

#[tokio::test]
async fn a_gateway_that_trusts_the_printed_certificate_connects_over_tls() {
    let (mut simulator, variables) = simulate(&["--tls"]).await;
    let mut pem = String::new();
    while !pem.contains("-----END CERTIFICATE-----") {
        let line = simulator.next_line().await.unwrap();
        if !pem.is_empty() || line.starts_with("-----BEGIN") {
            pem += &format!("{line}\n");
        }
    }
    let setup = connecting(&variables);
    let path = setup.path("simulator.pem");
    std::fs::write(&path, pem).unwrap();
    let mut gateway = setup.variable("SSL_CERT_FILE", &path.display().to_string()).start();
    gateway.next_named("READY").await;
    gateway.drain().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Setup::new(GATEWAY).argument("simulate").argument("--listen").argument(&address).output().await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&address) && error.contains("in use"), "{error}");
}
