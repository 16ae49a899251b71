//! The native side of what components import: connections, streams, confirmations.
