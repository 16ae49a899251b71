//! The Discord gateway protocol as state machines without I/O.
