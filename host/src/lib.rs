//! The gateway, from socket to broker.
