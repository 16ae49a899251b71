//! The clock of a connection: heartbeat supervision, the wait for Identify, and actions that were put off.

use tokio::{
    select,
    time::{Instant, sleep_until},
};

use crate::{connection::End, outbox::Action, state::Shared};

/// Runs until the connection is gone.
pub(crate) async fn watch(shared: &Shared, id: u64) -> End {
    let Some(timers) = shared.state().connections.get(&id).map(|outbox| outbox.timers.clone()) else {
        return End::Dropped;
    };
    loop {
        let Some(next) = tick(shared, id) else { return std::future::pending().await };
        select! {
            () = sleep_until(next) => {}
            () = timers.notified() => {}
        }
    }
}

/// Does what is due and says when to look again; `None` once the connection is being closed.
fn tick(shared: &Shared, id: u64) -> Option<Instant> {
    let now = Instant::now();
    let limits = &shared.options.limits;
    let mut state = shared.state();
    let last = state.session_of(id).map_or(0, |(_, session)| session.sequence);
    let outbox = state.connections.get_mut(&id)?;
    let due = outbox.advance(now, last);
    let beat = outbox.beat + shared.options.hello_interval.mul_f64(limits.heartbeat_tolerance.max(0.0));
    if beat <= now {
        let (code, reason) = (Some(shared.options.knobs.heartbeat_close), "No heartbeat came in time.".to_owned());
        outbox.push_now(Action::Close { code, reason, keeps_session: true });
        return None;
    }
    let identify = limits.identify_timeout.filter(|_| outbox.session.is_none()).map(|limit| outbox.opened + limit);
    if identify.is_some_and(|at| at <= now) {
        outbox.push_now(Action::close(4003, "No identify came in time."));
        return None;
    }
    [Some(beat), identify, due].into_iter().flatten().min()
}
