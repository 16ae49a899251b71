//! A gateway under load, with a proxy on each side of it, and the account of what arrives.

use std::time::Duration;

use gateway_simulator::{Control, Happening, Limits, Options, Sent, Simulator};
use gateway_tests::{Audit, Gateway, LOAD, Load, PATIENCE, Proxy, Setup, payload};
use tokio::time::{sleep, timeout};

use crate::GATEWAY;
use crate::consumer::Consumer;
use crate::sink::Sink;

/// Shards of each scene.
pub(crate) const SHARDS: u32 = 2;

/// Events a second of each shard.
const RATE: u32 = 200;

/// A running scene.
pub(crate) struct Scene {
    pub(crate) random: fastrand::Rng,
    pub(crate) control: Control,
    /// Before Discord: REST, the gateway's URL and the resume URL.
    pub(crate) discord: Proxy,
    broker: Option<Proxy>,
    pub(crate) gateway: Gateway,
    pub(crate) consumer: Consumer,
    pub(crate) audit: Audit,
    pub(crate) load: Load,
    pub(crate) setup: Setup,
    sink: Sink,
    seed: u64,
    _simulator: Simulator,
}

impl Scene {
    /// Starts one, and waits until events of each shard arrive.
    pub(crate) async fn start(name: &str, sink: Sink) -> Self {
        Self::with(name, sink, |setup| setup).await
    }

    /// The same with a gateway that is set up further.
    pub(crate) async fn with(name: &str, sink: Sink, further: impl FnOnce(Setup) -> Setup) -> Self {
        let seed = seed();
        println!("{name}: FAULT_SEED={seed}");
        let (simulator, discord) = discord().await;
        let (control, broker) = (simulator.control(), sink.proxy().await);
        let setup = Setup::on(GATEWAY, &simulator)
            .variable("DISCORD_API_HOST", &discord.address().to_string())
            .variable("DISCORD_EVENTS", LOAD)
            .with_metrics();
        let setup = further(sink.configure(setup, broker.as_ref()));
        let mut consumer = sink.consumer().await;
        let gateway = start(&setup, &sink, &mut consumer).await;
        let mut ready = 0;
        let is_last = |entry: &gateway_simulator::Entry| {
            ready += u32::from(matches!(entry.happening, Happening::Ready { .. }));
            ready == SHARDS
        };
        control.wait_for(is_last).await.unwrap_or_else(|error| panic!("{error}\n{}", gateway.log()));
        let load = Load::start(control.clone(), seed, SHARDS, RATE);
        let (audit, random) = (Audit::new(seed, SHARDS), fastrand::Rng::with_seed(seed));
        let mut scene = Self {
            random,
            control,
            discord,
            broker,
            gateway,
            consumer,
            audit,
            load,
            setup,
            sink,
            seed,
            _simulator: simulator,
        };
        scene.events_arrive(1).await;
        scene
    }

    /// The proxy before the broker.
    pub(crate) fn broker(&self) -> &Proxy {
        self.broker.as_ref().expect("STDOUT has none")
    }

    /// What is random comes from it.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether there is a proxy before the broker.
    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    /// Starts the gateway again, when it has ended.
    pub(crate) async fn start_again(&mut self) {
        self.gateway = start(&self.setup, &self.sink, &mut self.consumer).await;
    }

    /// Kills the gateway, and waits until the broker has got what it had sent. What it had not noted may come again.
    pub(crate) async fn kill(&mut self) {
        self.gateway.signal("KILL").await;
        self.gateway.ended().await;
        if let Some(broker) = &self.broker {
            let idle = timeout(PATIENCE, broker.is_idle());
            idle.await.expect("the broker keeps a connection whose client is gone");
        }
        self.audit.allow_repeats(1);
    }

    /// Tells the gateway to drain when it runs, and waits for its end.
    pub(crate) async fn terminate(&mut self) {
        // Before that a signal ends it at once, with nothing to drain.
        self.gateway.logged("running ").await;
        self.gateway.signal("TERM").await;
        let status = self.gateway.ended().await;
        assert!(status.success(), "{status}\n{}", self.gateway.whole_log().await);
    }

    /// Lets the load go on for a moment of up to so long.
    pub(crate) async fn moment(&mut self, longest: Duration) {
        let part = self.random.f64();
        sleep(longest.mul_f64(part)).await;
    }

    /// Waits until so many more events of each shard have arrived. Fails if anything is not as promised.
    pub(crate) async fn events_arrive(&mut self, count: u64) {
        let goal: Vec<u64> = self.audit.progress().iter().map(|arrived| arrived + count).collect();
        self.until(&goal).await;
    }

