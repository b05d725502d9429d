//! Streams of server-sent events to notifications.

use axum::body::{Body, BodyDataStream};
use bytes::BytesMut;
use quartet_fabric::coap::{ANSWER_BYTES_MAX, Code, Kept, Request, Response};
use serde::de::IgnoredAny;
use tokio_stream::StreamExt;

use super::{formats, gate::Gate};

/// What an observer is to be told.
pub(super) enum Feed {
    /// Each event says that something changed; told is what it is then.
    States {
        changes: Frames,
        gate: Gate,
        request: Box<Request>,
        last: Option<Vec<u8>>,
    },
    /// Told is each event.
    Events(Frames),
}

impl Feed {
    /// Changes of what `first` says.
    pub(super) fn states(changes: Frames, gate: Gate, request: Request, first: &Response) -> Self {
        // It is told what it is, and not whether that is known.
        let request = Request {
            etags: Vec::new(),
            observes: false,
            ..request
        };
        Self::States {
            changes,
            gate,
            request: request.into(),
            last: first.etag.clone(),
        }
    }

    pub(super) fn events(frames: Frames) -> Self {
        Self::Events(frames)
    }

    /// What somebody who is slow gets.
    pub(super) fn kept(&self) -> Kept {
        match self {
            Self::States { .. } => Kept::Last,
            Self::Events(_) => Kept::Each,
        }
    }

    /// What is to be told next; `None` if nothing ever will.
    pub(super) async fn next(&mut self) -> Option<Response> {
        match self {
            Self::Events(frames) => Some(event(&frames.next().await?)),
            Self::States {
                changes,
                gate,
                request,
                last,
            } => loop {
                changes.next().await?;
                let state = gate.state(request).await?;
                if state.etag.is_none() || state.etag != *last {
                    last.clone_from(&state.etag);
                    return Some(state);
                }
            },
        }
    }
}

fn event(data: &str) -> Response {
    let is_json = serde_json::from_str::<IgnoredAny>(data).is_ok();
    let format = if is_json {
        formats::JSON
    } else {
        formats::TEXT
    };
    Response {
        content_format: Some(format),
        payload: data.to_owned().into(),
        ..Response::empty(Code::CONTENT)
    }
}

/// Server-sent events, one by one.
pub(super) struct Frames {
    body: BodyDataStream,
    read: BytesMut,
}

impl Frames {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            read: BytesMut::new(),
        }
    }

    /// The data of the next event; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let frame = self.read.split_to(end + 2);
                if let Some(data) = data(&String::from_utf8_lossy(&frame)) {
                    return Some(data);
                }
            }
            if self.read.len() > ANSWER_BYTES_MAX {
                return None;
            }
            let part = self.body.next().await?.ok()?;
            self.read.extend_from_slice(&part);
        }
    }
}

/// The data of an event; `None` for what only keeps the connection alive.
fn data(frame: &str) -> Option<String> {
    let lines = frame.lines().filter_map(|line| line.strip_prefix("data:"));
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_are_cut_out_of_what_comes() {
        let parts = [
            ": hello\n\nid: 1\ndata: a\nda",
            "ta:b\n\ndata:\n",
            "\n:\n\n",
        ];
        let parts = parts.map(Ok::<_, std::convert::Infallible>);
        let body = Body::from_stream(tokio_stream::iter(parts));
        let mut frames = Frames::new(body);
        assert_eq!(frames.next().await.unwrap(), "a\nb");
        assert_eq!(frames.next().await.unwrap(), "");
        assert_eq!(frames.next().await, None);
    }

    #[test]
    fn what_is_no_json_is_text() {
        assert_eq!(event("80.5").content_format, Some(formats::JSON));
        assert_eq!(event("hot!").content_format, Some(formats::TEXT));
    }
}
