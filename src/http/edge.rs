//! What every answer has in common: the face of errors, the request id, headers, one log line, its figures.
//!
//! The order, from outside: [`tracing_actix_web::TracingLogger`] with [`RequestSpan`] (it draws the request id), [`face`],
//! compression, [`whole_if_small`], then whatever the application wraps (sign-in), the route.

use std::time::Instant;

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::Error;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError as _};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use super::problem::{PROBLEM_JSON, Problem};
use super::routes;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Below this, compression costs more than it saves.
const WORTH_COMPRESSING_BYTES: u64 = 1024;
const NOTHING_RUNS: &str = "default-src 'none'; frame-ancestors 'none'";

/// One span a request: its id and its method. No path, no query, no address: they hold ids and people.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().copied().map(tracing::field::display);
        let theirs = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let theirs = theirs.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
        tracing::info_span!(
            "request",
            method = method_name(request.method()),
            request_id = id,
            client_request_id = theirs
        )
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

/// A method is what the client says; for those that no route has one label is enough.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Middleware: turns what the framework answers by itself into problems, adds the common headers, logs and counts.
///
/// # Errors
/// What a middleware further inside gave as an error; it has the problem's face too.
pub async fn face<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let began = Instant::now();
    let method = method_name(request.method());
    if request.method() == Method::HEAD {
        // Every GET answers HEAD; the connection leaves the body out.
        request.head_mut().method = Method::GET;
    }
    let id = request.extensions().get::<RequestId>().copied();
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) if error.as_error::<Problem>().is_some() => return Err(error),
        Err(error) => return Err(Problem::of_status(error.as_response_error().status_code()).into()),
    };
    let routed = !is_own(&response);
    let mut response = if routed { response.map_into_left_body() } else { in_our_words(response) };
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let documentation = response.request().path().starts_with("/docs");
    dress(response.headers_mut(), documentation);
    tell(&response, method, routed, began);
    Ok(response)
}

/// Whether the framework answered an error by itself: neither a problem nor a page.
fn is_own<B>(response: &ServiceResponse<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let error = response.status().is_client_error() || response.status().is_server_error();
    error && !kind.starts_with(PROBLEM_JSON) && !kind.starts_with("text/html")
}

/// The problem for it. An unknown route answers 404 to every method, also where another method has the path: 405.
fn in_our_words<B>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let status = response.status();
    let unrouted = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    let allow = if unrouted { routes::methods_of(response.request().path()) } else { Vec::new() };
    let problem = if allow.is_empty() || allow.contains(&response.request().method().as_str()) {
        Problem::of_status(if unrouted { StatusCode::NOT_FOUND } else { status })
    } else {
        Problem::method_not_allowed(allow.join(", "))
    };
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, problem.error_response()).map_into_right_body()
}

/// Headers that say: take it as it is, keep it nowhere, run nothing. What a handler set stays.
fn dress(headers: &mut HeaderMap, documentation: bool) {
    let csp = if documentation { super::openapi::PAGE_POLICY } else { NOTHING_RUNS };
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, csp),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
}

/// One log line and the figures, by the route's pattern: a path holds ids and is without end.
fn tell<B>(response: &ServiceResponse<B>, method: &'static str, routed: bool, began: Instant) {
    let elapsed = began.elapsed();
    let status = response.status().as_u16();
    let route = response.request().match_pattern().filter(|_| routed).unwrap_or_else(|| "none".to_owned());
    let milliseconds = elapsed.as_secs_f64() * 1000.0;
    // Reads that went well are in the figures; a line for each would cost them more than their answer.
    if method == "GET" && !response.status().is_client_error() && !response.status().is_server_error() {
        tracing::debug!(route, status, milliseconds, "answered");
    } else {
        tracing::info!(route, status, milliseconds, "answered");
    }
    metrics::counter!("linli_http_requests_total",
        "method" => method, "route" => route.clone(), "status" => status_name(response.status()))
    .increment(1);
    metrics::histogram!("linli_http_request_seconds", "method" => method, "route" => route)
        .record(elapsed.as_secs_f64());
}

fn status_name(status: StatusCode) -> String {
    status.as_str().to_owned()
}

/// Middleware inside the compressing one: small answers go out as they are.
///
/// # Errors
/// What is further inside gave.
pub async fn whole_if_small<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let small = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes < WORTH_COMPRESSING_BYTES,
        BodySize::None | BodySize::Stream => false,
    };
    if small && !response.headers().contains_key(header::CONTENT_ENCODING) {
        // Taken off again by `face`.
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(response)
}

/// For middleware that refuses a request itself: an answer, not an `Err`, so that it gets the common headers too.
pub fn refuse<B>(request: ServiceRequest, problem: &Problem) -> ServiceResponse<EitherBody<B>> {
    let response: HttpResponse = problem.error_response();
    request.into_response(response).map_into_right_body()
}
