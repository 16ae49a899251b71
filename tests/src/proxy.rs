//! A TCP proxy between a gateway and whatever it talks to, which fails as networks do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// A running proxy on a port of loopback. Its connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    conditions: watch::Sender<Conditions>,
    connections: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// A way through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the one who connected to the server.
    ToServer,
    /// From the server to the one who connected.
    ToClient,
}

impl Proxy {
    /// Starts one that passes everything on to `server`.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (conditions, changes) = watch::channel(Conditions::fair(server));
        let (count, connections) = watch::channel(0);
        Self { address, conditions, connections, task: tokio::spawn(accept(listener, changes, count)) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL whose host and port are the proxy's in place of its own.
    #[must_use]
    pub fn in_place_of(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let user = authority.rfind('@').map_or("", |at| &authority[..=at]);
        format!("{scheme}://{user}{}{path}", self.address)
    }

    /// New connections go to this server. Those that exist stay where they are.
    pub fn point_to(&self, server: SocketAddr) {
        self.conditions.send_modify(|now| now.server = server);
    }

    /// Passes everything again, without delay. What was cut stays cut.
    pub fn pass(&self) {
        self.conditions.send_modify(|now| *now = Conditions { cuts: now.cuts, ..Conditions::fair(now.server) });
    }

    /// Lets each piece of up to 16 KiB wait for so long before it goes on, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.conditions.send_modify(|now| now.delay = delay);
    }

    /// Resets every connection there is. What was under way is lost.
    pub fn cut(&self) {
        self.conditions.send_modify(|now| now.cuts += 1);
    }

    /// Waits until every connection has ended on both sides: the server has then got all that a client sent which is gone.
    pub async fn is_idle(&self) {
        let mut connections = self.connections.clone();
        // It only fails with the proxy's own end.
        let _ = connections.wait_for(|count| *count == 0).await;
    }

    /// Resets every connection that is made from now on.
    pub fn refuse(&self) {
        self.conditions.send_modify(|now| now.refuses = true);
    }

    /// Carries nothing more in this direction, on old and new connections, which stay open. What was read before is kept.
    pub fn stall(&self, direction: Direction) {
        self.conditions.send_modify(|now| match direction {
            Direction::ToServer => now.stalls_to_server = true,
            Direction::ToClient => now.stalls_to_client = true,
        });
    }

    /// Resets each connection that is made from now on when it has carried so many bytes in one direction.
    pub fn cut_after(&self, bytes: usize) {
        self.conditions.send_modify(|now| now.lifetime = bytes);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone, Copy)]
struct Conditions {
    server: SocketAddr,
    delay: Duration,
    refuses: bool,
    stalls_to_server: bool,
    stalls_to_client: bool,
    /// Bytes in one direction after which a connection is reset.
    lifetime: usize,
    /// How often everything was cut.
    cuts: u64,
}

impl Conditions {
    fn fair(server: SocketAddr) -> Self {
        Self {
            server,
            delay: Duration::ZERO,
            refuses: false,
            stalls_to_server: false,
            stalls_to_client: false,
            lifetime: usize::MAX,
            cuts: 0,
        }
    }

    fn stalls(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.stalls_to_server,
            Direction::ToClient => self.stalls_to_client,
        }
    }
}

async fn accept(listener: TcpListener, conditions: watch::Receiver<Conditions>, count: watch::Sender<usize>) {
    let mut connections = JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => {
                // A client that is gone again is no reason to stop.
                if let Ok((client, _)) = accepted {
                    connections.spawn(serve(client, conditions.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
        count.send_replace(connections.len());
    }
}

/// Carries one connection to its end.
async fn serve(mut client: TcpStream, mut conditions: watch::Receiver<Conditions>) {
    let Conditions { server, refuses, lifetime, cuts, .. } = *conditions.borrow_and_update();
    let Some(mut server) = (if refuses { None } else { TcpStream::connect(server).await.ok() }) else {
        return reset(client);
    };
    // Small messages go on as they come.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let is_whole = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = carry(from_client, to_server, Direction::ToServer, lifetime, conditions.clone());
        let down = carry(from_server, to_client, Direction::ToClient, lifetime, conditions.clone());
        select! {
            carried = async { tokio::try_join!(up, down) } => carried.is_ok(),
            _ = conditions.wait_for(|now| now.cuts != cuts) => false,
        }
    };
    if !is_whole {
        reset(client);
        reset(server);
    }
}

/// Carries one direction until its sender ends it. An error ends both.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    lifetime: usize,
    mut conditions: watch::Receiver<Conditions>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut left = lifetime;
    loop {
        flows(&mut conditions, direction).await?;
        let read = select! {
            read = from.read(&mut buffer) => read?,
            _ = conditions.changed() => continue,
        };
        let delay = conditions.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        flows(&mut conditions, direction).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read.min(left)]).await?;
        left = left.saturating_sub(read);
        if left == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}

