//! An output that keeps what it takes, and takes nothing while it is blocked.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};

/// In place of STDOUT. Clones are the same output.
#[derive(Clone, Default)]
pub(crate) struct Output {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    taken: Vec<u8>,
    is_blocked: bool,
    is_closed: bool,
}

impl Output {
    /// Takes nothing from now on: who writes waits.
    pub(crate) fn block(&self) {
        self.shared.0.lock().unwrap().is_blocked = true;
    }

    /// Takes everything again.
    pub(crate) fn unblock(&self) {
        self.shared.0.lock().unwrap().is_blocked = false;
        self.shared.1.notify_all();
    }

    /// Fails from now on.
    pub(crate) fn close(&self) {
        self.shared.0.lock().unwrap().is_closed = true;
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let state = self.shared.0.lock().unwrap();
        std::str::from_utf8(&state.taken).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (state, unblocked) = &*self.shared;
        let mut state = unblocked.wait_while(state.lock().unwrap(), |state| state.is_blocked).unwrap();
        if state.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
