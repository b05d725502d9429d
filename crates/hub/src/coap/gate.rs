//! One request of CoAP through the HTTP API.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, header},
    response::Response as Answer,
};
use quartet_fabric::coap::{ANSWER_BYTES_MAX, Code, Method, Request, Response, etag_of};
use quartet_people::audit::Door;
use tower_service::Service;

use super::{
    observe::{Feed, Frames},
    translate,
};
use crate::http::Caller;

/// How long what is observed may be taken for right, in seconds; each change is told.
const OBSERVED_MAX_AGE_S: u32 = 3600;

/// The HTTP API, as one peer sees it.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: Router,
    pub(super) peer: SocketAddr,
    /// The name of this machine if the peer does not say one.
    pub(super) host: String,
}

/// What came of a request.
pub(super) enum Outcome {
    Whole(Response),
    /// A stream of server-sent events.
    Stream(Frames),
}

impl Gate {
    /// Answers a request; gives what is to be told from then on if it observes something.
    pub(super) async fn answer(&self, request: &Request) -> (Response, Option<Feed>) {
        // What comes meanwhile is not missed: the stream begins before the value is read.
        let changes = match changes_of(request) {
            Some(stream) => match self.ask(&stream).await {
                Outcome::Stream(frames) => Some(frames),
                Outcome::Whole(_) => None,
            },
            None => None,
        };
        match (self.ask(request).await, changes) {
            (Outcome::Whole(response), Some(changes)) if response.code.is_success() => {
                let first = observed(response);
                let feed = Feed::states(changes, self.clone(), request.clone(), &first);
                (first, Some(feed))
            }
            (Outcome::Whole(response), _) => (response, None),
            (Outcome::Stream(frames), _) if request.observes => {
                // There is nothing to say yet.
                (
                    observed(Response::empty(Code::CONTENT)),
                    Some(Feed::events(frames)),
                )
            }
            (Outcome::Stream(_), _) => {
                let why = "this is a stream: observe it";
                (Response::refusal(Code::BAD_REQUEST, why), None)
            }
        }
    }

    /// What is there now, as its observers are told.
    pub(super) async fn state(&self, request: &Request) -> Option<Response> {
        match self.ask(request).await {
            Outcome::Whole(response) if response.code.is_success() => Some(observed(response)),
            Outcome::Whole(response) => Some(response),
            Outcome::Stream(_) => None,
        }
    }

    async fn ask(&self, request: &Request) -> Outcome {
        let if_match = match self.if_match(request).await {
            Ok(if_match) => if_match,
            Err(why) => return Outcome::Whole(why),
        };
        let answer = match self.call(request, if_match.as_deref()).await {
            Ok(answer) => answer,
            Err(why) => return Outcome::Whole(why),
        };
        let (head, body) = answer.into_parts();
        let kind = head.headers.get(header::CONTENT_TYPE);
        if head.status == StatusCode::OK && kind.is_some_and(|kind| kind == "text/event-stream") {
            return Outcome::Stream(Frames::new(body));
        }
        Outcome::Whole(match whole(body).await {
            Ok(body) => translate::response(request, head.status, &head.headers, body),
            Err(why) => why,
        })
    }

    async fn call(&self, request: &Request, if_match: Option<&str>) -> Result<Answer, Response> {
        let host = request.host.as_deref().unwrap_or(&self.host);
        let mut request = translate::request(request, host, if_match)?;
        request.extensions_mut().insert(ConnectInfo(Caller {
            shown: None,
            address: self.peer,
            is_encrypted: false,
            door: Door::Coap,
        }));
        match self.app.clone().call(request).await {
            Ok(answer) => Ok(answer),
            Err(never) => match never {},
        }
    }

    /// The condition in HTTP's words. Entity tags of CoAP are hashes of those of HTTP: the one
    /// that holds now is looked up, and HTTP sees to it that it still holds then.
    async fn if_match(&self, request: &Request) -> Result<Option<String>, Response> {
        if request.if_match.is_empty() {
            return Ok(None);
        }
        if request.if_match.iter().any(Vec::is_empty) {
            return Ok(Some("*".to_owned()));
        }
        let reads = Request {
            method: Method::Get,
            if_match: Vec::new(),
            payload: Bytes::new(),
            ..request.clone()
        };
        let answer = self.call(&reads, None).await?;
        let tag = tag_of(answer.headers());
        tag.filter(|tag| request.if_match.contains(&etag_of(tag.as_bytes())))
            .map(Some)
            .ok_or_else(|| {
                let why = "it has changed meanwhile; read it again";
                Response::refusal(Code::PRECONDITION_FAILED, why)
            })
    }
}

fn tag_of(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::ETAG)?.to_str().ok()?.to_owned())
}

async fn whole(body: Body) -> Result<Bytes, Response> {
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
    body.map_err(|_| {
        let why = format!("the answer has more than {ANSWER_BYTES_MAX} bytes; ask for less");
        Response::refusal(Code::BAD_REQUEST, &why)
    })
}

/// The request for the stream of changes of what is observed, if that is a property.
fn changes_of(request: &Request) -> Option<Request> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let is_property = matches!(path[..], ["api", _, _, "properties", _]);
    (request.observes && is_property).then(|| {
        let mut stream = request.clone();
        stream.path.push("observe".to_owned());
        stream.accept = None;
        stream
    })
}

fn observed(response: Response) -> Response {
    let max_age_s = Some(OBSERVED_MAX_AGE_S);
    Response {
        max_age_s,
        ..response
    }
}
