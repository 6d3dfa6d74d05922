//! Sends the requests of `object_store` through the HTTP client that the rest of airgate uses: the same TLS, no redirects, no
//! HTTP/2.

use std::error::Error as _;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use crate::address::{self, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Connector(reqwest::Client);

impl Connector {
    /// Creates a client for `endpoint`. A request fails if nothing arrives for `stall`; sending a part of a backup counts as
    /// silence.
    pub(super) fn new(endpoint: &Url, stall: Duration) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the signed request to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(stall))
            .read_timeout(stall)
            .user_agent(concat!("airgate/", env!("CARGO_PKG_VERSION")));
        if address::is_loopback(endpoint) {
            builder = builder.no_proxy();
        }
        if endpoint.scheme() == "https" {
            builder = builder.https_only(true);
        }
        Ok(Self(builder.build()?))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Connector {
    // What `#[async_trait]` makes of `async fn call(&self, request: HttpRequest) -> …`.
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        's: 'f,
        Self: 'f,
    {
        async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string())
                .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
            let mut request = reqwest::Request::new(parts.method, url);
            *request.headers_mut() = parts.headers;
            *request.body_mut() = Some(reqwest::Body::wrap(body));
            let answer = self.0.execute(request).await.map_err(told)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = HttpResponseBody::new(Answer(Box::pin(reqwest::Body::from(answer))));
            let mut response = HttpResponse::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        .boxed()
    }
}

/// The body of an answer, with errors that `object_store` knows.
struct Answer(std::pin::Pin<Box<reqwest::Body>>);

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.0.as_mut().poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(told)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Says which errors are worth another attempt. Every request that airgate makes of a bucket can be repeated.
fn told(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_builder() {
        HttpErrorKind::Unknown
    } else {
        HttpErrorKind::Interrupted
    };
    // The cause says more than reqwest's "error sending request".
    let cause = error.source().map_or_else(|| error.to_string(), |cause| format!("{cause}"));
    HttpError::new(kind, std::io::Error::other(cause))
}
