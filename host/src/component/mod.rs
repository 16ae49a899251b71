//! WebAssembly components: engine, limits, bindings and loading.
