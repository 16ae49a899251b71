//! Set-up, test and packaging commands.

fn main() {}
