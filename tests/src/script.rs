//! Other people's broker clients: scripts in `tests/interop`, each a consumer and producer that a test drives.
//!
//! An order goes to the script as a line of JSON, and is answered by one. What the script receives comes as further lines.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use foreign_clients::install;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::PATIENCE;

/// A running script. Dropping it kills it.
pub struct Script {
    child: Child,
    stdin: ChildStdin,
    answers: mpsc::UnboundedReceiver<Value>,
    received: mpsc::UnboundedReceiver<Received>,
}

/// One message that a script got.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Received {
    /// The event's name.
    pub event: String,
    /// What the client made of the body: `object`, `string` and so on, or `bytes`. `error` if it could make nothing of it.
    pub kind: String,
    /// The body. Bytes are in hexadecimal digits.
    pub body: Value,
    /// What came beside it, where the client shows that.
    #[serde(default)]
    pub properties: Value,
}

impl Received {
    /// The bytes of a body of that kind.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        assert_eq!(self.kind, "bytes", "{self:?}");
        let digits = self.body.as_str().unwrap();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }
}

/// What the gateway's users have: the last versions of `@spectacles/brokers` of each wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brokers {
    /// 0.4.5: JSON, AMQP only.
    V0_4,
    /// 0.8.4: JSON.
    V0_8,
    /// 0.9.3: MessagePack.
    V0_9,
}

impl Brokers {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V0_4, Self::V0_8, Self::V0_9];

    fn package(self) -> &'static str {
        match self {
            Self::V0_4 => "brokers-0.4",
            Self::V0_8 => "brokers-0.8",
            Self::V0_9 => "brokers-0.9",
        }
    }
}

impl Script {
    /// `Amqp` of `@spectacles/brokers`, connected. `address` is without a scheme.
    pub async fn spectacles_amqp(version: Brokers, address: &str, group: &str, subgroup: Option<&str>) -> Self {
        let setup = json!({"transport": "amqp", "address": address, "group": group, "subgroup": subgroup});
        Self::node("spectacles.cjs", version, setup).await
    }

    /// `Redis` of `@spectacles/brokers` 0.9.3, connected. `address` is a URL.
    pub async fn spectacles_redis(address: &str, group: &str) -> Self {
        let setup = json!({"transport": "redis", "address": address, "group": group});
        Self::node("spectacles.cjs", Brokers::V0_9, setup).await
    }

    /// The bot of the original gateway's example, on Redis. It reports what it would post to Discord as events named `post`.
    pub async fn example_bot(address: &str) -> Self {
        Self::node("example_bot.cjs", Brokers::V0_9, json!({"address": address})).await
    }

    /// `amqplib` of today. Bodies come as bytes.
    pub async fn amqplib(url: &str, group: &str) -> Self {
        Self::node("amqplib.cjs", Brokers::V0_9, json!({"url": url, "group": group})).await
    }

    /// `pika`. Bodies come as bytes.
    pub async fn pika(url: &str, group: &str) -> Self {
        Self::python("pika_client.py", json!({"url": url, "group": group})).await
    }

    /// `redis-py`. Bodies come as bytes.
    pub async fn redis_py(url: &str, group: &str) -> Self {
        Self::python("redis_client.py", json!({"url": url, "group": group})).await
    }

