//! Many shards of one bot, with one identify limiter, through good days and bad ones.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod peer;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use gateway_protocol::{Action, IdentifyLimiter, Input, Phase, Reserve, SessionStartLimit, ShardId};
use peer::{Peer, seconds};

/// What the server does with a shard.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Server {
    Works,
    RefusesConnections,
    NeverSaysHello,
    CallsIdentifiesInvalid,
    DropsAfterIdentify,
    NeverSaysReady,
    InvalidatesNewSessions,
    /// Closes right after READY, and answers nothing but a closed socket to a resume.
    DropsActiveShards,
}

struct Fleet {
    limiter: IdentifyLimiter,
    peers: Vec<Peer>,
    server: Server,
    identifies: Vec<(Instant, u32)>,
}

impl Fleet {
    fn new(server: Server, shards: u32, max_concurrency: u32) -> Self {
        let peers: Vec<_> = (0..shards).map(|shard| Peer::start_seeded(None, u64::from(shard))).collect();
        let now = peers.iter().map(|peer| peer.now).max().unwrap_or_else(Instant::now);
        let limit = SessionStartLimit {
            total: u32::MAX,
            remaining: u32::MAX,
            reset_after: Duration::from_secs(86_400),
            max_concurrency: NonZeroU32::new(max_concurrency).unwrap_or(NonZeroU32::MIN),
        };
        let mut fleet =
            Self { limiter: IdentifyLimiter::new(limit, Reserve::NONE, now), peers, server, identifies: Vec::new() };
        for shard in 0..fleet.peers.len() {
            fleet.peers[shard].now = now;
            fleet.react(shard);
        }
        fleet
    }

    fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        loop {
            let limiter = self.limiter.poll_timeout().map(|at| (at, None));
            let shards = self.peers.iter().enumerate();
            let shards = shards.filter_map(|(shard, peer)| Some((peer.shard.poll_timeout()?, Some(shard))));
            let next = shards.chain(limiter).min().filter(|(at, _)| *at <= end);
            let now = next.map_or(end, |(at, _)| at.max(self.now()));
            self.peers.iter_mut().for_each(|peer| peer.now = now);
            match next {
                Some((_, Some(shard))) => {
                    self.peers[shard].step();
                    self.react(shard);
                }
                Some((_, None)) => self.grant(),
                None => return,
            }
        }
    }

    fn now(&self) -> Instant {
        self.peers[0].now
    }

    fn grant(&mut self) {
        let now = self.now();
        while let Some(shard) = self.limiter.poll_granted(now) {
            self.identifies.push((now, shard.0));
            let shard = shard.0 as usize;
            self.peers[shard].input(Input::IdentifyGranted);
            self.react(shard);
        }
    }

    /// Does what driver and server do until the shard waits for time to pass.
    fn react(&mut self, shard: usize) {
        let server = self.server;
        loop {
            let peer = &mut self.peers[shard];
            for (_, action) in peer.log.drain(..) {
                match action {
                    Action::RequestIdentify(_) => self.limiter.request(ShardId(shard as u32), peer.now),
                    Action::CancelIdentify => self.limiter.cancel(ShardId(shard as u32)),
                    _ => {}
                }
            }
            match (peer.shard.phase(), server) {
                (Phase::Connecting, Server::RefusesConnections) => peer.input(Input::ConnectFailed),
                (Phase::Connecting, _) => peer.input(Input::Connected),
                (Phase::AwaitingHello, Server::NeverSaysHello) => return,
                (Phase::AwaitingHello, _) => peer.hello(),
                (Phase::Identifying, Server::CallsIdentifiesInvalid) => peer.invalid_session(false),
                (Phase::Identifying | Phase::Resuming, Server::DropsAfterIdentify) => peer.input(Input::Closed(None)),
                (Phase::Resuming, Server::DropsActiveShards) => peer.input(Input::Closed(None)),
                (Phase::Identifying, Server::NeverSaysReady) => return,
                (Phase::Identifying, _) => peer.ready(1),
                (Phase::Resuming, _) => peer.invalid_session(false),
                (Phase::Active, Server::InvalidatesNewSessions) => peer.invalid_session(false),
                (Phase::Active, Server::DropsActiveShards) => peer.close(4000),
                (Phase::Active | Phase::AwaitingPermit, _) => {
                    peer.acknowledge();
                    return;
                }
                _ => return,
            };
        }
    }
}

/// Conformance case 6.
#[test]
fn thirty_two_shards_start_in_two_waves() {
    let mut fleet = Fleet::new(Server::Works, 32, 16);
    fleet.run(seconds(60.0));
    assert_eq!(fleet.identifies.iter().map(|(_, shard)| *shard).collect::<Vec<_>>(), (0..32).collect::<Vec<_>>());
    let (first, second) = fleet.identifies.split_at(16);
    assert!(second[0].0 - first[15].0 >= seconds(5.0));
    assert!(second[0].0 - first[15].0 <= seconds(6.0));
    assert!(fleet.peers.iter().all(|peer| peer.shard.phase() == Phase::Active));
}

/// Conformance case 25.
#[test]
fn a_day_of_outage_costs_fewer_than_a_thousand_identifies() {
    let servers = [
        Server::RefusesConnections,
        Server::NeverSaysHello,
        Server::CallsIdentifiesInvalid,
        Server::DropsAfterIdentify,
        Server::NeverSaysReady,
        Server::InvalidatesNewSessions,
        Server::DropsActiveShards,
    ];
    for server in servers {
        let mut fleet = Fleet::new(server, 8, 1);
        fleet.run(Duration::from_secs(86_400));
        let identifies = fleet.identifies.len();
        assert!(identifies < 8 * 110, "{identifies} for {server:?}");
        let expects_some = !matches!(server, Server::RefusesConnections | Server::NeverSaysHello);
        assert_eq!(identifies >= 8, expects_some, "{identifies} for {server:?}");
        assert!(fleet.identifies.windows(2).all(|pair| pair[1].0 - pair[0].0 >= seconds(5.0)));
    }
}

#[test]
fn sessions_of_ten_minutes_cost_one_identify_each() {
    let mut fleet = Fleet::new(Server::Works, 1, 1);
    for _ in 0..144 {
        fleet.run(Duration::from_secs(615));
        fleet.peers[0].invalid_session(false);
        fleet.react(0);
    }
    assert_eq!(fleet.identifies.len(), 144);
}

#[test]
fn after_an_outage_the_shards_come_back() {
    let mut fleet = Fleet::new(Server::RefusesConnections, 8, 16);
    fleet.run(Duration::from_secs(3600));
    fleet.server = Server::Works;
    fleet.run(seconds(61.0));
    assert!(fleet.peers.iter().all(|peer| peer.shard.phase() == Phase::Active));
}
