//! The gateway as its users meet it: the binary, on a simulated Discord, over real sockets and pipes.

mod demo;

/// The binary that cargo built for these tests.
const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
