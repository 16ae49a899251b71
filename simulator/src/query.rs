//! The query of a gateway URL.

use crate::{compression::Compression, options::UnknownQuery};

/// What a connection asked for.
pub(crate) struct Query {
    pub(crate) compression: Compression,
}

/// Why a query is refused.
pub(crate) enum Refused {
    Version,
    Unknown,
}

impl Refused {
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Version => 4012,
            Self::Unknown => 4002,
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Version => "Invalid API version. Use v=10.",
            Self::Unknown => {
                "Unknown encoding or compress. Use encoding=json, and compress=zlib-stream or zstd-stream."
            }
        }
    }
}

impl Query {
    pub(crate) fn parse(query: &str, unknown: UnknownQuery) -> Result<Self, Refused> {
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        // A URL without a version is served as the default, version 6.
        if value("v").is_some_and(|version| !matches!(version, "6" | "7" | "8" | "9" | "10")) {
            return Err(Refused::Version);
        }
        let known = matches!(value("encoding"), None | Some("json"));
        let compression = match value("compress") {
            None | Some("" | "none" | "false") => Some(Compression::None),
            Some("zlib-stream") => Some(Compression::Zlib),
            Some("zstd-stream") => Some(Compression::Zstd),
            Some(_) => None,
        };
        match (compression, unknown) {
            (Some(compression), _) if known => Ok(Self { compression }),
            (_, UnknownQuery::Close) => Err(Refused::Unknown),
            (compression, UnknownQuery::Ignore) => Ok(Self { compression: compression.unwrap_or(Compression::None) }),
        }
    }
}
