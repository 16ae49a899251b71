//! A faithful Discord gateway.
