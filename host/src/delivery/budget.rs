//! How many bytes of events may be on their way at a time: for each shard, and for the whole process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What a part takes from the whole at a time, in bytes, so that lanes on different processors do not meet there for every event.
const LEASE: usize = 64 << 10;

/// A number of bytes that are lent and given back. Nothing waits as long as there is room. A part has one shard that reserves.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    freed: Notify,
    /// The process's budget, of which a shard's is a part.
    whole: Option<Lease>,
}

#[derive(Debug)]
struct Lease {
    whole: Arc<Budget>,
    /// What the part has taken from the whole: at least what it uses.
    taken: AtomicUsize,
}

impl Budget {
    /// The budget of the process.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), freed: Notify::new(), whole: None })
    }

    /// A shard's budget inside the process's.
    #[must_use]
    pub fn part(self: &Arc<Self>, limit: usize) -> Arc<Self> {
        let lease = Lease { whole: Arc::clone(self), taken: AtomicUsize::new(0) };
        Arc::new(Self { limit, used: AtomicUsize::new(0), freed: Notify::new(), whole: Some(lease) })
    }

    /// Takes bytes if there is room. An unused budget always has room: an event larger than the limit goes alone.
    #[must_use]
    pub fn try_reserve(&self, bytes: usize) -> bool {
        let fits =
            |used: usize| (used == 0 || used.saturating_add(bytes) <= self.limit).then(|| used.saturating_add(bytes));
        let Ok(before) = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) else { return false };
        if self.whole.as_ref().is_none_or(|lease| lease.cover(before.saturating_add(bytes))) {
            return true;
        }
        // Nobody is told: the only one who waits at a part is its shard, which would wake itself for ever.
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        false
    }

    /// Takes bytes, and waits for room. Dropping the future takes nothing.
    pub async fn reserve(&self, bytes: usize) {
        loop {
            // Listening begins before the check, so that what is given back in between is not missed.
            let own = self.freed.notified();
            let whole = self.whole.as_ref().map(|lease| lease.whole.freed.notified());
            tokio::pin!(own);
            own.as_mut().enable();
            match whole {
                None if self.try_reserve(bytes) => return,
                None => own.await,
                Some(whole) => {
                    tokio::pin!(whole);
                    whole.as_mut().enable();
                    if self.try_reserve(bytes) {
                        return;
                    }
                    tokio::select! { () = own => {}, () = whole => {} }
                }
            }
        }
    }

    /// Gives bytes back.
    pub fn release(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes, Ordering::AcqRel).saturating_sub(bytes);
        if let Some(lease) = &self.whole {
            lease.shrink(used);
        }
        self.freed.notify_waiters();
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

impl Lease {
    /// Takes what is missing for `used` bytes, and more if there is room. False if the whole has none.
    fn cover(&self, used: usize) -> bool {
        let missing = used.saturating_sub(self.taken.load(Ordering::Acquire));
        if missing == 0 {
            return true;
        }
        let more = [missing.max(self.size()), missing].into_iter().find(|more| self.whole.try_reserve(*more));
        if let Some(more) = more {
            self.taken.fetch_add(more, Ordering::AcqRel);
        }
        more.is_some()
    }

    /// A small whole is shared out in small pieces.
    fn size(&self) -> usize {
        LEASE.min(self.whole.limit / 16)
    }

