//! The components that the configuration names, compiled and checked.

use anyhow::Context as _;

use crate::capability::Capabilities;
use crate::component::adapter::AdapterCode;
use crate::component::engine::Engine;
use crate::component::filter::Filter;
use crate::component::limits::Limits;
use crate::component::loader::Source;
use crate::component::sandbox::Environment;
use crate::component::{CallError, GuestFamilies, LoadError};
use crate::config::{Config, OnError, Shards};

/// The chain of filters, and the adapter behind it. Cheap to clone.
#[derive(Clone)]
pub struct Components {
    /// In order.
    pub filters: Vec<(Filter, OnError)>,
    /// Where events go out.
    pub adapter: AdapterCode,
}

impl Components {
    /// Compiles all components (or finds them in the cache), and checks that each fits its world.
    ///
    /// # Errors
    /// Says which component cannot be used, why, and what to do.
    pub fn prepare(config: &Config, figures: &GuestFamilies) -> anyhow::Result<Self> {
        let engine = engine(config)?;
        let environment = |memory, time| Environment {
            engine: engine.clone(),
            limits: Limits { memory, time },
            figures: figures.clone(),
        };
        let filters = config
            .effective_chain()
            .into_iter()
            .map(|filter| {
                let source = Source::read(&filter.component)?;
                let environment = environment(filter.memory, filter.timeout);
                let prepared = Filter::prepare(&source, filter.config.expose(), filter.events, environment)?;
                Ok((prepared, filter.on_error))
            })
            .collect::<Result<_, LoadError>>()?;
        let source = Source::read(&config.broker.component)?;
        let environment = environment(config.components.memory, config.components.timeout);
        let adapter = AdapterCode::prepare(&source, config.broker.kind, environment)?;
        Ok(Self { filters, adapter })
    }

    /// Makes one instance of each and ends it again: whether their configuration suits them.
    ///
    /// # Errors
    /// Says which component refuses to start, and why.
    pub async fn try_start(&self, config: &Config) -> anyhow::Result<()> {
        for (filter, _) in &self.filters {
            filter.instantiate().await.map_err(start_error(filter.name()))?;
        }
        let (count, ids) = match &config.shards {
            // Only Discord knows how many it recommends.
            Shards::Recommended => (1, vec![0]),
            Shards::All { count } => (count.get(), (0..count.get()).collect()),
            Shards::Subset { count, ids } => (count.get(), ids.iter().map(|id| id.0).collect()),
        };
        let adapter = self.adapter.with_config(&config.broker.component_config(count, &ids));
        let adapter = adapter.instantiate(Capabilities::default()).await.map_err(start_error(adapter.name()))?;
        adapter.close().await.with_context(|| format!("component `{}` failed at its end", self.adapter.name()))
    }
}

fn start_error(name: &str) -> impl FnOnce(CallError) -> LoadError {
    move |reason| LoadError::Start { name: name.to_owned(), reason }
}

/// Compiled components are kept where the configuration says, or else at the platform's place for caches if that can be had.
fn engine(config: &Config) -> anyhow::Result<Engine> {
    if let Some(directory) = &config.components.cache_directory {
        return Engine::new(Some(directory));
    }
    let Some(directory) = dirs::cache_dir() else { return Engine::new(None) };
    let directory = directory.join("spectacles-gateway").join("components");
    if let Err(error) = std::fs::create_dir_all(&directory) {
        tracing::info!(
            "compiled components are not kept, so that each start compiles them: {} cannot be made ({error}). Set \
             components.cache_directory to a directory that can be written",
            directory.display()
        );
        return Engine::new(None);
    }
    Engine::new(Some(&directory)).or_else(|error| {
        tracing::info!("compiled components are not kept: {error:#}");
        Engine::new(None)
    })
}
