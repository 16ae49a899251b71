//! Drivers that give the protocol's state machines sockets, clocks and queues.
