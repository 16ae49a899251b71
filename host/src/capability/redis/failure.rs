//! What an error reply to a command means for it.

/// What becomes of a command that the server has not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent again, as often as it takes. The operator may have to do something.
    Wait {
        /// What.
        advice: &'static str,
    },
    /// It is sent a few times more. Then it will never work.
    Doubt,
}

/// Judges an error reply.
pub(super) fn judge(error: &str) -> Verdict {
    let advice = match code(error) {
        "OOM" => {
            "it has no memory left: raise its maxmemory, let consumers trim streams, or lower the adapter's trim age"
        }
        "READONLY" => "it is a read-only replica: set redis.urls to the primary",
        "MISCONF" => "it cannot write its snapshots to disk and takes no writes: mend its disk",
        "NOREPLICAS" => "too few of its replicas are in touch: bring them back, or lower its min-replicas-to-write",
        "LOADING" => "it is loading its data: this passes",
        "MASTERDOWN" => "it has lost its primary: set redis.urls to the primary",
        "CLUSTERDOWN" => "nobody serves a part of the cluster's slots: bring back its nodes",
        "TRYAGAIN" | "MOVED" | "ASK" => {
            "slots of the cluster are on the move; if this lasts, give several nodes in redis.urls"
        }
        "BUSY" => "a script keeps it busy: see SCRIPT KILL",
        "NOPERM" => "the user lacks a permission: allow it the command and the key with ACL SETUSER",
        "NOAUTH" | "WRONGPASS" => "it wants other credentials: set the right user and password in redis.urls",
        "WRONGTYPE" => "the key holds something other than a stream: delete or rename it",
        "ERR" if error.contains("stream ID") => {
            "Redis before 6.2 cannot trim by age: update it, or let the adapter trim otherwise"
        }
        _ => return Verdict::Doubt,
    };
    Verdict::Wait { advice }
}

/// The first word of an error, which says its kind.
fn code(error: &str) -> &str {
    error.split_ascii_whitespace().next().unwrap_or_default()
}

/// How often a command is sent that will probably never work.
pub(super) const TRIES: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_or_can_be_mended_is_waited_for() {
        for error in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "READONLY You can't write against a read only replica.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Invalid stream ID specified as stream command argument",
        ] {
            assert!(matches!(judge(error), Verdict::Wait { .. }), "{error}");
        }
        for error in ["ERR syntax error", "ERR Protocol error: invalid bulk length", "CROSSSLOT Keys", ""] {
            assert_eq!(judge(error), Verdict::Doubt, "{error}");
        }
    }
}
