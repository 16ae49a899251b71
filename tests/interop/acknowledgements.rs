//! A command is acknowledged when it has been written to Discord, and not before.

use gateway_simulator::{FaultKind, Happening};

use crate::support::{Inlet, commands_come, discord, happens, is_command, numbers, packet, ready, send};

/// More than Discord's limit lets a connection send in a minute.
const COMMANDS: u64 = 200;

#[tokio::test]
async fn commands_that_were_not_written_outlive_a_kill_and_written_ones_do_not_come_again() {
    for inlet in Inlet::both().await {
        let simulator = discord(1).await;
        let control = simulator.control();
        // What a gateway that is gone held is claimed from Redis after that time.
        let setup = inlet.gateway(&simulator).variable("BROKER_MESSAGE_TIMEOUT", "1s");
        let mut gateway = setup.start();
        ready(&control, 1).await;
        let mut client = inlet.client().await;
        for number in 0..COMMANDS {
            client.publish("SEND", send(number)).await;
        }
        // The limit keeps back the rest.
        let is_payload = |happening: &Happening| {
            matches!(happening, Happening::Identify { .. } | Happening::Heartbeat { .. }) || is_command(happening)
        };
        happens(&control, 116, is_payload).await;
        let written = numbers(&control).len();
        inlet.settles("SEND", COMMANDS - u64::try_from(written).unwrap()).await;
        gateway.signal("KILL").await;
        gateway.ended().await;

        let gateway = setup.start();
        commands_come(&control, usize::try_from(COMMANDS).unwrap()).await;
        inlet.settles("SEND", 0).await;
        let mut came = numbers(&control);
        assert_eq!(came[..written], (0..u64::try_from(written).unwrap()).collect::<Vec<_>>());
        came.sort_unstable();
        assert_eq!(came, (0..COMMANDS).collect::<Vec<_>>());
        drop(gateway);
    }
}

#[tokio::test]
async fn a_drain_leaves_what_it_has_not_written_to_the_next_gateway() {
    for inlet in Inlet::both().await {
        let simulator = discord(1).await;
        let control = simulator.control();
        let setup = inlet.gateway(&simulator).variable("BROKER_MESSAGE_TIMEOUT", "1s");
        let mut gateway = setup.start();
        ready(&control, 1).await;
        let mut client = inlet.client().await;
        for number in 0..COMMANDS {
            client.publish("SEND", send(number)).await;
        }
        commands_come(&control, 100).await;
        gateway.drain().await;
        let gateway = setup.start();
        commands_come(&control, usize::try_from(COMMANDS).unwrap()).await;
        inlet.settles("SEND", 0).await;
        let mut came = numbers(&control);
        came.sort_unstable();
        assert_eq!(came, (0..COMMANDS).collect::<Vec<_>>());
        drop(gateway);
    }
}

#[tokio::test]
async fn commands_wait_at_the_server_while_their_shard_is_not_ready() {
    for inlet in Inlet::both().await {
        let simulator = discord(1).await;
        let control = simulator.control();
        let setup = inlet.gateway(&simulator);
        let mut gateway = setup.start();
        ready(&control, 1).await;
        let mut client = inlet.client().await;
        control.fault(FaultKind::Reconnect);
        gateway.logged("connecting anew").await;
        for number in 0..5 {
            client.publish("0", packet(number)).await;
        }
        commands_come(&control, 5).await;
        assert_eq!(numbers(&control), [0, 1, 2, 3, 4]);
        inlet.settles("0", 0).await;
        gateway.drain().await;
    }
}
