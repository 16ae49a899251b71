//! Discord's REST interface, as far as a gateway needs it: `GET /gateway/bot`, and the addresses that it leads to.
//! <https://docs.discord.com/developers/events/gateway#get-gateway-bot>

mod answer;
mod error;
mod rest;
mod tls;
mod url;

pub use answer::GatewayInfo;
pub use error::{RestError, Retry};
pub use rest::{Rest, USER_AGENT};
pub use tls::{NoRoots, tls_config, tls_without_roots};
pub use url::{GatewayUrl, InvalidGatewayUrl, connection_url};
