//! The guests of `tests/guests` and the examples of `components/examples`, built from source.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use guest_build::{Guest, Toolchain};

/// The component of that name. All of them are built once for each test binary that asks.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    static GUESTS: LazyLock<Vec<Guest>> = LazyLock::new(|| {
        let workspace = workspace();
        guest_build::build(&toolchain(), &workspace.join("tests/guests"), &workspace.join("target/test-guests"))
            .unwrap_or_else(|error| panic!("{error}"))
    });
    find(&GUESTS, name)
}

/// The example of that name, as [`guest`].
#[must_use]
pub fn example(name: &str) -> PathBuf {
    static EXAMPLES: LazyLock<Vec<Guest>> = LazyLock::new(|| {
        let (projects, target) = (workspace().join("components/examples/rust"), workspace().join("target/components"));
        guest_build::build_projects(&toolchain(), &projects, &target).unwrap_or_else(|error| panic!("{error}"))
    });
    find(&EXAMPLES, name)
}

fn find(guests: &[Guest], name: &str) -> PathBuf {
    let found = guests.iter().find(|guest| guest.name == name);
    found.unwrap_or_else(|| panic!("no guest is called {name}")).component.clone()
}

fn toolchain() -> Toolchain {
    Toolchain::find(workspace()).unwrap_or_else(|error| panic!("{error}"))
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}
