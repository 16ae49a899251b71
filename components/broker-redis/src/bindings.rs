//! The world `broker`, as generated from `wit/`.

wit_bindgen::generate!({ path: "../../wit", world: "broker", additional_derives: [PartialEq] });
