//! What a connection has to do next: control payloads, faults, and the dispatches of its session, in order.

use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};
use tokio::{sync::Notify, time::Instant};

use crate::{
    fault::Raw,
    limits::Window,
    session::{Session, envelope},
};

/// Something for the writer of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A payload that isn't a dispatch.
    Payload(Vec<u8>),
    Raw(Raw),
    Pong(Bytes),
    /// The answer to the client's close frame.
    EchoClose(Option<u16>),
    /// A close frame; then the connection ends.
    Close {
        code: Option<u16>,
        reason: String,
        /// Whether the session can be resumed afterwards.
        keeps_session: bool,
    },
    /// A close frame and behind it the next dispatch, which comes too late.
    CloseThenDispatch {
        code: u16,
    },
    Reset,
    Drop,
    HalfOpen,
}

impl Action {
    /// A close whose code decides what becomes of the session.
    pub(crate) fn close(code: u16, reason: impl Into<String>) -> Self {
        let keeps_session = !matches!(code, 4003 | 4004 | 4006 | 4007 | 4009..=4014);
        Self::Close { code: Some(code), reason: reason.into(), keeps_session }
    }
}

/// A connection as the rest of the simulator sees it.
pub(crate) struct Outbox {
    pub(crate) shard: Option<u32>,
    /// The session that it serves.
    pub(crate) session: Option<String>,
    /// Whether the client wants large payloads compressed.
    pub(crate) compresses_payloads: bool,
    /// Whether it came through the resume URL.
    pub(crate) on_resume_url: bool,
    /// The last dispatch that was handed to the writer.
    pub(crate) written: u64,
    /// Dispatches up to this sequence are written twice.
    pub(crate) repeat_until: u64,
    pub(crate) repeated: bool,
    /// Whether no dispatch is written any more.
    pub(crate) is_deaf: bool,
    /// The last heartbeat, or the opening.
    pub(crate) beat: Instant,
    pub(crate) opened: Instant,
    /// The outbound limit of the connection.
    pub(crate) sends: Window,
    /// The limit of presence updates.
    pub(crate) presences: Window,
    /// Wakes the writer.
    pub(crate) work: Arc<Notify>,
    /// Wakes the clock.
    pub(crate) timers: Arc<Notify>,
    actions: VecDeque<(u64, Action)>,
    later: Vec<(Instant, Action)>,
}

impl Outbox {
    pub(crate) fn new(on_resume_url: bool, sends: Window, presences: Window, now: Instant) -> Self {
        Self {
            shard: None,
            session: None,
            compresses_payloads: false,
            on_resume_url,
            written: 0,
            repeat_until: 0,
            repeated: false,
            is_deaf: false,
            beat: now,
            opened: now,
            sends,
            presences,
            work: Arc::new(Notify::new()),
            timers: Arc::new(Notify::new()),
            actions: VecDeque::new(),
            later: Vec::new(),
        }
    }

    /// Adds an action behind the dispatch `after` and everything that was added before. `false` if the connection is
    /// so far behind that it takes no more.
    pub(crate) fn push(&mut self, after: u64, action: Action) -> bool {
        if self.actions.len() >= MAXIMUM_ACTIONS {
            return false;
        }
        self.actions.push_back((after, action));
        self.work.notify_one();
        true
    }

    /// Adds an action before everything that waits.
    pub(crate) fn push_now(&mut self, action: Action) {
        self.actions.push_front((0, action));
        self.work.notify_one();
    }

    /// Adds an action that is due at `at`.
    pub(crate) fn push_later(&mut self, at: Instant, action: Action) {
        if self.later.len() < MAXIMUM_ACTIONS {
            self.later.push((at, action));
            self.timers.notify_one();
        }
    }

    /// The next action, if no dispatch comes before it.
    pub(crate) fn pop(&mut self) -> Option<Action> {
        let due = self.actions.front().is_some_and(|(after, _)| *after <= self.written || self.is_deaf);
        due.then(|| self.actions.pop_front()).flatten().map(|(_, action)| action)
    }

    /// Writes no dispatch any more. Nothing else waits for one.
    pub(crate) fn withhold_dispatches(&mut self) {
        self.is_deaf = true;
        self.work.notify_one();
    }

    /// Puts every dispatch that a session still owes in front of the actions behind it, because the session ends.
    pub(crate) fn settle_with(&mut self, session: &Session) {
        let mut waiting = std::mem::take(&mut self.actions);
        while let Some(dispatch) = session.after(self.written) {
            while let Some((_, action)) = waiting.pop_front_if(|(after, _)| *after < dispatch.sequence) {
                self.actions.push_back((0, action));
            }
            self.actions.push_back((0, Action::Payload(envelope(dispatch))));
            self.written = dispatch.sequence;
        }
        self.actions.append(&mut waiting);
    }

    /// Forgets the order to dispatches, when the session that they belonged to is gone.
    pub(crate) fn detach(&mut self) {
        self.session = None;
        self.actions.iter_mut().for_each(|(after, _)| *after = 0);
        self.work.notify_one();
    }

    /// Moves what is due now to the writer, and says when the next is due.
    pub(crate) fn advance(&mut self, now: Instant, after: u64) -> Option<Instant> {
        self.later.sort_by_key(|(at, _)| *at);
        let due = self.later.partition_point(|(at, _)| *at <= now);
        let actions: Vec<_> = self.later.drain(..due).collect();
        for (_, action) in actions {
            self.push(after, action);
        }
        self.later.first().map(|(at, _)| *at)
    }
}

const MAXIMUM_ACTIONS: usize = 65_536;
