//! Calls to the application in this process, and their answers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service as _, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Bytes;
use actix_web::{App, Error};
use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::TestApp;

type Raw = (StatusCode, HeaderMap, Bytes);

/// The application without its types.
pub(crate) type Service = Rc<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = Raw>>>>;

pub(crate) async fn service<F, B>(app: App<F>) -> Service
where
    F: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()>
        + 'static,
    F::Future: 'static,
    B: MessageBody + 'static,
{
    let service = Rc::new(init_service(app).await);
    Rc::new(move |request| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            match service.call(request.to_request()).await {
                Ok(answer) => read(answer.into_parts().1).await,
                Err(error) => read(error.error_response()).await,
            }
        })
    })
}

async fn read<B: MessageBody>(answer: actix_web::HttpResponse<B>) -> Raw {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body).await.map_err(Into::into).expect("the body of an answer");
    (head.status(), head.headers().clone(), body)
}

/// Whoever has a token.
pub(crate) trait Bearer {
    fn token(&self) -> &str;
}

impl Bearer for str {
    fn token(&self) -> &str {
        self
    }
}

impl Bearer for String {
    fn token(&self) -> &str {
        self
    }
}

/// A call that is sent when it is awaited.
#[derive(Clone)]
pub(crate) struct Call {
    service: Service,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    peer: SocketAddr,
}

impl Call {
    pub(crate) fn new(service: Service, method: &str, path: &str) -> Self {
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        Self { service, method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None, peer }
    }

    pub(crate) fn bearer(self, who: &(impl Bearer + ?Sized)) -> Self {
        let token = format!("Bearer {}", who.token());
        self.header("Authorization", &token)
    }

    /// With this `Idempotency-Key`.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        let text = body.to_string();
        drop(body);
        self.raw("application/json", text)
    }

    /// Any bytes under any content type; an empty type sends none.
    pub(crate) fn raw(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.headers.retain(|(name, _)| name != "Content-Type");
        if !content_type.is_empty() {
            self.headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        self.body = Some(body.into());
        self
    }

    /// As if it came from this address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer.set_ip(address.parse().unwrap());
        self
    }

    async fn send(self) -> Answer {
        let mut request = TestRequest::default()
            .method(Method::from_bytes(self.method.as_bytes()).unwrap())
            .uri(&self.path)
            .peer_addr(self.peer);
        for (name, value) in &self.headers {
            request = request.append_header((name.as_str(), value.as_str()));
        }
        if let Some(body) = self.body {
            request = request.append_header((header::CONTENT_LENGTH, body.len())).set_payload(body);
        }
        let (status, headers, body) = (self.service)(request).await;
        Answer { asked: format!("{} {}", self.method, self.path), status: status.as_u16(), headers, body }
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Sends all calls at once; the answers in their order.
pub(crate) async fn at_once<C: IntoFuture>(calls: impl IntoIterator<Item = C>) -> Vec<C::Output> {
    join_all(calls.into_iter().map(IntoFuture::into_future)).await
}

/// Calls by somebody, see [`TestApp::by`].
pub(crate) struct User<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> User<'a> {
    pub(super) fn new(app: &'a TestApp, token: String) -> Self {
        Self { app, token }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.app.get(path).bearer(&self.token)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Call {
        self.app.post(path, body).bearer(&self.token)
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Call {
        self.app.patch(path, body).bearer(&self.token)
    }

    /// PUT.
    pub(crate) fn call_put(&self, path: &str, body: Value) -> Call {
        self.app.call("PUT", path).json(body).bearer(&self.token)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.app.delete(path).bearer(&self.token)
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    asked: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// # Panics
    /// With the body, where the status is another one.
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered {}: {}", self.asked, self.status, self.text());
        self
    }

    /// A problem of this status and code, with the right face.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect_status(status);
        assert_eq!(answer.code(), code, "{}", answer.text());
        answer
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} answered no JSON ({error}): {}", self.asked, self.text()))
    }

    #[track_caller]
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.json()).unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.text()))
    }

    /// The problem document; its face is checked.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.asked, self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{}", problem["code"].as_str().unwrap_or_default()), "{problem}");
        problem
    }

    /// The problem's code.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.problem()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The text at a JSON pointer: `answer.at("/items/0/id")`.
    #[track_caller]
    pub(crate) fn at(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("{} has no {pointer}: {}", self.asked, self.text()),
        }
    }

    /// The object's id.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.at("/id")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
