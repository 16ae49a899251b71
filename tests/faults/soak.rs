//! Random faults for as long as wanted: `cargo xtask soak`.

use std::fmt;
use std::time::Duration;

use gateway_simulator::{Answer, FaultKind};
use gateway_tests::{Direction, RabbitMq, Redis, RedisOptions};
use tokio::time::{Instant, sleep};

use crate::scene::{SHARDS, Scene};
use crate::sink::Sink;

#[tokio::test]
#[ignore = "runs for minutes: cargo xtask soak"]
async fn soak() {
    let minutes: f64 = variable("SOAK_MINUTES").map_or(1.0, |text| text.parse().expect("SOAK_MINUTES is a number"));
    let broker = variable("SOAK_BROKER").unwrap_or_else(|| "redis".to_owned());
    let redis = if broker == "redis" { Some(Redis::start(RedisOptions::default()).await) } else { None };
    let sink = match broker.as_str() {
        "stdio" => Sink::Stdout,
        "redis" => Sink::Redis(redis.as_ref().unwrap().url()),
        "amqp" => Sink::Amqp(RabbitMq::virtual_host().await.url()),
        other => panic!("SOAK_BROKER is {other:?}; accepted: stdio, redis, amqp"),
    };
    let mut scene = Scene::start("soak", sink).await;
    println!("again: cargo xtask soak --minutes {minutes} --broker {broker} --seed {}", scene.seed());
    scene.sessions_are_kept().await;
    let (began, end) = (Instant::now(), Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let mut faults = 0;
    while Instant::now() < end {
        let fault = Fault::draw(&mut scene);
        fault.happen(&mut scene).await;
        scene.events_arrive(20).await;
        scene.all_arrives().await;
        faults += 1;
        let arrived: u64 = scene.audit.progress().iter().sum();
        let (seconds, repeats) = (began.elapsed().as_secs(), scene.audit.repeats());
        println!("{seconds:>5} s  {fault:<40} {arrived:>9} events arrived, runs repeated: {repeats}");
    }
    let sent: u64 = scene.load.sent().iter().sum();
    scene.finish().await;
    println!("{faults} faults, more than {sent} events: none is missing, out of order or repeated without leave");
}

/// What happens, for how long.
enum Fault {
    Kill,
    Terminate,
    Discord(FaultKind),
    /// Answers each resume with op 9, resumable.
    Hesitation,
    Network(Place, Weather, Duration),
}

/// Which way of the gateway.
#[derive(Debug, Clone, Copy)]
enum Place {
    Discord,
    Broker,
}

#[derive(Debug, Clone, Copy)]
enum Weather {
    Cut,
    Refuse,
    Delay(Duration),
    Stall(Direction),
    CutAfter(usize),
}

impl Fault {
    fn draw(scene: &mut Scene) -> Self {
        let has_broker = scene.has_broker();
        let random = &mut scene.random;
        match random.u8(..10) {
            0 | 1 => Self::Kill,
            2 => Self::Terminate,
            3 => Self::Discord(FaultKind::Reconnect),
            4 => Self::Discord(match random.u8(..4) {
                0 => FaultKind::Drop,
                1 => FaultKind::Reset,
                2 => FaultKind::CloseWithoutCode,
                _ => FaultKind::InvalidSession { resumable: true },
            }),
            5 => Self::Hesitation,
            _ => {
                let place = if has_broker && random.bool() { Place::Broker } else { Place::Discord };
                let direction = if random.bool() { Direction::ToServer } else { Direction::ToClient };
                let weather = match random.u8(..6) {
                    0 | 1 => Weather::Cut,
                    2 => Weather::Refuse,
                    3 => Weather::Delay(Duration::from_millis(random.u64(5..200))),
                    4 => Weather::CutAfter(random.usize(1_000..100_000)),
                    _ => Weather::Stall(direction),
                };
                Self::Network(place, weather, Duration::from_millis(random.u64(100..6_000)))
            }
        }
    }

    /// Lets it happen, and mends it.
    async fn happen(&self, scene: &mut Scene) {
        scene.moment(Duration::from_secs(2)).await;
        match self {
            Self::Kill => {
                scene.kill().await;
                scene.start_again().await;
            }
            Self::Terminate => {
                scene.terminate().await;
                scene.start_again().await;
            }
            Self::Discord(kind) => scene.control.fault(kind.clone()),
            Self::Hesitation => {
                let answer = FaultKind::AnswerResume(Answer::InvalidSession { resumable: true });
                scene.control.fault(answer.times(SHARDS));
                scene.control.fault(FaultKind::Drop);
            }
            Self::Network(place, weather, time) => blow(scene, *place, *weather, *time).await,
        }
    }
}

async fn blow(scene: &mut Scene, place: Place, weather: Weather, time: Duration) {
    if matches!(place, Place::Broker) {
        // Each lost connection may have taken confirmations with it, and there may be many while it lasts.
        scene.audit.allow_repeats(1 + time.as_millis() as u64 / SHORTEST_PAUSE);
    }
    let proxy = match place {
        Place::Discord => &scene.discord,
        Place::Broker => scene.broker(),
    };
    match weather {
        Weather::Cut => proxy.cut(),
        Weather::Refuse => {
            proxy.refuse();
            proxy.cut();
        }
        Weather::Delay(delay) => proxy.delay(delay),
        Weather::Stall(direction) => proxy.stall(direction),
        Weather::CutAfter(bytes) => {
            proxy.cut_after(bytes);
            proxy.cut();
        }
    }
    sleep(time).await;
    proxy.pass();
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Kill => "kill -9".to_owned(),
            Self::Terminate => "SIGTERM".to_owned(),
            Self::Discord(FaultKind::Reconnect) => "op 7".to_owned(),
            Self::Discord(kind) => format!("Discord: {kind:?}"),
            Self::Hesitation => "op 9, resumable, in answer to resumes".to_owned(),
            Self::Network(place, weather, time) => format!("{place:?}: {weather:?} for {time:?}"),
        };
        formatter.pad(&text)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Milliseconds that lie at least between two tries to reach a broker: half of the first pause.
const SHORTEST_PAUSE: u64 = 50;
