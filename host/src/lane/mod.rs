//! Shared-nothing workers that take events through the filter chain to the adapter.
