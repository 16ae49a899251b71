//! The WebAssembly engine: its settings, its cache of compiled code, and its clock for time limits.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use wasmtime::{Cache, CacheConfig, Config};

/// How often the clock for time limits ticks. A limit holds to within one tick.
pub const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs components. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
}

impl Engine {
    /// An engine that keeps compiled code in `cache` (a directory of its own, created when missing), so that a second start compiles
    /// nothing. Its entries are keyed by the component's digest, the engine's version and its settings.
    ///
    /// # Errors
    /// If the directory cannot be used, or the processor is not supported.
    pub fn new(cache: Option<&Path>) -> anyhow::Result<Self> {
        let mut config = Config::new();
        // Costs 300 ns a call, and no guest of our worlds is asynchronous (docs/decisions/0002).
        config.concurrency_support(false);
        config.epoch_interruption(true);
        // Guests' memories are small and few: no need to reserve 4 GiB of address space for each.
        config.cache(cache.map(open_cache).transpose()?);
        let engine =
            wasmtime::Engine::new(&config).map_err(anyhow::Error::from).context("WebAssembly cannot run here")?;
        start_clock(&engine)?;
        Ok(Self { engine })
    }

    /// The engine that wasmtime's own functions take.
    pub(crate) fn raw(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

fn open_cache(directory: &Path) -> anyhow::Result<Cache> {
    let directory: PathBuf = std::path::absolute(directory)?;
    let mut config = CacheConfig::new();
    config.with_directory(&directory);
    Cache::new(config).map_err(anyhow::Error::from).with_context(|| {
        format!(
            "compiled components cannot be kept in {}: set components.cache_directory to a directory that can be written",
            directory.display()
        )
    })
}

/// Ticks as long as the engine lives.
fn start_clock(engine: &wasmtime::Engine) -> anyhow::Result<()> {
    let weak = engine.weak();
    thread::Builder::new()
        .name("component-clock".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .context("the clock for components' time limits cannot start")?;
    Ok(())
}

/// The number of ticks in which a call of at most `limit` surely ends: the running tick is already partly over.
pub(crate) fn ticks(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX - 1) + 1
}
