//! The Web Thing Protocol by hand.

use std::net::TcpStream;

use serde_json::{Value, json};
use tungstenite::{
    Error, Message,
    client::client,
    handshake::client::generate_key,
    http::Request,
    protocol::{WebSocket, frame::coding::CloseCode},
};

use super::{Hub, PATIENCE};

/// A web socket that speaks it, about one thing.
pub(crate) struct WebThing {
    pub(crate) socket: WebSocket<TcpStream>,
    thing: String,
}

/// The status and the body with which a handshake is refused.
pub(crate) type Refused = (u16, String);

impl WebThing {
    #[track_caller]
    pub(crate) fn open(hub: &Hub, thing: &str, query: &str) -> Self {
        Self::with(hub, thing, query, &[]).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// The same with other headers; an empty one is left out.
    pub(crate) fn with(
        hub: &Hub,
        thing: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Refused> {
        let at = hub.at("http://");
        let (host, key) = (at.to_string(), generate_key());
        let usual = [
            ("host", &*host),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", &key),
            ("sec-websocket-protocol", "webthingprotocol"),
        ];
        let mut request = Request::builder().uri(format!("ws://{host}/api/ws{query}"));
        for (name, value) in usual {
            if !headers.iter().any(|(own, _)| *own == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match client(request.body(()).unwrap(), stream) {
            Ok((socket, answer)) => {
                assert_eq!(
                    answer.headers()["sec-websocket-protocol"],
                    "webthingprotocol"
                );
                Ok(Self {
                    socket,
                    thing: thing.to_owned(),
                })
            }
            Err(tungstenite::HandshakeError::Failure(Error::Http(answer))) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.text(&message.to_string());
    }

    /// Sends a request for the thing, known by `mark`.
    pub(crate) fn request(&mut self, mark: &str, operation: &str, more: &Value) {
        let mut request = json!({
            "thingID": self.thing, "messageID": "c370da58-69ae-4e83-bb5a-ac6cfb2fed54",
            "messageType": "request", "operation": operation, "correlationID": mark,
        });
        add(&mut request, more);
        self.say(&request);
    }

    /// The same, and the answer; news that come before it are passed over.
    #[track_caller]
    pub(crate) fn ask(&mut self, operation: &str, more: &Value) -> Value {
        let mark = generate_key();
        self.request(&mark, operation, more);
        loop {
            let answer = self.next();
            if answer["messageType"] == "response" {
                assert_eq!(answer["correlationID"], mark, "{answer}");
                assert_eq!(answer["operation"], operation, "{answer}");
                return answer;
            }
        }
    }

    /// Reports something of the thing.
    pub(crate) fn report(&mut self, operation: &str, more: &Value) {
        let mut news =
            json!({ "thingID": self.thing, "messageType": "notification", "operation": operation });
        add(&mut news, more);
        self.say(&news);
    }

    /// Answers what the thing was asked.
    pub(crate) fn answer(&mut self, asked: &Value, more: &Value) {
        let mut answer = json!({
            "thingID": asked["thingID"], "messageType": "response", "operation": asked["operation"],
            "name": asked["name"], "correlationID": asked["correlationID"],
        });
        add(&mut answer, more);
        self.say(&answer);
    }

    /// The next message; the second ping says that none comes.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        let mut pings = 0;
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) if pings == 0 => pings = 1,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The first message that is what it should be.
    #[track_caller]
    pub(crate) fn until(&mut self, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let next = self.next();
            if is_it(&next) {
                return next;
            }
        }
    }

    /// Waits until the hub closes it; says with which code and why.
    #[track_caller]
    pub(crate) fn closed(mut self) -> (CloseCode, String) {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(close))) => return (close.code, close.reason.to_string()),
                Ok(Message::Text(_) | Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn say_goodbye(mut self) {
        self.socket.close(None).unwrap();
        while self.socket.read().is_ok() {}
    }
}

fn add(to: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        to[name] = value.clone();
    }
}
