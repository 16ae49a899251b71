//! Consumers that outlive what happens to their server.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use gateway_tests::LOAD;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use redis::AsyncCommands as _;
use redis::streams::{StreamReadOptions, StreamReadReply};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// One event of the load, as it came.
pub(crate) struct Delivery {
    pub(crate) body: String,
    /// The server says that it gave it to this consumer before.
    pub(crate) is_redelivered: bool,
}

/// What takes events from where the gateway puts them, for as long as it lives.
pub(crate) struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
    sender: mpsc::Sender<Delivery>,
    tasks: JoinSet<()>,
    /// Of the process before: what it wrote comes first.
    output: Option<JoinHandle<()>>,
    server: watch::Sender<String>,
}

impl Consumer {
    /// One that takes what processes write, one after another: [`read`](Self::read).
    pub(crate) fn of_output() -> Self {
        Self::new(String::new())
    }

    /// One of a Redis stream, which it reads from its beginning.
    pub(crate) fn of_stream(url: String) -> Self {
        let mut consumer = Self::new(url);
        let (sender, server) = (consumer.sender.clone(), consumer.server.subscribe());
        consumer.tasks.spawn(read_stream(server, sender));
        consumer
    }

    /// One of a queue, which is there when this returns.
    pub(crate) async fn of_queue(url: String) -> Self {
        let mut consumer = Self::new(url.clone());
        let (connection, channel) = open_queue(&url).await.expect("RabbitMQ runs");
        let sender = consumer.sender.clone();
        consumer.tasks.spawn(async move {
            // A server that is stopped comes back.
            let _ = read_queue(&channel, &sender).await;
            drop(connection);
            loop {
                sleep(AGAIN).await;
                if let Ok((_connection, channel)) = open_queue(&url).await {
                    let _ = read_queue(&channel, &sender).await;
                }
            }
        });
        consumer
    }

    /// Reads what a process writes to STDOUT, behind all that the one before it wrote.
    pub(crate) async fn read(&mut self, output: ChildStdout) {
        if let Some(before) = self.output.take() {
            before.await.unwrap();
        }
        self.output = Some(tokio::spawn(read_output(output, self.sender.clone())));
    }

    /// Reads on from this Redis, which has the same entries as the one before.
    pub(crate) fn move_to(&self, url: String) {
        self.server.send_replace(url);
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Delivery {
        self.deliveries.recv().await.unwrap()
    }

    /// An event that has come already.
    pub(crate) fn pending(&mut self) -> Option<Delivery> {
        self.deliveries.try_recv().ok()
    }

    fn new(url: String) -> Self {
        let (sender, deliveries) = mpsc::channel(WAITING);
        Self { deliveries, sender, tasks: JoinSet::new(), output: None, server: watch::Sender::new(url) }
    }
}

async fn read_output(output: ChildStdout, sender: mpsc::Sender<Delivery>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        // The last line of a killed process may be the begin of one.
        if line.last() != Some(&b'\n') {
            return;
        }
        let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
        let begin = format!(r#"{{"event":"{LOAD}","data":"#);
        let body = text.trim_end().strip_prefix(&begin).and_then(|rest| rest.strip_suffix('}'));
        let body = body.unwrap_or_else(|| panic!("not a frame of {LOAD}: {text}")).to_owned();
        let _ = sender.send(Delivery { body, is_redelivered: false }).await;
    }
}

async fn read_stream(server: watch::Receiver<String>, sender: mpsc::Sender<Delivery>) {
    let mut last = "0".to_owned();
    loop {
        let url = server.borrow().clone();
        // A server that is stopped comes back.
        let _ = read_stream_of(&url, &mut last, &server, &sender).await;
        sleep(AGAIN).await;
    }
}

async fn read_stream_of(
    url: &str,
    last: &mut String,
    server: &watch::Receiver<String>,
    sender: &mpsc::Sender<Delivery>,
) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let options = StreamReadOptions::default().count(1000).block(100);
    while *server.borrow() == url {
        let reply: Option<StreamReadReply> = connection.xread_options(&[LOAD], &[last.as_str()], &options).await?;
        for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids) {
            let fields: HashMap<String, redis::Value> = entry.map;
            let body = redis::from_redis_value(fields.into_values().next().expect("a field"))?;
            let _ = sender.send(Delivery { body, is_redelivered: false }).await;
            *last = entry.id;
        }
    }
    Ok(())
}

/// Declares what a consumer of the original declares: the exchange, a durable queue of its own, and the binding.
async fn open_queue(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("gateway".into(), ExchangeKind::Direct, options, FieldTable::default()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(QUEUE.into(), "gateway".into(), LOAD.into(), options, FieldTable::default()).await?;
    channel.basic_qos(500, BasicQosOptions::default()).await?;
    Ok((connection, channel))
}

async fn read_queue(channel: &Channel, sender: &mpsc::Sender<Delivery>) -> lapin::Result<()> {
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let body = String::from_utf8(delivery.data.clone()).unwrap();
        let _ = sender.send(Delivery { body, is_redelivered: delivery.redelivered }).await;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

const QUEUE: &str = "faults";

/// Between two tries to reach a server.
const AGAIN: Duration = Duration::from_millis(100);

/// Events that a test has not looked at yet. More than a scene sends.
const WAITING: usize = 1 << 20;
