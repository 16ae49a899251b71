//! The HTTP client.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};

use super::answer::{Answer, Body, classify};
use super::{GatewayInfo, RestError, Retry, tls};
use crate::config::{Api, Choice as _, Scheme, Secret};

/// What every request says of its sender. Discord demands this shape.
pub const USER_AGENT: &str =
    concat!("DiscordBot (https://github.com/spec-tacles/gateway, ", env!("CARGO_PKG_VERSION"), ")");
/// For everything from the connection to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer; a good one has some 200.
const BODY: usize = 64 * 1024;
/// The first pause before another try, and the longest.
const PAUSE: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(60);

/// A client of Discord's REST interface.
#[derive(Debug, Clone)]
pub struct Rest {
    client: Client,
    gateway_bot: Url,
}

impl Rest {
    /// Makes the client. Root certificates are read only if the scheme needs them.
    ///
    /// # Errors
    /// If the settings make no address, or the token no header.
    pub fn new(api: &Api, token: &Secret) -> Result<Self, RestError> {
        let gateway_bot = gateway_bot_url(api)?;
        let builder = Client::builder();
        let builder = match api.scheme {
            Scheme::Https => {
                let config = tls::tls_config().map_err(|error| RestError::Client(error.to_string()))?;
                builder.tls_backend_preconfigured((*config).clone())
            }
            // A simulator or a proxy nearby, which no other proxy leads to.
            Scheme::Http => {
                let config = tls::tls_without_roots().map_err(|error| RestError::Client(error.to_string()))?;
                builder.tls_backend_preconfigured((*config).clone()).no_proxy()
            }
        };
        let client = builder
            .user_agent(USER_AGENT)
            .default_headers(headers(token)?)
            .timeout(TIMEOUT)
            // The token goes nowhere else.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| RestError::Client(with_causes(&error)))?;
        Ok(Self { client, gateway_bot })
    }

    /// Asks once where the gateway is and how many sessions may be started.
    ///
    /// # Errors
    /// If no sensible answer comes; [`RestError::retry`] says whether to ask again.
    pub async fn gateway_bot(&self) -> Result<GatewayInfo, RestError> {
        let unreachable = |error: reqwest::Error| RestError::Unreachable(with_causes(&error));
        let mut response = self.client.get(self.gateway_bot.clone()).send().await.map_err(unreachable)?;
        let body = read_body(&mut response).await.map_err(unreachable)?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let body = if body.len() > BODY { Body::TooLarge(&body) } else { Body::Whole(&body) };
        classify(Answer { status: response.status().as_u16(), retry_after, body })
    }

    /// Asks until a sensible answer comes, with growing pauses. Cancel safe.
    ///
    /// # Errors
    /// If only a person can help.
    pub async fn gateway_bot_when_available(&self) -> Result<GatewayInfo, RestError> {
        until_available(|| self.gateway_bot(), tokio::time::sleep).await
    }
}

async fn until_available<T, A, S>(
    mut ask: impl FnMut() -> A,
    mut sleep: impl FnMut(Duration) -> S,
) -> Result<T, RestError>
where
    A: Future<Output = Result<T, RestError>>,
    S: Future<Output = ()>,
{
    let mut tries = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some(pause) = pause(error.retry(), tries, fastrand::f64()) else { return Err(error) };
        tracing::warn!("{error}. Next try in {:.1} s", pause.as_secs_f64());
        sleep(pause).await;
        tries = tries.saturating_add(1);
    }
}

/// How long to wait before the next try, after `tries` others; `drawn` is from 0 to 1. `None` if there shall be no other.
fn pause(retry: Retry, tries: u32, drawn: f64) -> Option<Duration> {
    match retry {
        Retry::Never => None,
        Retry::WithBackoff => {
            let longest = PAUSE.start.saturating_mul(2_u32.saturating_pow(tries)).min(PAUSE.end);
            Some(longest.mul_f64(0.5 + drawn / 2.0))
        }
        // Somewhat later, so that several gateways do not come back in step.
        Retry::After(wait) => Some(wait + PAUSE.start.mul_f64(drawn)),
    }
}

fn gateway_bot_url(api: &Api) -> Result<Url, RestError> {
    let url = format!("{}://{}/api/v{}/gateway/bot", api.scheme.name(), api.host.trim_end_matches('/'), api.version);
    Url::parse(&url).map_err(|error| RestError::Address { url, reason: error.to_string() })
}

fn headers(token: &Secret) -> Result<HeaderMap, RestError> {
    let value = format!("Bot {}", token.expose());
    let mut authorization = HeaderValue::from_str(&value).map_err(|_| RestError::MalformedToken)?;
    authorization.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
}

/// The body, up to somewhat more than the limit.
async fn read_body(response: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY {
            break;
        }
    }
    Ok(body)
}

/// The error with what led to it, which is where the reason stands.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
