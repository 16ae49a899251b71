//! Redis Cluster.

use super::free_port;
use super::redis::{Redis, RedisOptions};

/// A running cluster, without replicas.
pub struct RedisCluster {
    /// Its nodes. Each can be stopped and restarted by itself.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts one of that many nodes, among which the slots are divided evenly, and waits until it serves all of them.
    pub async fn start(nodes: u16) -> Self {
        let mut cluster = Self { nodes: Vec::new() };
        let mut bus_ports = Vec::new();
        for index in 0..nodes {
            let bus_port = free_port().to_string();
            let settings = [("cluster-enabled", "yes"), ("cluster-port", &bus_port)];
            let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let node = Redis::start(RedisOptions { settings, ..RedisOptions::default() }).await;
            let slot = |index: u16| u32::from(index) * SLOTS / u32::from(nodes);
            let (first, last) = (slot(index).to_string(), (slot(index + 1) - 1).to_string());
            let () = node.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            // Nodes of the same epoch would have to settle first who has which.
            let () = node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await;
            cluster.nodes.push(node);
            bus_ports.push(bus_port);
        }
        for (node, bus_port) in cluster.nodes.iter().zip(&bus_ports).skip(1) {
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), bus_port];
            let () = cluster.nodes[0].command(&meet).await;
        }
        for node in &cluster.nodes {
            node.says("Cluster state changed: ok").await;
        }
        cluster
    }

    /// The URLs of all nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The index of the node that serves a key.
    pub async fn owner(&self, key: &str) -> usize {
        let slot: u32 = self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]).await;
        for (index, node) in self.nodes.iter().enumerate() {
            let nodes: String = node.command(&["CLUSTER", "NODES"]).await;
            let slots = own_slots(&nodes);
            if slots.iter().any(|(first, last)| (*first..=*last).contains(&slot)) {
                return index;
            }
        }
        panic!("no node serves slot {slot}")
    }

    /// Moves the slot of a key, with all that is in it, to another node.
    pub async fn move_slot(&self, key: &str, to: usize) {
        let slot: u32 = self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]).await;
        let slot = slot.to_string();
        let (source, target) = (&self.nodes[self.owner(key).await], &self.nodes[to]);
        let source_id: String = source.command(&["CLUSTER", "MYID"]).await;
        let target_id: String = target.command(&["CLUSTER", "MYID"]).await;
        let () = target.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]).await;
        let () = source.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]).await;
        let port = target.port().to_string();
        loop {
            let keys: Vec<String> = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            let () = source.command(&migrate).await;
        }
        let () = target.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        for node in &self.nodes {
            let () = node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        }
    }
}

/// The ranges of slots that a node names as its own in the answer to `CLUSTER NODES`.
fn own_slots(nodes: &str) -> Vec<(u32, u32)> {
    let own = nodes.lines().find(|line| line.contains("myself")).expect("a node knows itself");
    // Slots on their way are in brackets.
    let slots = own.split_whitespace().skip(8).filter(|slots| !slots.starts_with('['));
    let range = |slots: &str| {
        let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
        (first.parse().unwrap(), last.parse().unwrap())
    };
    slots.map(range).collect()
}

/// How many slots every cluster has.
const SLOTS: u32 = 16_384;
