//! How the authority is asked: HTTPS with an end to each wait and each answer, and nobody is followed elsewhere.

use std::{
    error::Error as StdError, fs, future::Future, path::Path, pin::Pin, sync::Arc, time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, header},
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use parking_lot::Mutex;
use reqwest::redirect::Policy;

use super::super::tls::TlsError;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an answer, or a question, may be.
const BYTES_MAX: usize = 1024 * 1024;

/// What the authority asked to wait for, in an answer that was a refusal (RFC 8555, section 6.6).
pub(super) type Patience = Arc<Mutex<Option<Duration>>>;

/// A client of HTTP.
pub(super) struct Ask {
    http: reqwest::Client,
    patience: Patience,
}

impl Ask {
    /// One that believes whom everybody believes, or those of a file only.
    pub(super) fn new(root: Option<&Path>, patience: Patience) -> Result<Self, TlsError> {
        let mut http = reqwest::Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .timeout(ANSWER);
        if let Some(root) = root {
            http = http.tls_built_in_root_certs(false);
            for root in roots(root)? {
                http = http.add_root_certificate(root);
            }
        }
        let http = http
            .build()
            .map_err(|error| TlsError::Unusable(causes(&error)))?;
        Ok(Self { http, patience })
    }
}

/// The certificates of a file.
pub(super) fn roots(file: &Path) -> Result<Vec<reqwest::Certificate>, TlsError> {
    let error = |why: String| TlsError::Unusable(format!("acme.root: {}: {why}", file.display()));
    let text = fs::read(file).map_err(|why| error(why.to_string()))?;
    let roots = reqwest::Certificate::from_pem_bundle(&text);
    let roots = roots.map_err(|why| error(causes(&why)))?;
    match roots.is_empty() {
        true => Err(error("there is no certificate in PEM in it".to_owned())),
        false => Ok(roots),
    }
}

impl HttpClient for Ask {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (http, patience) = (self.http.clone(), Arc::clone(&self.patience));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(Body::new(body), BYTES_MAX).await;
            let body = body.map_err(|why| other(&why))?;
            let url = parts.uri.to_string().parse();
            let url = url.map_err(|why: url::ParseError| other(&why))?;
            let mut question = reqwest::Request::new(parts.method, url);
            *question.headers_mut() = parts.headers;
            *question.body_mut() = Some(body.into());
            let answer = http.execute(question).await;
            let mut answer = answer.map_err(|why| other(&why.without_url()))?;
            if answer.status().is_client_error() || answer.status().is_server_error() {
                let asked = answer.headers().get(header::RETRY_AFTER);
                let asked = asked.and_then(|asked| asked.to_str().ok()?.parse().ok());
                *patience.lock() = asked.map(Duration::from_secs);
            }
            let mut bytes = Vec::new();
            while let Some(part) = answer.chunk().await.map_err(|why| other(&why))? {
                if BYTES_MAX < bytes.len() + part.len() {
                    return Err(Error::Other("the answer is too long".into()));
                }
                bytes.extend_from_slice(&part);
            }
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(BytesResponse::from(response))
        })
    }
}

fn other(why: &(dyn StdError + 'static)) -> Error {
    Error::Other(causes(why).into())
}

/// An error with all that led to it.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
