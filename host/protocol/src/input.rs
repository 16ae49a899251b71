//! What happens to a shard.

use crate::command::Command;
use crate::envelope::Envelope;

/// Something that a shard's driver tells it. After [`Action::Disconnect`](crate::Action::Disconnect) nothing more must come
/// from the connection that it ended.
#[derive(Debug)]
pub enum Input<'a> {
    /// Begin to connect.
    Start,
    /// The WebSocket is open.
    Connected,
    /// It could not be opened: refused, TLS, an HTTP status, the driver's own timeout.
    ConnectFailed,
    /// A payload came in.
    Received(&'a Envelope<'a>),
    /// Something came in that could not be read (inflate, JSON, size): what the stream holds from here on is unknown.
    Undecodable,
    /// The connection ended, with the close frame's code, or without one.
    Closed(Option<u16>),
    /// The permit that [`Action::RequestIdentify`](crate::Action::RequestIdentify) asked for.
    IdentifyGranted,
    /// Something to send; see [`Shard::wants_command`](crate::Shard::wants_command).
    Command(Command),
    /// A command of [`Action::Send`](crate::Action::Send) that a lost connection did not take: it is the next to be sent.
    Unsent(Command),
    /// Nothing is read from the socket for now. Heartbeats go on, but a missing answer is nobody's fault. When it takes long, or
    /// the connection ends meanwhile, there is none until [`Self::ReadingResumed`].
    ReadingPaused,
    /// The socket is read again.
    ReadingResumed,
    /// How many events all other shards of the process have heard so far, by their [`Action::Heard`](crate::Action::Heard); `None` if
    /// there are no others.
    SiblingsHeard(Option<u64>),
    /// [`Shard::poll_timeout`](crate::Shard::poll_timeout) has passed.
    Timeout,
    /// End, and keep the session so that a later run can resume it.
    Stop,
}
