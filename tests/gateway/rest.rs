//! What the gateway makes of Discord's REST interface, whatever it answers.

use std::time::Duration;

use gateway_simulator::{Control, Entry, FaultKind, Happening, Options, RestFault};

use crate::support::{happens, identifies, quiet, setup, start, without_guilds};

/// The requests, in order.
async fn request(control: &Control, number: usize) -> Entry {
    happens(control, number, |entry| matches!(entry.happening, Happening::Rest { .. })).await
}

#[tokio::test]
async fn a_token_that_discord_does_not_know_ends_the_gateway_with_advice() {
    let simulator = start(Options { token: Some("another".into()), ..without_guilds() }).await;
    let error = setup(&simulator).failure().await;
    let last = error.lines().last().unwrap();
    assert!(last.starts_with("gateway: Discord does not accept the token (401)"), "{error}");
    assert!(last.contains("DISCORD_TOKEN") && !error.contains("test.token"), "{error}");
    assert_eq!(identifies(&simulator.control()), 0);
}

#[tokio::test]
async fn an_address_that_is_not_discords_ends_the_gateway_with_advice() {
    let simulator = quiet().await;
    simulator.control().fault(FaultKind::Rest(RestFault::Status(404)));
    let error = setup(&simulator).failure().await;
    assert!(error.lines().last().unwrap().contains("DISCORD_API_HOST"), "{error}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let retry_after = Duration::from_millis(1500);
    for limit in [RestFault::RateLimited { retry_after, global: true }, RestFault::Cloudflare { retry_after }] {
        let simulator = quiet().await;
        let control = simulator.control();
        control.fault(FaultKind::Rest(limit));
        let mut gateway = setup(&simulator).start();
        gateway.logged("Discord asks to wait 2 s before the next request (429)").await;
        gateway.next_named("READY").await;
        assert!(request(&control, 2).await.at - request(&control, 1).await.at >= retry_after);
    }
}

#[tokio::test]
async fn answers_that_make_no_sense_are_told_and_asked_for_again() {
    let lie = |body: &str| RestFault::Body(body.into());
    let limit = r#""session_start_limit":{"total":1,"remaining":1,"reset_after":0,"max_concurrency":1}"#;
    let cases = [
        (RestFault::Status(500), "Discord cannot answer at the moment (500)"),
        (RestFault::Status(502), "Discord cannot answer at the moment (502)"),
        (RestFault::Status(403), "Discord refuses this machine (403"),
        (RestFault::Html, "Discord's answer makes no sense"),
        (RestFault::Empty, "it is empty"),
        (RestFault::Drop, "Discord cannot be reached"),
        (lie("{}"), "missing field"),
        (lie(&format!(r#"{{"url":"wss://x","shards":0,{limit}}}"#)), "it recommends 0 shards"),
        (lie(&format!(r#"{{"url":"https://discord.com","shards":1,{limit}}}"#)), "neither ws nor wss"),
        (lie(&"x".repeat(1 << 20)), "it is far too large"),
    ];
    let mut running = Vec::new();
    for (fault, line) in cases {
        let simulator = quiet().await;
        simulator.control().fault(FaultKind::Rest(fault));
        running.push((setup(&simulator).start(), simulator, line));
    }
    for (mut gateway, simulator, line) in running {
        let logged = gateway.logged(line).await;
        assert!(logged.contains("WARN") && logged.contains("Next try in"), "{logged}");
        gateway.next_named("READY").await;
        assert_eq!(identifies(&simulator.control()), 1);
    }
}

#[tokio::test]
async fn requests_have_the_user_agent_that_discord_demands_and_the_configured_version() {
    let simulator = quiet().await;
    let mut gateway = setup(&simulator).variable("DISCORD_API_VERSION", "10").start();
    gateway.next_named("READY").await;
    let Happening::Rest { method, path, user_agent, status } = request(&simulator.control(), 1).await.happening else {
        unreachable!()
    };
    assert_eq!((&*method, &*path, status), ("GET", "/api/v10/gateway/bot", 200));
    assert!(user_agent.starts_with("DiscordBot (https://"), "{user_agent}");
}
