//! Takes an address to listen on, written as Go writes them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

const BACKLOG: i32 = 128;

/// Why the server cannot start.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address cannot be understood.
    #[error(
        "`prometheus.address` (PROMETHEUS_ADDRESS) is `{address}`, which is no address to listen on ({reason}). Write `:9090` \
         for all interfaces, or `127.0.0.1:9090` for this machine alone"
    )]
    Address {
        /// As configured.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system does not give the address.
    #[error("cannot listen on `{address}` for metrics: {}", advice(.source))]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Metrics could never be reached there.
    #[error(
        "`prometheus.endpoint` (PROMETHEUS_ENDPOINT) is `{endpoint}`, which is where health is served. Choose another path, \
         such as `/metrics`"
    )]
    Endpoint {
        /// As configured.
        endpoint: String,
    },
}

/// Takes `host:port`, or `:port` for all interfaces, IPv6 and IPv4.
///
/// # Errors
/// If the address is malformed or taken.
pub(super) fn listen_on(address: &str) -> Result<TcpListener, BindError> {
    let listener = match address.strip_prefix(':') {
        Some(port) => listen_everywhere(parse_port(address, port)?),
        None => {
            let malformed =
                |reason: io::Error| BindError::Address { address: address.into(), reason: reason.to_string() };
            listen_first(address.to_socket_addrs().map_err(malformed)?)
        }
    };
    listener.map_err(|source| BindError::Listen { address: address.into(), source })
}

fn parse_port(address: &str, port: &str) -> Result<u16, BindError> {
    port.parse().map_err(|_| BindError::Address { address: address.into(), reason: format!("`{port}` is not a port") })
}

/// One socket for IPv6 and IPv4, or for IPv4 alone where there is no IPv6.
fn listen_everywhere(port: u16) -> io::Result<TcpListener> {
    let unavailable = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable | io::ErrorKind::InvalidInput
        ) || matches!(error.raw_os_error(), Some(code) if code == ADDRESS_FAMILY_NOT_SUPPORTED)
    };
    listen((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match unavailable(&error) {
        true => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        false => Err(error),
    })
}

/// The first of a name's addresses that can be had.
fn listen_first(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    // On Unix this lets a restarted gateway have its port at once; on Windows it would let two programs share one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn advice(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses the port. Stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "the system does not permit it. Choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have the address. Choose one of its own, or `:PORT` for all"
        }
        _ => {
            return format!(
                "{error}. Set `prometheus.address` (PROMETHEUS_ADDRESS) to another address, or leave it empty"
            );
        }
    };
    format!("{advice}, with `prometheus.address` (PROMETHEUS_ADDRESS); leave it empty to go without metrics")
}

#[cfg(target_os = "linux")]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 97;
#[cfg(windows)]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 10047;
#[cfg(not(any(target_os = "linux", windows)))]
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 47;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_what_to_change() {
        let taken = listen_on("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = listen_on(&address).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot listen on `{address}` for metrics: another program uses the port. Stop it, or choose another port, with \
                 `prometheus.address` (PROMETHEUS_ADDRESS); leave it empty to go without metrics"
            )
        );
    }

    #[test]
    fn a_port_alone_listens_for_both_versions_of_ip() {
        let server = listen_on(":0").unwrap();
        let address = server.local_addr().unwrap();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        if address.is_ipv6() {
            std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).unwrap();
        }
    }

    #[test]
    fn malformed_addresses_are_explained() {
        for address in ["8080", ":http", ":99999", "127.0.0.1"] {
            let error = listen_on(address).unwrap_err();
            assert!(matches!(error, BindError::Address { .. }), "{address}: {error}");
            assert!(error.to_string().contains(address) && error.to_string().contains(":9090"));
        }
    }
}
