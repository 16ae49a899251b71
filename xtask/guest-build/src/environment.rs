use std::ffi::OsStr;
use std::process::Command;

/// Takes away what a cargo that runs this program has set for its own build, so that the guests' build is the same
/// from a shell, from a build script and from a test.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if !is_for_guests(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_for_guests(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return true };
    KEPT.iter().any(|kept| name.starts_with(kept)) || !REMOVED.iter().any(|removed| name.starts_with(removed))
}

/// The user's settings for network, registries and output, and the job server, which keeps both builds together within
/// the number of jobs.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

const REMOVED: &[&str] = &["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "__CARGO"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_outer_build_do_not_reach_guests() {
        for name in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"]
        {
            assert!(!is_for_guests(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn settings_of_the_user_reach_guests() {
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_MINE_INDEX",
            "RUSTUP_TOOLCHAIN",
            "https_proxy",
        ] {
            assert!(is_for_guests(OsStr::new(name)), "{name}");
        }
    }
}
