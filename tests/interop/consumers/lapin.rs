use futures_util::StreamExt as _;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost/%2f".into());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("gateway".into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
    let queue = "gateway:MESSAGE_CREATE";
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), "gateway".into(), "MESSAGE_CREATE".into(), options, FieldTable::default()).await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut messages = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let data: serde_json::Value = serde_json::from_slice(&message.data)?;
        println!("MESSAGE_CREATE {}", data["id"].as_str().unwrap_or_default());
        message.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
