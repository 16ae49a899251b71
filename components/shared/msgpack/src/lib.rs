//! Reads MessagePack piece by piece. No recursion, no allocation, and no panic whatever the bytes are: an announced length is
//! believed only as far as bytes are there.
//!
//! [`Head`] says how far a value goes, which is all that a stream needs to be cut into values. [`Reader`] reads one value.

mod head;
mod reader;
mod string;

pub use head::{Head, ReservedByte};
pub use reader::{Invalid, Reader, Token};
pub use string::push_string_head;
