//! Metrics, health and log.
