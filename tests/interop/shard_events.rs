//! Several gateways share the shards of one bot.

use gateway_tests::{Brokers, Script};
use serde_json::{Value, json};

use crate::support::{Inlet, commands, commands_come, discord, figure, on_redis, packet, ready, redis, send_to};

#[tokio::test]
async fn each_shard_gets_its_commands_whichever_gateway_takes_them() {
    const COMMANDS: u64 = 20;
    for inlet in Inlet::both().await {
        let simulator = discord(2).await;
        let control = simulator.control();
        // Servers that give each gateway a SEND in turn shall not happen to give it its own.
        let shard_of = |number: u64| number / 2 % 2;
        let setup =
            |id: &str| inlet.gateway(&simulator).variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", id);
        let mut gateways = [setup("0").start(), setup("1").start()];
        ready(&control, 2).await;
        let mut client = match &inlet {
            Inlet::Amqp(host) => Script::spectacles_amqp(Brokers::V0_8, &host.address(), "gateway", None).await,
            Inlet::Redis(redis) => Script::spectacles_redis(&redis.url(), "bot").await,
        };
        for number in 0..COMMANDS {
            // By the shard's own number, which both gateways would understand and one of them gets.
            client.publish(&shard_of(number).to_string(), packet(number)).await;
        }
        for number in COMMANDS..3 * COMMANDS {
            client.publish("SEND", send_to(shard_of(number), 2, number)).await;
        }
        commands_come(&control, usize::try_from(3 * COMMANDS).unwrap()).await;
        let mut came: Vec<(u64, u64)> = commands(&control)
            .into_iter()
            .map(|(shard, data)| (data["since"].as_u64().unwrap(), shard.into()))
            .collect();
        came.sort_unstable();
        let expected: Vec<(u64, u64)> = (0..3 * COMMANDS).map(|number| (number, shard_of(number))).collect();
        assert_eq!(came, expected);
        let mut republished = 0.0;
        for gateway in &mut gateways {
            republished += figure(gateway, "gateway_commands_republished_total").await;
        }
        // Which gateway takes a SEND is up to the server.
        assert!(republished >= 1.0, "{republished}");
        for event in ["SEND", "0", "1"] {
            inlet.settles(event, 0).await;
        }
    }
}

#[tokio::test]
async fn a_command_that_is_given_to_another_gateway_keeps_its_bytes() {
    let [inlet, _] = Inlet::both().await;
    let Inlet::Amqp(host) = &inlet else { panic!("the first is AMQP") };
    let simulator = discord(2).await;
    let control = simulator.control();
    let setup = inlet.gateway(&simulator).variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
    let gateway = setup.start();
    ready(&control, 1).await;
    // The other gateway's queue, without the gateway.
    let mut other = Script::amqplib(&host.url(), "gateway").await;
    other.subscribe(&["1"]).await;
    let data = r#"{ "z":1e3, "big":12345678901234567890123, "a":"\u00e9<>&" }"#;
    let Value::String(guild) = send_to(1, 2, 0)["guild_id"].clone() else { panic!("a guild") };
    let command = format!(r#"{{"guild_id":"{guild}","other":1,"packet":{{"op":4,"d":{data},"t":1}}}}"#);
    other.publish_bytes("SEND", command.as_bytes()).await;
    let received = other.next().await;
    assert_eq!(String::from_utf8(received.bytes()).unwrap(), format!(r#"{{"op":4,"d":{data}}}"#));
    assert_eq!(received.properties["contentType"], json!("application/json"));
    inlet.settles("SEND", 0).await;
    drop(gateway);
}

#[tokio::test]
async fn a_command_that_is_given_to_another_gateway_is_acknowledged_when_the_server_has_it_again() {
    let redis = redis().await;
    let simulator = discord(2).await;
    let setup = on_redis(&simulator, &redis).variable("DISCORD_SHARD_COUNT", "2").variable("DISCORD_SHARD_IDS", "0");
    let gateway = setup.start();
    ready(&simulator.control(), 1).await;
    // It finds the command when the server, which still takes acknowledgements, has no room for another entry.
    gateway.signal("STOP").await;
    let () = redis.command(&["XADD", "SEND", "*", "data", &send_to(1, 2, 0).to_string()]).await;
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    gateway.signal("CONT").await;
    gateway.logged("maxmemory").await;
    let inlet = Inlet::Redis(Box::new(redis));
    assert_eq!(inlet.unsettled("SEND").await, 1);
    let Inlet::Redis(redis) = &inlet else { panic!("it is Redis") };
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    inlet.settles("SEND", 0).await;
    assert_eq!(redis.command::<u64>(&["XLEN", "1"]).await, 1);
}
