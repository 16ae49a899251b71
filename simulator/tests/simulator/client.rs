//! A gateway client with no behaviour of its own: each test says what it does.

use flate2::{Decompress, FlushDecompress};
use futures_util::{SinkExt, StreamExt};
use gateway_simulator::{Options, Simulator};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use zstd::stream::raw::{Decoder as Zstd, InBuffer, Operation, OutBuffer};

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    decoder: Decoder,
}

impl Client {
    /// Connects to the base URL.
    pub(crate) async fn connect(simulator: &Simulator, query: &str) -> Self {
        Self::connect_to(&format!("ws://{}", simulator.address()), query).await
    }

    pub(crate) async fn connect_to(url: &str, query: &str) -> Self {
        let (socket, _) = within(connect_async(format!("{url}/?{query}"))).await.unwrap();
        Self { socket, decoder: Decoder::new(query) }
    }

    /// Connects, takes Hello, identifies as the only shard and takes READY.
    pub(crate) async fn ready(simulator: &Simulator, intents: u64) -> (Self, Value) {
        let mut client = Self::connect(simulator, QUERY).await;
        client.hello().await;
        client.send(identify(0, 1, intents)).await;
        let ready = client.next().await;
        assert_eq!(ready["t"], "READY", "{ready}");
        (client, ready)
    }

    pub(crate) async fn hello(&mut self) -> Value {
        let hello = self.next().await;
        assert_eq!(hello["op"], 10, "{hello}");
        hello
    }

    /// The next payload.
    pub(crate) async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The next payload as text.
    pub(crate) async fn next_text(&mut self) -> String {
        let message = self.next_message().await;
        String::from_utf8(self.decode(&message)).unwrap()
    }

    pub(crate) async fn next_message(&mut self) -> Message {
        loop {
            let message = within(self.socket.next()).await.expect("the connection ended").unwrap();
            assert!(!message.is_close(), "{message:?}");
            if !message.is_pong() {
                return message;
            }
        }
    }

    pub(crate) fn decode(&mut self, message: &Message) -> Vec<u8> {
        match message {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Binary(bytes) => self.decoder.decode(bytes),
            other => panic!("not a payload: {other:?}"),
        }
    }

    /// The next dispatch with this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let payload = self.next().await;
            if payload["t"] == name {
                return payload;
            }
        }
    }

    /// Reads to the end: the code of the close frame, `None` if there was no close frame or no code in it.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn send(&mut self, payload: Value) {
        self.send_text(payload.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        within(self.socket.send(Message::text(text))).await.unwrap();
    }

    /// Closes with a code.
    pub(crate) async fn close(mut self, code: u16) {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        within(self.socket.close(Some(CloseFrame { code: code.into(), reason: "".into() }))).await.unwrap();
        self.closed().await;
    }
}

pub(crate) fn identify(shard: u32, count: u32, intents: u64) -> Value {
    let properties = json!({"os": "linux", "browser": "test", "device": "test"});
    json!({"op": 2, "d": {
        "token": TOKEN, "intents": intents, "shard": [shard, count], "properties": properties,
    }})
}

pub(crate) fn resume(ready: &Value, sequence: u64) -> Value {
    json!({"op": 6, "d": {"token": TOKEN, "session_id": ready["d"]["session_id"], "seq": sequence}})
}

pub(crate) fn resume_url(ready: &Value) -> &str {
    ready["d"]["resume_gateway_url"].as_str().unwrap()
}

/// A simulator without a guild, so that nothing follows READY.
pub(crate) async fn quiet() -> Simulator {
    start(Options { guilds_per_shard: 0, ..Options::default() }).await
}

pub(crate) async fn start(options: Options) -> Simulator {
    Simulator::start(options).await.unwrap()
}

/// One GET: the head and the body of the answer.
pub(crate) async fn get(address: std::net::SocketAddr, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.to_lowercase(), body.to_owned())
}

/// Nothing in a test takes this long, unless it is broken.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("took too long")
}

enum Decoder {
    PerMessage,
    Zlib(Decompress),
    Zstd(Zstd<'static>),
}

impl Decoder {
    fn new(query: &str) -> Self {
        if query.contains("zlib-stream") {
            Self::Zlib(Decompress::new(true))
        } else if query.contains("zstd-stream") {
            Self::Zstd(Zstd::new().unwrap())
        } else {
            Self::PerMessage
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::PerMessage => inflate(&mut Decompress::new(true), bytes),
            Self::Zlib(stream) => inflate(stream, bytes),
            Self::Zstd(stream) => {
                let mut input = InBuffer::around(bytes);
                let mut output = Vec::new();
                loop {
                    let position = output.len();
                    output.reserve(1 << 16);
                    let room = output.capacity() - position;
                    let mut buffer = OutBuffer::around_pos(&mut output, position);
                    stream.run(&mut input, &mut buffer).unwrap();
                    if input.pos() == bytes.len() && output.len() - position < room {
                        return output;
                    }
                }
            }
        }
    }
}

fn inflate(stream: &mut Decompress, mut bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    loop {
        output.reserve(1 << 16);
        let (before, length) = (stream.total_in(), output.len());
        stream.decompress_vec(bytes, &mut output, FlushDecompress::None).unwrap();
        bytes = &bytes[usize::try_from(stream.total_in() - before).unwrap()..];
        if output.len() == length || (bytes.is_empty() && output.len() < output.capacity()) {
            return output;
        }
    }
}

pub(crate) const QUERY: &str = "v=10&encoding=json";
pub(crate) const TOKEN: &str = "a.test.token";
