use std::fmt;

/// What is built for, beside this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// WebAssembly: the guests.
    Guests,
    /// Windows: the gateway itself, built on another system.
    Windows,
}

impl Target {
    /// The name that compiler and rustup know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guests => "wasm32-unknown-unknown",
            Self::Windows => "x86_64-pc-windows-gnu",
        }
    }

    /// What cargo is to build from the standard library's source, where the target is not installed.
    pub(crate) const fn standard_library(self) -> &'static str {
        match self {
            Self::Guests => "std,panic_abort",
            Self::Windows => "std,panic_unwind",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