    /// Gives back what is not needed for `used` bytes: all of it when nothing is used.
    fn shrink(&self, used: usize) {
        let lease = self.size();
        let kept = |taken: usize| match used {
            0 => 0,
            _ if taken > used.saturating_add(2 * lease) => used + lease,
            _ => taken,
        };
        let shrinking = |taken: usize| (kept(taken) < taken).then(|| kept(taken));
        if let Ok(before) = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, shrinking) {
            self.whole.release(before - kept(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_part_or_a_full_whole_refuses() {
        let whole = Budget::new(100);
        let (one, two) = (whole.part(80), whole.part(80));
        assert!(one.try_reserve(80));
        assert!(!one.try_reserve(1), "the part is full");
        assert!(!two.try_reserve(21), "the whole is full");
        assert_eq!(two.used(), 0, "a refusal takes nothing");
        assert!(two.try_reserve(20));
        one.release(80);
        assert!(two.try_reserve(60));
        assert_eq!(whole.used(), 80);
        two.release(80);
        assert_eq!(whole.used(), 0);
    }

    #[test]
    fn an_event_larger_than_the_limit_goes_alone() {
        let whole = Budget::new(10);
        let part = whole.part(10);
        assert!(part.try_reserve(1000));
        assert!(!part.try_reserve(1));
        part.release(1000);
        assert!(part.try_reserve(1));
        assert!(!part.try_reserve(1000));
    }

    #[test]
    fn a_part_takes_from_the_whole_in_larger_pieces_and_gives_all_of_them_back() {
        let whole = Budget::new(1 << 20);
        let part = whole.part(1 << 20);
        assert!(part.try_reserve(10) && part.try_reserve(10));
        assert_eq!((part.used(), whole.used()), (20, LEASE));
        assert!(part.try_reserve(8 * LEASE));
        part.release(8 * LEASE);
        assert_eq!((part.used(), whole.used()), (20, LEASE + 20), "what is far too much goes back");
        part.release(20);
        assert_eq!((part.used(), whole.used()), (0, 0));
    }

    #[tokio::test]
    async fn waiting_ends_when_another_part_gives_back() {
        let whole = Budget::new(10);
        let (one, two) = (whole.part(10), whole.part(10));
        assert!(one.try_reserve(10));
        let waiting = two.reserve(5);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            () = &mut waiting => panic!("there is no room"),
            () = tokio::task::yield_now() => {}
        }
        one.release(10);
        waiting.await;
        assert_eq!((two.used(), whole.used()), (5, 5));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve { part: usize, bytes: usize },
        Release { part: usize, index: prop::sample::Index },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = prop_oneof![8 => 1..100_usize, 1 => 100..5000_usize];
        let step = prop_oneof![
            (0..PARTS, bytes).prop_map(|(part, bytes)| Step::Reserve { part, bytes }),
            (0..PARTS, any::<prop::sample::Index>()).prop_map(|(part, index)| Step::Release { part, index }),
        ];
        prop::collection::vec(step, 0..200)
    }

    const PARTS: usize = 3;

    proptest! {
        #[test]
        fn no_limit_is_passed_but_by_an_event_that_is_alone_and_everything_comes_back(
            limit in 1..2000_usize, part_limit in 1..1000_usize, steps in steps(),
        ) {
            let whole = Budget::new(limit);
            let parts: [Arc<Budget>; PARTS] = std::array::from_fn(|_| whole.part(part_limit));
            let mut held: [Vec<usize>; PARTS] = Default::default();
            // What each part may keep of the whole beside what it uses.
            let kept = 2 * LEASE.min(limit / 16);
            for step in steps {
                match step {
                    Step::Reserve { part, bytes } => {
                        let (own, all) = (parts[part].used(), held.iter().flatten().sum::<usize>());
                        if parts[part].try_reserve(bytes) {
                            held[part].push(bytes);
                        } else {
                            let has_room = own == 0 || own + bytes <= part_limit;
                            let has_whole = all == 0 || all + bytes + PARTS * kept <= limit;
                            prop_assert!(!(has_room && has_whole), "refused without need");
                        }
                    }
                    Step::Release { part, index } if !held[part].is_empty() => {
                        let place = index.index(held[part].len());
                        parts[part].release(held[part].swap_remove(place));
                    }
                    Step::Release { .. } => {}
                }
                for (part, held) in parts.iter().zip(&held) {
                    prop_assert_eq!(part.used(), held.iter().sum::<usize>());
                    prop_assert!(part.used() <= part_limit || held.len() == 1);
                }
                let all = held.iter().flatten().sum::<usize>();
                prop_assert!(all <= whole.used());
                prop_assert!(whole.used() <= limit || held.iter().flatten().count() == 1);
            }
            for (part, held) in parts.iter().zip(held) {
                held.into_iter().for_each(|bytes| part.release(bytes));
            }
            prop_assert_eq!(whole.used(), 0);
        }
    }

    #[test]
    fn parts_on_different_threads_never_pass_the_whole_and_give_everything_back() {
        let whole = Budget::new(1000);
        std::thread::scope(|threads| {
            for seed in 0..4 {
                let (whole, part) = (Arc::clone(&whole), whole.part(600));
                threads.spawn(move || {
                    let (mut random, mut held) = (fastrand::Rng::with_seed(seed), Vec::new());
                    for _ in 0..20_000 {
                        let bytes = random.usize(1..100);
                        if random.bool() && part.try_reserve(bytes) {
                            held.push(bytes);
                        } else if let Some(bytes) = held.pop() {
                            part.release(bytes);
                        }
                        assert!(whole.used() <= 1000 && part.used() <= 600);
                    }
                    held.into_iter().for_each(|bytes| part.release(bytes));
                });
            }
        });
        assert_eq!(whole.used(), 0);
    }
}
