//! Discord's REST interface, as far as a gateway needs it: `GET /gateway/bot`.
