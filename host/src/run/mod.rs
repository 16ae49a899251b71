//! Builds every part from the configuration, runs it, and drains it.
//!
//! [`Gateway::start`] goes from the outside in: the broker's end first, Discord's last, so that nothing is received before it
//! can be delivered. [`Gateway::run`] drains in the other direction.

mod broker;
mod commands;
mod components;
mod forecast;
mod gateway;
mod identifies;
mod lanes;
mod plan;
mod shards;
pub mod signals;

pub use components::Components;
pub use forecast::Forecast;
pub use gateway::{Gateway, Io, Telemetry, check};
