//! What a request carries: taken out of it, or refused with a problem.

use axum::{
    extract::{self, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt;

use super::problem::Problem;

/// Bytes that one request may carry.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// How much of a longer one is read, so that whoever sends it hears that it is too long, instead
/// of a connection that breaks off.
const READ_BYTES_MAX: usize = 16 << 20;

/// What the path names.
pub(super) struct Path<T>(pub(super) T);

/// What stands behind the question mark.
pub(super) struct Query<T>(pub(super) T);

/// What was sent, as a whole.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(path)) => Ok(Self(path)),
            Err(why) => Err(Problem::new(why.status(), why.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match extract::Query::from_request_parts(parts, state).await {
            Ok(extract::Query(query)) => Ok(Self(query)),
            Err(why) => Err(Problem::new(why.status(), why.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let most = Most {
            taken: BODY_BYTES_MAX,
            read: READ_BYTES_MAX,
        };
        most.of(request).await.map(Self)
    }
}

/// How much of a body is taken, and how much of a longer one is read and dropped, in bytes.
pub(super) struct Most {
    pub(super) taken: usize,
    pub(super) read: usize,
}

impl Most {
    /// What a request carries, if that is not too long.
    pub(super) async fn of(&self, request: Request) -> Result<Bytes, Problem> {
        let said = said_length(request.headers());
        let is_held_back = request.headers().contains_key(header::EXPECT);
        // Whoever sends it hears that without its being read.
        if self.read < said || is_held_back && self.taken < said {
            return Err(self.too_long());
        }
        let mut parts = request.into_body().into_data_stream();
        let mut body = BytesMut::new();
        let mut length = 0;
        while let Some(part) = parts.next().await {
            let part = part.map_err(|why| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    format!("the body broke off: {why}"),
                )
            })?;
            length += part.len();
            if length.max(said) <= self.taken {
                body.extend_from_slice(&part);
            } else {
                body = BytesMut::new(); // It is not taken.
            }
            if self.read < length {
                break;
            }
        }
        if self.taken < length {
            return Err(self.too_long());
        }
        Ok(body.freeze())
    }

    fn too_long(&self) -> Problem {
        let what = format!(
            "the body is too long: at most {} bytes are taken",
            self.taken
        );
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    }
}

/// How long the body is, if that is said.
fn said_length(headers: &HeaderMap) -> usize {
    let length = headers.get(header::CONTENT_LENGTH);
    length
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}
