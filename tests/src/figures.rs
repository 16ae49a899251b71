//! A gateway's metrics and health, over HTTP.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Gateway;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub head: String,
    /// Its body.
    pub body: String,
}

/// What `/metrics` showed at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures(pub String);

impl Figures {
    /// The value of a series, with its labels in the order of their names: `gateway_shards_alive{id="0"}`.
    #[must_use]
    pub fn of(&self, series: &str) -> Option<f64> {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value)
    }
}

impl Gateway {
    /// Asks the port that [`Setup::with_metrics`](crate::Setup::with_metrics) gave it.
    pub async fn get(&mut self, path: &str) -> Answer {
        let line = self.logged("metrics on http://").await;
        let rest = line.split("metrics on http://").nth(1).unwrap();
        let address = rest.split('"').next().unwrap().to_owned();
        let connecting = TcpStream::connect(address).await;
        let mut socket = connecting.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// Its figures now.
    pub async fn figures(&mut self) -> Figures {
        Figures(self.get("/metrics").await.body)
    }
}
