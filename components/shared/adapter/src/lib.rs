//! What the bundled broker adapters share: [`Settings`], the configuration that `adapter.open` gets, and [`Target`], the names
//! that commands come under.

mod encoding;
mod settings;
mod table;
mod target;

pub use encoding::Encoding;
pub use settings::{Settings, Shards};
pub use table::Table;
pub use target::Target;
