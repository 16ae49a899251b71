//! The components that are part of the binary, built from `components/` by the build script.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The bundled component of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static [u8]> {
    BUNDLED.iter().find(|(bundled, _)| *bundled == name).map(|(_, bytes)| *bytes)
}

/// The names of all bundled components.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(name, _)| *name)
}
