//! Where the simulator is found.

use std::net::SocketAddr;

pub(crate) struct Addresses {
    pub(crate) base: SocketAddr,
    /// A second port, so that the resume URL differs from the base URL.
    pub(crate) resume: SocketAddr,
    pub(crate) tls: bool,
}

impl Addresses {
    /// The base URL as a client sees it that sent this `Host`.
    pub(crate) fn base_url(&self, host: Option<&str>) -> String {
        match host {
            Some(host) => format!("{}://{host}", self.scheme()),
            None => format!("{}://{}", self.scheme(), self.base),
        }
    }

    /// The resume URL as a client sees it that sent this `Host`.
    pub(crate) fn resume_url(&self, host: Option<&str>) -> String {
        let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        match name {
            Some(name) => format!("{}://{name}:{}", self.scheme(), self.resume.port()),
            None => format!("{}://{}", self.scheme(), self.resume),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "wss" } else { "ws" }
    }
}
