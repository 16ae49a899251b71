//! Where a scene's events go, and who takes them there.

use gateway_tests::{Proxy, Setup};

use crate::consumer::Consumer;

/// Where the events go. A URL is the server's own: the gateway comes to it through a proxy, the consumer directly.
pub(crate) enum Sink {
    Stdout,
    Redis(String),
    Amqp(String),
}

impl Sink {
    /// The proxy before the server. There is none before STDOUT.
    pub(crate) async fn proxy(&self) -> Option<Proxy> {
        let (Self::Redis(url) | Self::Amqp(url)) = self else { return None };
        let authority = url.split_once("://").unwrap().1.split('/').next().unwrap();
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        Some(Proxy::start(address.parse().unwrap()).await)
    }

    /// Lets a gateway publish there, through the proxy.
    pub(crate) fn configure(&self, setup: Setup, proxy: Option<&Proxy>) -> Setup {
        let through = |url: &str| proxy.map_or_else(|| url.to_owned(), |proxy| proxy.in_place_of(url));
        let setup = setup.variable("BROKER_ENCODING", "json");
        match self {
            Self::Stdout => setup,
            Self::Redis(url) => setup.variable("BROKER_TYPE", "redis").variable("REDIS_URL", &through(url)),
            Self::Amqp(url) => setup.variable("BROKER_TYPE", "amqp").variable("AMQP_URL", &through(url)),
        }
    }

    /// A consumer, which is there before the first event.
    pub(crate) async fn consumer(&self) -> Consumer {
        match self {
            Self::Stdout => Consumer::of_output(),
            Self::Redis(url) => Consumer::of_stream(url.clone()),
            Self::Amqp(url) => Consumer::of_queue(url.clone()).await,
        }
    }
}
