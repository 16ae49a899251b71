//! Where a command goes.

use std::collections::BTreeSet;

use gateway_protocol::{Sequence, ShardCount, ShardId};

use super::{GuildCommand, Packet, Refusal};
use crate::event::Event;

/// Knows which shards there are, and which of them run in this gateway.
#[derive(Debug, Clone)]
pub struct Router {
    count: ShardCount,
    own: BTreeSet<ShardId>,
}

/// Where a command goes.
#[derive(Debug)]
pub enum Route {
    /// To a shard of this gateway.
    Own(ShardId, Packet),
    /// Back to the broker, as an event that is named after its shard, for the gateway which runs that one.
    Republish(Event),
}

impl Router {
    /// `own` are the shards of this gateway.
    #[must_use]
    pub fn new(count: ShardCount, own: impl IntoIterator<Item = ShardId>) -> Self {
        Self { count, own: own.into_iter().collect() }
    }

    /// Routes a command for the shard of a guild; see [`GuildCommand::parse`].
    ///
    /// # Errors
    /// If it can never work.
    pub fn send(&self, body: &[u8]) -> Result<Route, Refusal> {
        let GuildCommand { guild_id, packet } = GuildCommand::parse(body)?;
        let shard = guild_id.map_or(ShardId(0), |guild_id| self.count.shard_of(guild_id));
        Ok(if self.own.contains(&shard) {
            Route::Own(shard, packet)
        } else {
            Route::Republish(as_event(shard, packet))
        })
    }

    /// Routes a command for one shard; see [`Packet::parse`].
    ///
    /// # Errors
    /// If it can never work, which it cannot if this gateway does not run the shard.
    pub fn packet(&self, shard: ShardId, body: &[u8]) -> Result<Route, Refusal> {
        if !self.own.contains(&shard) {
            return Err(Refusal::ForeignShard(shard));
        }
        Ok(Route::Own(shard, Packet::parse(body)?))
    }
}

fn as_event(shard: ShardId, packet: Packet) -> Event {
    Event::new(shard, Sequence(0), shard.0.to_string().into(), packet.text().to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = r#"{"op":8,"d":{"guild_id":"81384788765712384"}}"#;

    fn router(own: &[u32]) -> Router {
        Router::new(ShardCount::new(3).unwrap(), own.iter().copied().map(ShardId))
    }

    fn send(guild_id: &str) -> Vec<u8> {
        format!(r#"{{"guild_id":{guild_id},"packet":{PACKET}}}"#).into_bytes()
    }

    #[test]
    fn a_command_goes_to_its_guilds_shard() {
        for (guild_id, expected) in [("\"613425648685547541\"", 2), ("81384788765712384", 1), ("null", 0)] {
            let Ok(Route::Own(shard, packet)) = router(&[0, 1, 2]).send(&send(guild_id)) else { panic!("{guild_id}") };
            assert_eq!((shard, packet.text()), (ShardId(expected), PACKET));
        }
    }

    #[test]
    fn a_command_for_another_gateway_is_republished_under_its_shards_number_with_the_packet_alone() {
        let Ok(Route::Republish(event)) = router(&[0, 1]).send(&send("613425648685547541")) else { panic!() };
        assert_eq!((&*event.name, event.shard, event.sequence), ("2", ShardId(2), Sequence(0)));
        assert_eq!(event.payload, PACKET);
    }

    #[test]
    fn a_shards_own_command_is_never_republished() {
        let Ok(Route::Own(ShardId(1), _)) = router(&[1]).packet(ShardId(1), PACKET.as_bytes()) else { panic!() };
        for shard in [0, 3, u32::MAX] {
            let refusal = router(&[1]).packet(ShardId(shard), PACKET.as_bytes()).unwrap_err();
            assert_eq!(refusal.label(), "foreign_shard");
        }
    }
}
