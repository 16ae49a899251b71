//! File, environment and flags become one validated, typed configuration.
