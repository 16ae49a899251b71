//! `GET /gateway`, `GET /gateway/bot`, and what clients ask for about themselves before they connect.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

use crate::{
    fault::{FaultKind, RestFault},
    journal::Happening,
    state::Shared,
};

/// A REST request, as far as the answer depends on it.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) host: Option<&'a str>,
}

/// The answer, or `None` to end the connection without one.
pub(crate) fn answer(shared: &Shared, request: &Request<'_>) -> Option<Response<Full<Bytes>>> {
    let response = respond(shared, request);
    let status = response.as_ref().map_or(0, |response| response.status().as_u16());
    let user_agent = header(request, &USER_AGENT).unwrap_or_default().to_owned();
    let happening =
        Happening::Rest { method: request.method.to_owned(), path: request.path.to_owned(), user_agent, status };
    shared.journal.write(None, None, happening);
    response
}

fn respond(shared: &Shared, request: &Request<'_>) -> Option<Response<Full<Bytes>>> {
    let Some(route) = route(request) else {
        return Some(json_response(StatusCode::NOT_FOUND, &json!({"message": "404: Not Found", "code": 0})));
    };
    if matches!(route, Route::Gateway | Route::GatewayBot) {
        let fault = shared.state().faults.take(None, |kind| match kind {
            FaultKind::Rest(fault) => Some(fault.clone()),
            _ => None,
        });
        if let Some(fault) = fault {
            return faulty(fault);
        }
    }
    let now = Instant::now();
    let (allowed, left) = {
        let mut state = shared.state();
        (state.requests.take(now), state.requests.left(now))
    };
    if !allowed {
        return Some(rate_limited(left.1, true));
    }
    let response = if route == Route::Gateway || is_authorized(shared, request) {
        json_response(StatusCode::OK, &body(shared, request, route))
    } else {
        json_response(StatusCode::UNAUTHORIZED, &json!({"message": "401: Unauthorized", "code": 0}))
    };
    Some(with_limit_headers(response, shared.options.limits.requests_per_second, left))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Gateway,
    GatewayBot,
    Application,
    Me,
}

/// The route behind `/api`, with or without a version.
fn route(request: &Request<'_>) -> Option<Route> {
    let path = request.path.split('?').next().unwrap_or_default();
    let rest = path.strip_prefix("/api")?;
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|digits| digits.parse::<u8>().is_ok());
    let rest = match rest.get(1..).and_then(|rest| rest.split_once('/')) {
        Some((version, rest)) if is_version(version) => rest,
        _ => rest.strip_prefix('/')?,
    };
    match (request.method, rest) {
        ("GET", "gateway") => Some(Route::Gateway),
        ("GET", "gateway/bot") => Some(Route::GatewayBot),
        ("GET", "users/@me") => Some(Route::Me),
        ("GET", "applications/@me" | "oauth2/applications/@me") => Some(Route::Application),
        _ => None,
    }
}

fn is_authorized(shared: &Shared, request: &Request<'_>) -> bool {
    let token = header(request, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bot "));
    token.is_some_and(|token| shared.accepts(token))
}

fn header<'a>(request: &Request<'a>, name: &HeaderName) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

fn body(shared: &Shared, request: &Request<'_>, route: Route) -> Value {
    let slash = if shared.options.knobs.url_trailing_slash { "/" } else { "" };
    let url = || format!("{}{slash}", shared.addresses.base_url(request.host));
    match route {
        Route::Gateway => json!({"url": url()}),
        Route::GatewayBot => {
            let starts = shared.state().ledger.at(Instant::now());
            json!({
                "url": url(),
                "shards": shared.options.recommended_shards,
                "session_start_limit": {
                    "total": starts.total,
                    "remaining": starts.remaining,
                    "reset_after": millis(starts.reset_after),
                    "max_concurrency": shared.options.max_concurrency,
                },
            })
        }
        Route::Me => shared.world.bot_user(),
        Route::Application => shared.world.application(),
    }
}

fn faulty(fault: RestFault) -> Option<Response<Full<Bytes>>> {
    Some(match fault {
        RestFault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json_response(status, &json!({"message": status.to_string(), "code": 0}))
        }
        RestFault::RateLimited { retry_after, global } => rate_limited(retry_after, global),
        RestFault::Cloudflare { retry_after } => {
            let mut response =
                text_response(StatusCode::TOO_MANY_REQUESTS, "text/plain", "error code: 1015".to_owned());
            response.headers_mut().insert(RETRY_AFTER, whole_seconds(retry_after).into());
            response
        }
        RestFault::Html => {
            let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";
            text_response(StatusCode::OK, "text/html", page.to_owned())
        }
        RestFault::Empty => text_response(StatusCode::OK, "application/json", String::new()),
        RestFault::Body(body) => text_response(StatusCode::OK, "application/json", body),
        RestFault::Drop => return None,
    })
}

fn rate_limited(retry_after: Duration, global: bool) -> Response<Full<Bytes>> {
    let body = json!({
        "message": "You are being rate limited.",
        "retry_after": retry_after.as_secs_f64(),
        "global": global,
    });
    let mut response = json_response(StatusCode::TOO_MANY_REQUESTS, &body);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
    headers.insert("x-ratelimit-scope", HeaderValue::from_static(if global { "global" } else { "user" }));
    if global {
        headers.insert("x-ratelimit-global", HeaderValue::from_static("true"));
    }
    response
}

fn with_limit_headers(
    mut response: Response<Full<Bytes>>,
    limit: u32,
    (remaining, reset_after): (u32, Duration),
) -> Response<Full<Bytes>> {
    let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + reset_after;
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", remaining.into());
    headers.insert("x-ratelimit-bucket", HeaderValue::from_static("41f9cd5d28af77da04563bcb1d67fdfd"));
    for (name, value) in [("x-ratelimit-reset", reset), ("x-ratelimit-reset-after", reset_after)] {
        if let Ok(value) = HeaderValue::from_str(&format!("{:.3}", value.as_secs_f64())) {
            headers.insert(name, value);
        }
    }
    response
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    text_response(status, "application/json", body.to_string())
}

fn text_response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Seconds, rounded up.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
