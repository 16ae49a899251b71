//! Events with an identity, sent on and on, and the account of what arrived of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gateway_simulator::Control;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// The name of the events.
pub const LOAD: &str = "LOAD";

/// What sends numbered events to each shard, in even steps. It stops when it is dropped.
pub struct Load {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    seed: u64,
    control: Control,
    /// How many events each shard has been sent.
    sent: Vec<AtomicU64>,
    is_paused: AtomicBool,
}

impl Load {
    /// Sends so many a second to each of the shards `0..shards`. A shard without a session gets none, and is sent the same number
    /// later.
    #[must_use]
    pub fn start(control: Control, seed: u64, shards: u32, rate: u32) -> Self {
        let sent = (0..shards).map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared { seed, control, sent, is_paused: AtomicBool::new(false) });
        let task = tokio::spawn(run(Arc::clone(&shared), rate));
        Self { shared, task }
    }

    /// How many events each shard has been sent.
    #[must_use]
    pub fn sent(&self) -> Vec<u64> {
        self.shared.sent.iter().map(|sent| sent.load(Ordering::SeqCst)).collect()
    }

    /// Sends nothing until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.shared.is_paused.store(true, Ordering::SeqCst);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.shared.is_paused.store(false, Ordering::SeqCst);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>, rate: u32) {
    let mut ticks = interval(STEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let each = (f64::from(rate) * STEP.as_secs_f64()).round().max(1.0) as u32;
    loop {
        ticks.tick().await;
        for _ in 0..each {
            shared.send_one_each();
        }
    }
}

impl Shared {
    fn send_one_each(&self) {
        for (shard, sent) in (0..).zip(&self.sent) {
            if self.is_paused.load(Ordering::SeqCst) {
                return;
            }
            let number = sent.load(Ordering::SeqCst);
            if self.control.send_event(shard, LOAD, payload(self.seed, shard, number)) > 0 {
                sent.store(number + 1, Ordering::SeqCst);
            }
        }
    }
}

/// The event of that number: most are small, some are large, and no two are the same.
#[must_use]
pub fn payload(seed: u64, shard: u32, number: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed ^ (u64::from(shard) << 48) ^ number);
    let length = if random.u8(..) == 0 { random.usize(..LARGE) } else { random.usize(..SMALL) };
    let filler: String = std::iter::repeat_with(|| random.alphanumeric()).take(length).collect();
    format!(r#"{{"shard":{shard},"number":{number},"filler":"{filler}"}}"#)
}

/// Time between two steps.
const STEP: Duration = Duration::from_millis(10);
const SMALL: usize = 300;
const LARGE: usize = 20_000;
