//! The servers and the scripts that the tests of the brokers rely on work, and end.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod ends;
mod rabbitmq;
mod redis;
mod wire_formats;
