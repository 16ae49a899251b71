//! Finds and checks parts of JSON texts (RFC 8259) without building a tree, without recursion, and at the speed of memory.
//!
//! A [`Scanner`] goes through a text token by token and is strict. Where only the end of an object or array is wanted,
//! [`container_end`] finds it by its quotes and brackets alone. A [`Pointer`] (RFC 6901) finds one member.

mod pointer;
mod scanner;
mod specials;
mod structure;

pub use pointer::Pointer;
pub use scanner::{Fault, MAX_DEPTH, Scanner, Text, is_whitespace};
pub use structure::container_end;