    /// What decodes the gateway's frames, which `input` brings: `msgpack` by `@msgpack/msgpack`, JSON as `lines` by Node.js and as
    /// `values` one after another by Python. It prints the `data` of each as a line of JSON, without its `filler`.
    #[must_use]
    pub fn frame_decoder(reading: &str, input: Stdio) -> Command {
        let (mut command, script) = match reading {
            "values" => (Self::python_command(), "py/decode_frames.py"),
            _ => (Self::node_command(), "js/decode_frames.cjs"),
        };
        command.arg(folder().join(script)).arg(reading).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// A program of JavaScript, a module, with the packages of the other scripts.
    #[must_use]
    pub fn javascript(code: &str) -> Command {
        let mut command = Self::node_command();
        // Modules look for packages in the working directory, whatever NODE_PATH says.
        command.args(["--input-type=module", "--eval", code]).current_dir(node_folder());
        command
    }

    /// A program of Python, with the packages of the other scripts.
    #[must_use]
    pub fn python_program(code: &str) -> Command {
        let mut command = Self::python_command();
        command.args(["-c", code]);
        command
    }

    /// Lets it take these events, and waits until it does.
    pub async fn subscribe(&mut self, events: &[&str]) {
        self.order("subscribe", json!({"events": events})).await;
    }

    /// Publishes an object or a string as the client encodes it.
    pub async fn publish(&mut self, event: &str, body: impl Into<Value>) {
        self.order("publish", json!({"event": event, "body": body.into()})).await;
    }

    /// Publishes bytes: a `Buffer` or `bytes`.
    pub async fn publish_bytes(&mut self, event: &str, body: &[u8]) {
        let digits: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        self.order("publish", json!({"event": event, "bytes": digits})).await;
    }

    /// Gives it an order with its particulars, and answers with what the order came to.
    pub async fn order(&mut self, name: &str, particulars: Value) -> Value {
        let mut order = Map::from_iter([("order".to_owned(), name.into())]);
        order.extend(particulars.as_object().cloned().unwrap_or_default());
        self.stdin.write_all(format!("{}\n", Value::from(order)).as_bytes()).await.unwrap();
        self.answer().await
    }

    /// The next message.
    pub async fn next(&mut self) -> Received {
        match timeout(PATIENCE, self.received.recv()).await {
            Ok(Some(received)) => received,
            Ok(None) => panic!("the script has ended; what it last said is above"),
            Err(_) => panic!("the script got nothing"),
        }
    }

    /// The next messages, that many.
    pub async fn next_messages(&mut self, count: usize) -> Vec<Received> {
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            messages.push(self.next().await);
        }
        messages
    }

    /// What has come and was not asked for yet.
    pub fn pending(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn node(script: &str, version: Brokers, setup: Value) -> Self {
        let mut command = Self::node_command();
        command.arg(folder().join("js").join(script)).env("BROKERS", version.package());
        Self::start(command, setup).await
    }

    async fn python(script: &str, setup: Value) -> Self {
        let mut command = Self::python_command();
        command.arg(folder().join("py").join(script));
        Self::start(command, setup).await
    }

    fn node_command() -> Command {
        let mut command = Command::new("node");
        command.env("NODE_PATH", node_folder().join("node_modules"));
        command
    }

    fn python_command() -> Command {
        let mut command = Command::new(install::python("interop-python", &folder().join("py")));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Starts it with its set-up as its argument. It answers once it is connected.
    async fn start(mut command: Command, setup: Value) -> Self {
        command.arg(setup.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the script cannot be started");
        let stdin = child.stdin.take().unwrap();
        let (answers, received) = read(child.stdout.take().unwrap());
        let mut script = Self { child, stdin, answers, received };
        script.answer().await;
        script
    }

    async fn answer(&mut self) -> Value {
        match timeout(PATIENCE, self.answers.recv()).await {
            Ok(Some(answer)) => answer,
            Ok(None) => panic!("the script has ended; what it last said is above"),
            Err(_) => panic!("the script does not answer"),
        }
    }
}

fn read(stdout: ChildStdout) -> (mpsc::UnboundedReceiver<Value>, mpsc::UnboundedReceiver<Received>) {
    #[expect(clippy::disallowed_methods, reason = "a test reads what it is sent")]
    let ((to_answers, answers), (to_received, received)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            // A test that ends no longer reads.
            match value.get("answer") {
                Some(answer) => _ = to_answers.send(answer.clone()),
                None => _ = to_received.send(serde_json::from_value(value).unwrap()),
            }
        }
    });
    (answers, received)
}

/// Where the packages of JavaScript are.
fn node_folder() -> PathBuf {
    install::node("interop-node", &folder().join("js"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}
