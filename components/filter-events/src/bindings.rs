//! The world `event-filter`, as generated from `wit/`.

wit_bindgen::generate!({ path: "../../wit", world: "event-filter" });
