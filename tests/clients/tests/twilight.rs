//! The simulator serves `twilight-gateway`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use foreign_clients::{
    Client, Report, Reporter, SHARDS, TOKEN, heartbeats_are_acknowledged, lively, resumes_without_loss,
};
use futures_util::{StreamExt as _, future::join_all};
use gateway_simulator::{Compression, Happening, Simulator};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use twilight_gateway::{
    CloseFrame, ConfigBuilder, Event, EventTypeFlags, Intents, Message, Session, Shard, ShardId, parse,
    queue::InMemoryQueue,
};

#[tokio::test]
async fn twilight_resumes_without_loss_with_zstd() {
    let simulator = lively(SHARDS).await;
    let received = resumes_without_loss(&simulator, twilight(&simulator, SHARDS), Compression::Zstd).await;
    assert!(received.kinds().len() >= 50, "{:?}", received.kinds());
    assert!(received.decoded().len() >= 45, "{:?}", received.decoded());
}

#[tokio::test]
async fn twilight_has_its_heartbeats_acknowledged() {
    let simulator = lively(1).await;
    heartbeats_are_acknowledged(&simulator, twilight(&simulator, 1)).await;
}

#[tokio::test]
async fn twilight_resumes_a_session_that_it_stored() {
    let simulator = lively(1).await;
    let control = simulator.control();
    let mut shard = Shard::with_config(ShardId::ONE, config(&simulator).build());
    while shard.session().is_none_or(|session| session.sequence() < 100) {
        shard.next().await.unwrap().unwrap();
    }
    shard.close(CloseFrame::RESUME);
    while !shard.next().await.unwrap().unwrap().is_close() {}
    let stored = serde_json::to_string(shard.session().unwrap()).unwrap();
    let url = shard.resume_url().unwrap().to_owned();
    drop(shard);

    let session: Session = serde_json::from_str(&stored).unwrap();
    let sequence = session.sequence();
    let config = config(&simulator).session(session).resume_url(url).build();
    let mut shard = Shard::with_config(ShardId::ONE, config);
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "RESUMED") {
        if let Message::Text(text) = shard.next().await.unwrap().unwrap() {
            let payload: serde_json::Value = serde_json::from_str(&text).unwrap();
            names.extend(payload["t"].as_str().map(str::to_owned));
        }
    }
    let sent = control.sent(0).into_iter().skip_while(|sent| sent.sequence <= sequence);
    let missed: Vec<_> = sent.map(|sent| sent.name.to_string()).take(names.len()).collect();
    assert_eq!(names, missed);
    let identifies = control.journal().into_iter().filter(|e| matches!(e.happening, Happening::Identify { .. }));
    assert_eq!(identifies.count(), 1);
}

fn twilight(simulator: &Simulator, max_concurrency: u32) -> Client {
    let queue = InMemoryQueue::new(max_concurrency.try_into().unwrap(), 1000, Duration::from_secs(86_400), 1000);
    let config = config(simulator).queue(queue).build();
    Client::run(|reporter, stop| async move {
        let shards = (0..SHARDS).map(|number| Shard::with_config(ShardId::new(number, SHARDS), config.clone()));
        join_all(shards.map(|shard| run(shard, reporter.clone(), stop.clone()))).await;
    })
}

fn config(simulator: &Simulator) -> ConfigBuilder {
    ConfigBuilder::new(TOKEN.to_owned(), Intents::all()).proxy_url(format!("ws://{}", simulator.api_host()))
}

async fn run(mut shard: Shard, reporter: Reporter, stop: CancellationToken) {
    let number = shard.id().number();
    let mut stopping = false;
    loop {
        let item = tokio::select! {
            item = shard.next() => item.expect("the shard gave up"),
            () = stop.cancelled(), if !stopping => {
                shard.close(CloseFrame::NORMAL);
                stopping = true;
                continue;
            }
        };
        match item {
            Ok(Message::Text(text)) => report(&reporter, number, text),
            Ok(Message::Close(_)) if stopping => return,
            Ok(Message::Close(_)) => {}
            Err(error) => reporter.report(Report::Problem { text: format!("{error:?}") }),
        }
    }
}

fn report(reporter: &Reporter, shard: u32, text: String) {
    let payload: serde_json::Value = serde_json::from_str(&text).unwrap();
    match (payload["op"].as_u64(), payload["s"].as_u64(), payload["t"].as_str()) {
        (Some(11), ..) => reporter.report(Report::Ack { shard }),
        (Some(0), Some(sequence), Some(name)) => {
            reporter.report(Report::Dispatch { shard, sequence, name: name.to_owned() });
        }
        _ => {}
    }
    match parse(text, EventTypeFlags::all()) {
        Ok(Some(event)) => reporter.report(Report::Decoded { name: format!("{:?}", Event::from(event).kind()) }),
        // Twilight has no model of it.
        Ok(None) => {}
        Err(error) => reporter.report(Report::Problem { text: format!("{error:?}") }),
    }
}
