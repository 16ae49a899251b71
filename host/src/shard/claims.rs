//! Commands in a shard's hands: each is done when it has been written to the socket.

use std::collections::{HashMap, VecDeque};

use gateway_protocol::Command;

use crate::capability::{Claim, Outcome};
use crate::command::ClaimedPacket;

/// The claims of commands that the machine or the socket has.
#[derive(Debug, Default)]
pub(super) struct Claims {
    last_token: u64,
    waiting: HashMap<u64, Claim>,
    /// In the socket's buffer, oldest first.
    queued: VecDeque<Command>,
}

impl Claims {
    /// Keeps the claim, and gives the command a token of its own.
    pub(super) fn keep(&mut self, ClaimedPacket { packet, claim }: ClaimedPacket) -> Command {
        self.last_token += 1;
        self.waiting.insert(self.last_token, claim);
        packet.into_command(self.last_token)
    }

    /// The socket has the command in its buffer.
    pub(super) fn queued(&mut self, token: u64, opcode: u64, text: &str) {
        self.queued.push_back(Command::restored(token, opcode, text.to_owned()));
    }

    /// The socket has written all that it had in its buffer. Answers how many commands that was.
    pub(super) fn written(&mut self) -> usize {
        let written = self.queued.drain(..).filter_map(|command| self.waiting.remove(&command.token()));
        written.map(|claim| claim.finish(Outcome::Done)).count()
    }

    /// The socket is gone, and with it what it had in its buffer. Newest first.
    pub(super) fn unwritten(&mut self) -> impl Iterator<Item = Command> + use<> {
        std::mem::take(&mut self.queued).into_iter().rev()
    }

    /// Nothing is known any more of what became of them. Answers how many they are.
    pub(super) fn give_all_back(&mut self) -> usize {
        self.queued.clear();
        self.waiting.drain().count()
    }

    /// The machine will not send the command: the broker may give it to somebody else.
    pub(super) fn give_back(&mut self, token: u64) {
        self.waiting.remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::command::Packet;

    fn packet(outcomes: &mpsc::SyncSender<Outcome>) -> ClaimedPacket {
        let outcomes = outcomes.clone();
        let claim = Claim::new(move |outcome| outcomes.send(outcome).unwrap());
        ClaimedPacket { packet: Packet::parse(br#"{"op":3,"d":null}"#).unwrap(), claim }
    }

    #[test]
    fn a_command_is_done_when_it_is_written_and_not_before() {
        let (sender, outcomes) = mpsc::sync_channel(16);
        let mut claims = Claims::default();
        let command = claims.keep(packet(&sender));
        claims.queued(command.token(), command.opcode(), command.text());
        assert!(outcomes.try_recv().is_err());
        assert_eq!(claims.written(), 1);
        assert_eq!(outcomes.try_recv(), Ok(Outcome::Done));
        assert_eq!(claims.written(), 0);
    }

    #[test]
    fn what_a_lost_socket_had_in_its_buffer_comes_back_newest_first_and_keeps_its_claim() {
        let (sender, outcomes) = mpsc::sync_channel(16);
        let mut claims = Claims::default();
        let commands = [claims.keep(packet(&sender)), claims.keep(packet(&sender))];
        for command in &commands {
            claims.queued(command.token(), command.opcode(), command.text());
        }
        let back: Vec<_> = claims.unwritten().collect();
        assert_eq!(back, [commands[1].clone(), commands[0].clone()]);
        assert!(outcomes.try_recv().is_err());
        claims.give_back(commands[0].token());
        assert_eq!(outcomes.try_recv(), Ok(Outcome::Returned));
        assert_eq!((claims.give_all_back(), claims.give_all_back()), (1, 0));
        assert_eq!(outcomes.try_recv(), Ok(Outcome::Returned));
    }
}
