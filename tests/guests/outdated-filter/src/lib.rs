//! A filter for a contract that bears this version's name and is another.

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package spectacles:gateway@0.1.0;

            interface filter {
                init: func() -> bool;
            }

            world outdated {
                export filter;
            }
        ",
    });
}

struct Outdated;

impl bindings::exports::spectacles::gateway::filter::Guest for Outdated {
    fn init() -> bool {
        true
    }
}

bindings::export!(Outdated with_types_in bindings);
