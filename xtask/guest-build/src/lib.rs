//! Builds WebAssembly guests.
