//! Where sessions and watermarks live between runs.