    /// Waits until everything that was sent so far has arrived.
    pub(crate) async fn all_arrives(&mut self) {
        let sent = self.load.sent();
        self.until(&sent).await;
    }

    /// Sends no more, waits until everything has arrived, ends the gateway in order, and looks at what comes then.
    pub(crate) async fn finish(mut self) {
        self.load.pause();
        self.all_arrives().await;
        self.terminate().await;
        while let Some(delivery) = self.consumer.pending() {
            self.check(&delivery.body, delivery.is_redelivered);
        }
        self.load_was_sent();
    }

    /// Waits until a figure of the gateway is that.
    pub(crate) async fn figure_is(&mut self, series: &str, is: impl Fn(f64) -> bool) {
        let found = async {
            while !self.gateway.figures().await.of(series).is_some_and(&is) {
                sleep(POLL).await;
            }
        };
        assert!(timeout(PATIENCE, found).await.is_ok(), "{series} is not as expected\n{}", self.gateway.log());
    }

    /// Waits until the store knows the session of each shard. Nobody can resume one that is only known to a process that is killed.
    pub(crate) async fn sessions_are_kept(&mut self) {
        let before = self.gateway.figures().await.of("gateway_checkpoints_total").unwrap_or_default();
        // All shards go on, so that each round saves all of them.
        let twice = before + f64::from(2 * SHARDS);
        self.figure_is("gateway_checkpoints_total", |saved| saved >= twice).await;
    }

    /// The events of the load that the simulator put on sessions of a shard.
    pub(crate) fn sent(&self, shard: u32) -> Vec<Sent> {
        self.control.sent(shard).into_iter().filter(|sent| &*sent.name == LOAD).collect()
    }

    /// What goes wrong is said with the seed and the log.
    pub(crate) fn check(&mut self, body: &str, is_redelivered: bool) {
        if let Err(violation) = self.audit.take(body, is_redelivered) {
            panic!("{violation}\n{}", self.gateway.log());
        }
    }

    async fn until(&mut self, goal: &[u64]) {
        while !self.audit.has(goal) {
            let Ok(delivery) = timeout(PATIENCE, self.consumer.next()).await else {
                panic!("{}\n{}", self.audit.missing(goal), self.gateway.log());
            };
            self.check(&delivery.body, delivery.is_redelivered);
        }
    }

    /// The account is of the load; the simulator has its own of what it put on sessions. Both say the same.
    fn load_was_sent(&self) {
        for (shard, count) in (0..).zip(self.load.sent()) {
            let sent = self.sent(shard);
            assert_eq!(sent.len() as u64, count, "shard {shard}");
            let is_same = |(number, sent): (u64, &Sent)| *sent.payload == *payload(self.seed, shard, number);
            assert!((0..).zip(&sent).all(is_same), "shard {shard} was sent something else (FAULT_SEED={})", self.seed);
        }
    }
}

async fn start(setup: &Setup, sink: &Sink, consumer: &mut Consumer) -> Gateway {
    let mut gateway = setup.start_unread();
    if matches!(sink, Sink::Stdout) {
        consumer.read(gateway.take_output()).await;
    }
    gateway
}

/// A simulated Discord that says it is where the proxy is.
async fn discord() -> (Simulator, Proxy) {
    let proxy = Proxy::start(([127, 0, 0, 1], 0).into()).await;
    let mut options = Options {
        guilds_per_shard: 0,
        recommended_shards: SHARDS,
        max_concurrency: SHARDS,
        patience: PATIENCE,
        replay_events: 1_000_000,
        sent_entries: 1_000_000,
        hello_interval: HEARTBEAT,
        limits: Limits { identify_interval: Duration::ZERO, heartbeat_tolerance: 3.0, ..Limits::default() },
        ..Options::default()
    };
    options.session_starts.remaining = 1_000_000;
    options.knobs.resume_url = Some(format!("ws://{}", proxy.address()));
    let simulator = Simulator::start(options).await.unwrap();
    proxy.point_to(simulator.address());
    (simulator, proxy)
}

/// `FAULT_SEED`, or one of chance.
fn seed() -> u64 {
    match std::env::var("FAULT_SEED") {
        Ok(seed) => seed.parse().expect("FAULT_SEED is a whole number"),
        Err(_) => fastrand::u64(..1 << 32),
    }
}

/// Between two beats. A silent Discord is noticed soon.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Between two looks at the metrics.
pub(crate) const POLL: Duration = Duration::from_millis(50);