/// Waits until this direction is not stalled.
async fn flows(conditions: &mut watch::Receiver<Conditions>, direction: Direction) -> io::Result<()> {
    let waited = conditions.wait_for(|now| !now.stalls(direction)).await;
    waited.map(drop).map_err(|_| io::ErrorKind::NotConnected.into())
}

fn reset(socket: TcpStream) {
    // A socket that is gone already cannot be told.
    let _ = socket.set_zero_linger();
}

/// The most that a direction holds.
const PIECE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    /// Long enough for what is not to come.
    const MOMENT: Duration = Duration::from_millis(100);

    /// A server that says everything again, the proxy before it, and a connection.
    async fn echo() -> (Proxy, TcpStream) {
        let proxy = Proxy::start(server(0).await).await;
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        (proxy, client)
    }

    /// Says everything again, with `add` added to each byte.
    async fn server(add: u8) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1024];
                    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
                        buffer[..read].iter_mut().for_each(|byte| *byte += add);
                        if socket.write_all(&buffer[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    async fn says(client: &mut TcpStream, text: &[u8]) -> Vec<u8> {
        client.write_all(text).await.unwrap();
        let mut answer = vec![0; text.len()];
        client.read_exact(&mut answer).await.unwrap();
        answer
    }

    async fn is_reset(client: &mut TcpStream) {
        let error = client.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn it_passes_both_directions_and_the_end() {
        let (_proxy, mut client) = echo().await;
        assert_eq!(says(&mut client, b"hello").await, b"hello");
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_cut_resets_what_exists_and_nothing_else() {
        let (proxy, mut client) = echo().await;
        says(&mut client, b"hello").await;
        proxy.cut();
        is_reset(&mut client).await;
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut client, b"hello").await, b"hello");
    }

    #[tokio::test]
    async fn refusing_resets_new_connections_and_leaves_old_ones() {
        let (proxy, mut client) = echo().await;
        says(&mut client, b"hello").await;
        proxy.refuse();
        is_reset(&mut TcpStream::connect(proxy.address()).await.unwrap()).await;
        assert_eq!(says(&mut client, b"hello").await, b"hello");
        proxy.pass();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut client, b"hello").await, b"hello");
    }

    #[tokio::test]
    async fn a_stalled_direction_carries_nothing_and_loses_nothing() {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (proxy, mut client) = echo().await;
            says(&mut client, b"before").await;
            proxy.stall(direction);
            client.write_all(b"during").await.unwrap();
            let mut answer = [0; 6];
            timeout(MOMENT, client.read_exact(&mut answer)).await.unwrap_err();
            proxy.pass();
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"during");
        }
    }

    #[tokio::test]
    async fn a_stalled_connection_can_be_cut() {
        let (proxy, mut client) = echo().await;
        says(&mut client, b"hello").await;
        proxy.stall(Direction::ToServer);
        proxy.cut();
        is_reset(&mut client).await;
    }

    #[tokio::test]
    async fn it_is_idle_when_both_sides_have_ended() {
        let (proxy, mut client) = echo().await;
        says(&mut client, b"hello").await;
        timeout(MOMENT, proxy.is_idle()).await.unwrap_err();
        drop(client);
        proxy.is_idle().await;
    }

    #[tokio::test]
    async fn delay_holds_each_direction() {
        let (proxy, mut client) = echo().await;
        says(&mut client, b"hello").await;
        proxy.delay(MOMENT);
        let began = Instant::now();
        says(&mut client, b"hello").await;
        assert!(began.elapsed() >= MOMENT * 2);
    }

    #[tokio::test]
    async fn a_connection_carries_exactly_its_bytes() {
        let (proxy, _) = echo().await;
        proxy.cut_after(4);
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut client, b"123").await, b"123");
        client.write_all(b"45").await.unwrap();
        let mut rest = Vec::new();
        let ended = client.read_to_end(&mut rest).await;
        assert!(ended.is_err() && rest.len() <= 1, "{rest:?}");
    }

    #[tokio::test]
    async fn new_connections_go_where_it_points() {
        let (proxy, mut old) = echo().await;
        assert_eq!(says(&mut old, b"a").await, b"a");
        proxy.point_to(server(1).await);
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(says(&mut new, b"a").await, b"b");
        assert_eq!(says(&mut old, b"a").await, b"a");
    }

    #[tokio::test]
    async fn it_stands_in_urls_where_the_server_stood() {
        let (proxy, _) = echo().await;
        let address = proxy.address();
        assert_eq!(proxy.in_place_of("redis://127.0.0.1:1"), format!("redis://{address}"));
        let url = proxy.in_place_of("amqp://guest:guest@127.0.0.1:1/test-0");
        assert_eq!(url, format!("amqp://guest:guest@{address}/test-0"));
    }
}
