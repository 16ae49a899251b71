//! The guests of `tests/guests`, built from source.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use guest_build::Toolchain;

/// The component of that name. All of them are built once for each test binary that asks.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    static GUESTS: LazyLock<Vec<guest_build::Guest>> = LazyLock::new(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let toolchain = Toolchain::find(workspace).unwrap_or_else(|error| panic!("{error}"));
        guest_build::build(&toolchain, &workspace.join("tests/guests"), &workspace.join("target/test-guests"))
            .unwrap_or_else(|error| panic!("{error}"))
    });
    let found = GUESTS.iter().find(|guest| guest.name == name);
    found.unwrap_or_else(|| panic!("no guest is called {name}")).component.clone()
}
