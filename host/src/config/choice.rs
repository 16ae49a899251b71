//! Settings that are one of a few names.

/// A setting with a fixed set of names.
pub trait Choice: Copy + PartialEq + 'static {
    /// Each value with the name that stands in the configuration.
    const ALL: &'static [(&'static str, Self)];

    /// The value of that name.
    #[must_use]
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The name of the value.
    #[must_use]
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }

    /// All names, in the order in which they are told to the user.
    fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }
}

/// What happens to an event whose filter fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It goes on, as if the filter had passed it.
    Pass,
    /// It is dropped.
    Drop,
    /// The gateway ends.
    Stop,
}

impl Choice for OnError {
    const ALL: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("drop", Self::Drop), ("stop", Self::Stop)];
}

/// How Discord compresses what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One zstd stream for the connection.
    ZstdStream,
    /// One zlib stream for the connection.
    ZlibStream,
    /// Not at all.
    None,
}

impl Choice for Compression {
    const ALL: &'static [(&'static str, Self)] =
        &[("zstd-stream", Self::ZstdStream), ("zlib-stream", Self::ZlibStream), ("none", Self::None)];
}

/// How Discord's REST interface and gateway are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// With TLS.
    Https,
    /// In the clear: for a proxy or a simulator nearby.
    Http,
}

impl Choice for Scheme {
    const ALL: &'static [(&'static str, Self)] = &[("https", Self::Https), ("http", Self::Http)];
}

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerType {
    /// Standard output, with commands from standard input.
    Stdio,
    /// An AMQP 0-9-1 server.
    Amqp,
    /// Redis streams.
    Redis,
}

impl Choice for BrokerType {
    const ALL: &'static [(&'static str, Self)] =
        &[("stdio", Self::Stdio), ("amqp", Self::Amqp), ("redis", Self::Redis)];
}

/// What happens to a message that no queue of the AMQP server takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unroutable {
    /// It is dropped: nobody wants such events, or they would have a queue for them.
    #[default]
    Drop,
    /// It is kept as a dead letter.
    DeadLetter,
}

impl Choice for Unroutable {
    const ALL: &'static [(&'static str, Self)] = &[("drop", Self::Drop), ("dead-letter", Self::DeadLetter)];
}

/// How an event's payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes that Discord sent.
    Json,
    /// A MessagePack string that holds the bytes that Discord sent.
    Msgpack,
    /// A MessagePack map.
    MsgpackObject,
}

impl Choice for Encoding {
    const ALL: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("msgpack", Self::Msgpack), ("msgpack-object", Self::MsgpackObject)];
}

/// Where sessions are kept, so that a restarted gateway resumes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreType {
    /// In files on this machine.
    Local,
    /// Nowhere: they end with the process.
    Memory,
    /// In Redis.
    Redis,
}

impl Choice for StoreType {
    const ALL: &'static [(&'static str, Self)] =
        &[("local", Self::Local), ("memory", Self::Memory), ("redis", Self::Redis)];
}

/// What is logged. Each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Suppress,
    /// What needs a person.
    Error,
    /// What may need a person.
    Warn,
    /// The course of things.
    Info,
    /// What helps to find a fault.
    Debug,
}

impl Choice for LogLevel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("suppress", Self::Suppress),
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_name_reads_as_its_value<T: Choice + std::fmt::Debug>() {
        for (name, value) in T::ALL {
            assert_eq!(T::parse(name), Some(*value));
            assert_eq!(value.name(), *name);
        }
        assert_eq!(T::parse("no such name"), None);
    }

    #[test]
    fn names_and_values_agree() {
        every_name_reads_as_its_value::<OnError>();
        every_name_reads_as_its_value::<Compression>();
        every_name_reads_as_its_value::<Scheme>();
        every_name_reads_as_its_value::<BrokerType>();
        every_name_reads_as_its_value::<Unroutable>();
        every_name_reads_as_its_value::<Encoding>();
        every_name_reads_as_its_value::<StoreType>();
        every_name_reads_as_its_value::<LogLevel>();
        every_name_reads_as_its_value::<LogFormat>();
    }
}
