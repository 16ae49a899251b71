//! The gateway, from socket to broker. Follow an event downward:
//! [`shard`] reads it, [`lane`] runs it through the [`component`]s, a [`capability`] sends it out,
//! [`delivery`] notes that it arrived, and [`store`] keeps how far that is. [`run`] builds and joins all of it.

pub mod capability;
pub mod cli;
pub mod command;
pub mod component;
pub mod config;
pub mod connection;
pub mod delivery;
pub mod discord;
pub mod event;
pub mod lane;
mod panic;
mod private;
pub mod run;
pub mod shard;
pub mod store;
pub mod telemetry;
