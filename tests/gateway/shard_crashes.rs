//! Crashes of a shard's driver, in this process: a layer of the log panics on a line that the driver writes.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use gateway_simulator::{FaultKind, Happening, Options, Raw, Simulator};
use gateway_tests::PATIENCE;
use spectacles_gateway::config::{Config, Flags};
use spectacles_gateway::run::{Gateway, Io, Telemetry};
use spectacles_gateway::telemetry::{Health, Metrics};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::{happens, identifies, start, without_guilds};

/// A shard that no other test of this process runs in the process.
const SHARD: u32 = 11;

#[tokio::test]
async fn a_shard_that_crashes_resumes_and_loses_and_repeats_nothing() {
    let simulator = start(Options { recommended_shards: 12, ..without_guilds() }).await;
    let control = simulator.control();
    let mut gateway = Running::start(&simulator).await;
    happens(&control, 1, |entry| matches!(entry.happening, Happening::Ready { .. })).await;

    let nameless = || control.send_raw(Some(SHARD), Raw::payload(r#"{"op":0,"s":null,"t":null,"d":{}}"#));
    let reconnect = || {
        control.fault(FaultKind::Reconnect);
        1
    };
    // While events come in, when the connection ends, and as soon as the session was resumed.
    let crashes: [(&'static str, &dyn Fn() -> usize); 3] = [
        ("an event was not taken: nameless", &nameless),
        ("connecting anew (requested)", &reconnect),
        ("shard 11: resumed", &reconnect),
    ];
    for (crash, (line, disturb)) in (1..).zip(crashes) {
        crash_on(line);
        control.send_event(SHARD, &format!("BEFORE_{crash}"), "{}");
        assert_eq!(disturb(), 1);
        control.send_event(SHARD, &format!("BEHIND_{crash}"), "{}");
        gateway.until(&format!("BEHIND_{crash}")).await;
        // This one comes behind RESUMED in any case.
        control.send_event(SHARD, &format!("AFTER_{crash}"), "{}");
        gateway.until(&format!("AFTER_{crash}")).await;
        assert_eq!(gateway.crashes(), crash);
    }
    let sent = control.sent(SHARD);
    let sent = sent.iter().map(|sent| format!(r#"{{"event":"{}","data":{}}}"#, sent.name, sent.payload));
    assert_eq!(without_resumed(gateway.lines.iter().cloned()), without_resumed(sent));
    assert_eq!(identifies(&control), 1);
    gateway.stop().await;
}

/// Discord repeats no RESUMED: one that a crash has met does not come again.
fn without_resumed(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines.filter(|line| !line.contains(r#""event":"RESUMED""#)).collect()
}

/// A gateway in this process.
struct Running {
    output: mpsc::Receiver<String>,
    lines: Vec<String>,
    telemetry: Telemetry,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(simulator: &Simulator) -> Self {
        let host = simulator.api_host();
        let shard = SHARD.to_string();
        let environment = BTreeMap::from([
            ("DISCORD_TOKEN", "test"),
            ("DISCORD_EVENTS", "*"),
            ("DISCORD_RAW_INTENTS", "53608447"),
            ("DISCORD_API_PROTOCOL", "http"),
            ("DISCORD_API_HOST", &host),
            ("DISCORD_SHARD_COUNT", "12"),
            ("DISCORD_SHARD_IDS", &shard),
            ("SHARD_STORE_TYPE", "memory"),
        ]);
        let config = Config::load(&Flags::default(), &environment, &|_| Err(io::ErrorKind::NotFound.into()));
        let (lines, output) = mpsc::channel(1000);
        let io = Io { output: Box::new(Lines { lines, rest: Vec::new() }), reads_input: false };
        let telemetry = Telemetry { metrics: Metrics::new().unwrap(), health: Health::default() };
        let stop = CancellationToken::new();
        let gateway = Gateway::start(&config.unwrap().config, io, &telemetry, stop.clone()).await.unwrap().unwrap();
        Self { output, lines: Vec::new(), telemetry, stop, task: tokio::spawn(gateway.run()) }
    }

    fn crashes(&self) -> u32 {
        let figures = self.telemetry.metrics.render().unwrap();
        let crashes = figures.lines().find_map(|line| line.strip_prefix("gateway_shard_crashes_total{shard=\"11\"} "));
        crashes.unwrap().parse().unwrap()
    }

    async fn until(&mut self, name: &str) {
        while self.lines.last().is_none_or(|line| !line.contains(name)) {
            let line = tokio::time::timeout(PATIENCE, self.output.recv()).await;
            self.lines.push(line.unwrap_or_else(|_| panic!("{name} did not come: {:?}", self.lines)).unwrap());
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

struct Lines {
    lines: mpsc::Sender<String>,
    rest: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line = self.rest.drain(..=end).take(end).collect();
            self.lines.try_send(String::from_utf8(line).unwrap()).unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on, the next line with this text is a panic of whoever writes it.
fn crash_on(line: &'static str) {
    static TRAP: OnceLock<Arc<Mutex<Option<&'static str>>>> = OnceLock::new();
    let trap = TRAP.get_or_init(|| {
        let trap = Arc::new(Mutex::new(None));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Trap(Arc::clone(&trap)))).unwrap();
        trap
    });
    *trap.lock().unwrap() = Some(line);
}

struct Trap(Arc<Mutex<Option<&'static str>>>);

impl<S: Subscriber> Layer<S> for Trap {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let found = self.0.lock().unwrap().take_if(|line| message.0.contains(*line));
        assert!(found.is_none(), "a crash on demand");
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        }
    }
}
