//! What `wit/` looks like in Rust. The only place where bindings are generated.
//!
//! Both worlds are generated with the same options, and share the types of `types`.

#![allow(
    clippy::all,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "generated from wit/, which holds the documentation"
)]

pub(super) mod filter_world {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "event-filter",
        exports: { default: async },
        imports: { default: trappable },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(super) mod broker_world {
    wasmtime::component::bindgen!({
        path: "../wit",
        // The capabilities, which are linked by hand, are left out.
        inline: "
            package spectacles:host;

            world broker {
                import spectacles:gateway/payloads@0.1.0;
                import spectacles:gateway/log@0.1.0;
                import spectacles:gateway/metrics@0.1.0;

                export spectacles:gateway/adapter@0.1.0;
            }
        ",
        world: "spectacles:host/broker",
        exports: { default: async },
        imports: { default: trappable },
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "spectacles:gateway/payloads": super::filter_world::spectacles::gateway::payloads,
            "spectacles:gateway/log": super::filter_world::spectacles::gateway::log,
            "spectacles:gateway/metrics": super::filter_world::spectacles::gateway::metrics,
            "spectacles:gateway/types": super::filter_world::spectacles::gateway::types,
        },
    });
}

pub use broker_world::exports::spectacles::gateway::adapter::{Command, Message};
pub use filter_world::exports::spectacles::gateway::filter::Verdict;
pub use filter_world::spectacles::gateway::{log, metrics, types};
