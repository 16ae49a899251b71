//! From a name or a path to a compiled component that fits its world.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{InstancePre, Linker};

use super::engine::Engine;
use super::state::{InstanceState, link_common};
use super::{LoadError, bundled};
use crate::capability;
use crate::config::BrokerType;

/// What a component is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The world `event-filter`.
    Filter,
    /// The world `broker`, with the capability of that kind of broker.
    Adapter(BrokerType),
}

impl Role {
    /// The world's name in wit/worlds.wit.
    #[must_use]
    pub fn world(self) -> &'static str {
        match self {
            Self::Filter => "event-filter",
            Self::Adapter(_) => "broker",
        }
    }

    /// The interface that the world exports.
    fn export(self) -> &'static str {
        match self {
            Self::Filter => FILTER,
            Self::Adapter(_) => ADAPTER,
        }
    }

    fn linker(self, engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
        let mut linker = Linker::new(engine.raw());
        link_common(&mut linker)?;
        match self {
            Self::Filter => {}
            Self::Adapter(granted) => capability::link(&mut linker, granted)?,
        }
        Ok(linker)
    }
}

const FILTER: &str = "spectacles:gateway/filter@0.1.0";
const ADAPTER: &str = "spectacles:gateway/adapter@0.1.0";

/// A component's code, and the name that it goes by in logs and metrics.
#[derive(Debug, Clone)]
pub struct Source {
    /// The bundled name, or the file's name without its ending.
    pub name: Arc<str>,
    bytes: Cow<'static, [u8]>,
}

impl Source {
    /// Reads a bundled component, or else a file.
    ///
    /// # Errors
    /// [`LoadError::NotFound`].
    pub fn read(name_or_path: &str) -> Result<Self, LoadError> {
        if let Some(bytes) = bundled::find(name_or_path) {
            return Ok(Self { name: name_or_path.into(), bytes: Cow::Borrowed(bytes) });
        }
        let path = Path::new(name_or_path);
        let bytes = std::fs::read(path).map_err(|reason| LoadError::NotFound {
            name: name_or_path.into(),
            bundled: bundled::names().collect::<Vec<_>>().join(", "),
            reason,
        })?;
        let name = path.file_stem().map_or(Cow::Borrowed(name_or_path), |stem| stem.to_string_lossy());
        Ok(Self { name: name.as_ref().into(), bytes: Cow::Owned(bytes) })
    }

    /// Compiles the component (or finds it in the cache), and checks that it fits its role.
    pub(super) fn prepare(&self, engine: &Engine, role: Role) -> Result<InstancePre<InstanceState>, LoadError> {
        let component = engine.compile(&self.bytes).map_err(|error| self.not_a_component(&error))?;
        if component.get_export_index(None, role.export()).is_none() {
            let exports = |interface| component.get_export_index(None, interface).is_some();
            let hint = match role {
                Role::Filter if exports(ADAPTER) => ". It is a broker adapter: name it in `broker.component`",
                Role::Adapter(_) if exports(FILTER) => ". It is a filter: name it in a [[filters]] table",
                _ => "",
            };
            return Err(LoadError::WrongWorld {
                name: self.name.to_string(),
                export: role.export(),
                world: role.world(),
                hint,
            });
        }
        role.linker(engine).and_then(|linker| linker.instantiate_pre(&component)).map_err(|error| LoadError::Import {
            name: self.name.to_string(),
            world: role.world(),
            reason: format!("{error:#}"),
        })
    }

    fn not_a_component(&self, error: &wasmtime::Error) -> LoadError {
        let hint = match self.bytes.get(..8) {
            Some(b"\0asm\x01\0\0\0") => " but a core module (make a component of it, with `wasm-tools component new`)",
            _ if self.bytes.starts_with(b"(") => " but WebAssembly text (compile it first)",
            _ => "",
        };
        LoadError::NotAComponent { name: self.name.to_string(), hint, reason: format!("{error:#}") }
    }
}
