//! What the simulator promises to every client.

use gateway_simulator::{
    Compression, Control, Entry, FaultKind, GuildShape, Happening, Limits, NotHappened, Options, Rate, Simulator,
};
use std::time::Duration;

use crate::{
    client::{Client, PATIENCE},
    report::Received,
};

/// Shards of every client.
pub const SHARDS: u32 = 2;

/// The bot's token.
pub const TOKEN: &str = "MTIz.test.token";

/// A simulator with lively traffic for [`SHARDS`] shards, of which `max_concurrency` may identify at once. Its guilds are
/// so large that a client has to ask for their members.
pub async fn lively(max_concurrency: u32) -> Simulator {
    let limits = Limits {
        // Clients wait 5 s. A busy machine may hold the first identify back on its way.
        identify_interval: Duration::from_secs(4),
        heartbeat_tolerance: 20.0,
        ..Limits::default()
    };
    let options = Options {
        token: Some(TOKEN.to_owned()),
        recommended_shards: SHARDS,
        max_concurrency,
        guilds_per_shard: 3,
        guild: GuildShape { members: 300, ..GuildShape::default() },
        event_rate: Rate::per_second(400.0),
        hello_interval: Duration::from_secs(2),
        patience: PATIENCE,
        limits,
        ..Options::default()
    };
    Simulator::start(options).await.unwrap()
}

/// Interrupts a client in several ways amid its events. It gets each event once and in order nevertheless, without another
/// identify, always with the compression that it asked for, and ends its sessions when it ends. Answers with what it got.
pub async fn resumes_without_loss(simulator: &Simulator, mut client: Client, compression: Compression) -> Received {
    let control = simulator.control();
    for shard in 0..SHARDS {
        client.until(|received| received.sequence(shard) > 500).await;
    }
    interrupt(&control, &mut client, FaultKind::Reconnect).await;
    interrupt(&control, &mut client, FaultKind::DispatchAfterClose { code: 4000 }).await;
    // Clients may take op 9 while they still settle the event before it, and ask for that event again.
    pause(&control, &mut client).await;
    interrupt(&control, &mut client, FaultKind::InvalidSession { resumable: true }).await;
    pause(&control, &mut client).await;
    for shard in 0..SHARDS {
        let sent =
            control.sent(shard).into_iter().map(|sent| (sent.sequence, sent.name.to_string())).collect::<Vec<_>>();
        let mut got = client.received().dispatches(shard).to_vec();
        if compression == Compression::Payload {
            // Clients inflate payloads side by side and take each when it is ready.
            got.sort();
        }
        let same = std::iter::zip(&got, &sent).take_while(|(got, sent)| got == sent).count();
        assert_eq!((got.get(same), got.len()), (sent.get(same), sent.len()), "shard {shard} after {same} events");
    }
    let received = client.finish().await;
    for shard in 0..SHARDS {
        on_shard(&control, 0, shard, |happening| matches!(happening, Happening::SessionEnded { .. })).await.unwrap();
    }
    check_identifies(&control);
    check_resumes(&control);
    check_connections(&control, compression);
    received
}

/// Each shard's heartbeats are acknowledged, and keep its only connection alive.
pub async fn heartbeats_are_acknowledged(simulator: &Simulator, mut client: Client) {
    let control = simulator.control();
    let is_heartbeat = |happening: &Happening| matches!(happening, Happening::Heartbeat { sequence: Some(_) });
    for shard in 0..SHARDS {
        let mut next = 0;
        for acknowledged in 1..=2 {
            next = on_shard(&control, next, shard, is_heartbeat).await.unwrap().index + 1;
            client.until(|received| received.acks(shard) >= acknowledged).await;
        }
    }
    let opened = control.journal().into_iter().filter(|entry| matches!(entry.happening, Happening::Opened { .. }));
    assert_eq!(opened.count(), SHARDS as usize);
    client.finish().await;
}

/// Stops the traffic, and waits until the client has got all of it.
async fn pause(control: &Control, client: &mut Client) {
    control.pause();
    for shard in 0..SHARDS {
        let sent = control.sent(shard).len();
        client.until(|received| received.dispatches(shard).len() >= sent).await;
    }
}

/// Takes every shard's connection or session away, and waits until it has resumed and gets new events.
async fn interrupt(control: &Control, client: &mut Client, fault: FaultKind) {
    let from = control.position();
    control.fault(fault);
    for shard in 0..SHARDS {
        control.send_event(shard, "MISSED", "{}");
    }
    control.resume();
    for shard in 0..SHARDS {
        on_shard(control, from, shard, |happening| matches!(happening, Happening::Resumed { .. })).await.unwrap();
        let resumed = control.sent(shard).iter().rev().find(|sent| &*sent.name == "RESUMED").unwrap().sequence;
        client.until(|received| received.sequence(shard) > resumed + 100).await;
    }
}

/// One identify for each shard, which was accepted.
fn check_identifies(control: &Control) {
    let journal = control.journal();
    let identifies = journal.iter().filter_map(|entry| match &entry.happening {
        Happening::Identify { data } => Some(data["shard"].clone()),
        _ => None,
    });
    let mut identifies: Vec<_> = identifies.map(|shard| shard.to_string()).collect();
    identifies.sort();
    assert_eq!(identifies, (0..SHARDS).map(|shard| format!("[{shard},{SHARDS}]")).collect::<Vec<_>>());
    let ready = journal.iter().filter(|entry| matches!(entry.happening, Happening::Ready { .. }));
    assert_eq!(ready.count(), identifies.len());
}

/// The close and op 9 made every shard miss something, which was replayed.
fn check_resumes(control: &Control) {
    for shard in 0..SHARDS {
        let journal = control.journal().into_iter().filter(|entry| entry.shard == Some(shard));
        let replays = journal.filter(|entry| matches!(entry.happening, Happening::Resumed { replayed: 1.., .. }));
        assert!(replays.count() >= 2, "shard {shard}");
    }
}

/// Every connection has the compression, and all after the first ones go to the resume URL.
fn check_connections(control: &Control, wanted: Compression) {
    // Payload compression is not asked for by the URL.
    let wanted = if wanted == Compression::Payload { Compression::None } else { wanted };
    let mut opened = 0;
    for entry in control.journal() {
        if let Happening::Opened { query, compression, resume_url } = entry.happening {
            assert_eq!((compression, resume_url), (wanted, opened >= SHARDS), "{query}");
            opened += 1;
        }
    }
}

async fn on_shard(
    control: &Control,
    from: u64,
    shard: u32,
    matches: impl Fn(&Happening) -> bool,
) -> Result<Entry, NotHappened> {
    control.wait_for_after(from, |entry| entry.shard == Some(shard) && matches(&entry.happening)).await
}
