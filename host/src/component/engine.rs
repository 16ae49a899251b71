//! The WebAssembly engine: its settings, its cache of compiled code, and its clock for time limits.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config};

use super::code_cache::CodeCache;

/// How often the clock for time limits ticks. A limit holds to within one tick.
pub const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs components. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    cache: Option<Arc<CodeCache>>,
}

impl Engine {
    /// An engine that keeps compiled code in `cache` (a directory of its own, created when missing), so that a second start compiles
    /// nothing. Its entries are keyed by the component's digest, the engine's version and its settings.
    ///
    /// # Errors
    /// If the directory cannot be used, or the processor is not supported.
    pub fn new(cache: Option<&Path>) -> anyhow::Result<Self> {
        let cache = cache.map(std::path::absolute).transpose()?;
        let entries = cache.as_deref().map(open_entries).transpose()?;
        let mut config = Config::new();
        // Costs 300 ns a call, and no guest of our worlds is asynchronous (docs/decisions/0002).
        config.concurrency_support(false);
        config.epoch_interruption(true);
        config.cache(cache.as_deref().map(open_cache).transpose()?);
        let engine =
            wasmtime::Engine::new(&config).map_err(anyhow::Error::from).context("WebAssembly cannot run here")?;
        start_clock(&engine)?;
        Ok(Self { engine, cache: entries.map(Arc::new) })
    }

    /// Compiles a component, or finds it in the cache.
    pub(crate) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        let component = Component::new(&self.engine, bytes)?;
        if let Some(cache) = &self.cache {
            cache.note_new_entries();
        }
        Ok(component)
    }

    /// The engine that wasmtime's own functions take.
    pub(crate) fn raw(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

fn open_entries(folder: &Path) -> anyhow::Result<CodeCache> {
    CodeCache::open(folder.to_owned()).with_context(|| unusable(folder))
}

fn open_cache(folder: &Path) -> anyhow::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).map_err(anyhow::Error::from).with_context(|| unusable(folder))
}

fn unusable(folder: &Path) -> String {
    format!(
        "compiled components cannot be kept in {}: set components.cache_directory to a directory that can be written",
        folder.display()
    )
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
