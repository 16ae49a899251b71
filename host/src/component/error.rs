//! What can go wrong with a component.

use std::time::Duration;

use thiserror::Error;

use super::GuestError;
use super::guest_log::printable;

/// Why a component cannot be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No bundled component has the name, and no file is there.
    #[error("component `{name}` is neither a bundled component ({bundled}) nor a file that can be read ({reason})")]
    NotFound {
        /// What the configuration says.
        name: String,
        /// The bundled names.
        bundled: String,
        /// What the system said about the file.
        reason: std::io::Error,
    },
    /// The file is not a WebAssembly component.
    #[error("component `{name}` is not a WebAssembly component{hint}: {reason}")]
    NotAComponent {
        /// Which one.
        name: String,
        /// What to do, when the file looks like something known.
        hint: &'static str,
        /// What the compiler said.
        reason: String,
    },
    /// It does not export what its role needs.
    #[error(
        "component `{name}` does not export `{export}`: it is not built for the world `{world}` of wit/worlds.wit{hint}"
    )]
    WrongWorld {
        /// Which one.
        name: String,
        /// The missing interface.
        export: &'static str,
        /// The world that its role needs.
        world: &'static str,
        /// What to do, when it is built for the other world.
        hint: &'static str,
    },
    /// It exports the interface of its role in another shape.
    #[error(
        "component `{name}` is built for another contract than the world `{world}` of this gateway: {reason}. Build it \
         anew with the files of wit/"
    )]
    OtherContract {
        /// Which one.
        name: String,
        /// The world of its role.
        world: &'static str,
        /// What differs.
        reason: String,
    },
    /// It imports what its role may not have, or what this gateway does not know.
    #[error(
        "component `{name}` imports what the world `{world}` does not grant: {reason}. Use a component that keeps to \
         wit/worlds.wit"
    )]
    Import {
        /// Which one.
        name: String,
        /// The world of its role.
        world: &'static str,
        /// What the linker said.
        reason: String,
    },
    /// Its first call failed.
    #[error("component `{name}` failed at its start: {reason}")]
    Start {
        /// Which one.
        name: String,
        /// What happened.
        reason: CallError,
    },
}

/// How a call of a component failed. After all but [`CallError::Refused`] the instance is gone.
#[derive(Debug, Error)]
pub enum CallError {
    /// It answered with an error of its own.
    #[error("{}", refusal(.0))]
    Refused(GuestError),
    /// It took too long.
    #[error("it took longer than the {} ms that a call may take (raise its `timeout`, or find what blocks it)", .0.as_millis())]
    Timeout(Duration),
    /// It wanted more memory than it may have.
    #[error("it wanted more than the {} MiB of memory that it may have (raise its `memory`, or find what grows)", .0 >> 20)]
    Memory(usize),
    /// It crashed.
    #[error("it crashed: {0}")]
    Trap(String),
    /// The host crashed on its behalf.
    #[error("the gateway crashed in this call, which is a fault of the gateway: {0}")]
    Panic(String),
    /// It did not answer as the contract says.
    #[error("it broke the contract: {0}")]
    Contract(String),
}

impl CallError {
    /// The value of the metric label `reason`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "error",
            Self::Timeout(_) => "timeout",
            Self::Memory(_) => "memory",
            Self::Trap(_) => "trap",
            Self::Panic(_) => "panic",
            Self::Contract(_) => "contract",
        }
    }

    /// Whether the instance is still usable.
    #[must_use]
    pub fn leaves_instance(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The guest's own words are for the log, like its lines.
fn refusal(error: &GuestError) -> String {
    match error {
        GuestError::InvalidConfiguration(text) | GuestError::Unavailable(text) | GuestError::Other(text) => {
            printable(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_refusal_is_one_short_line() {
        let error = CallError::Refused(GuestError::Other(format!("no\nERROR forged{}", "x".repeat(1 << 20))));
        let text = error.to_string();
        assert!(text.starts_with("no\\nERROR forged") && text.len() < 3000, "{text}");
    }
}
