use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use serde_json::Value;

use super::PATIENCE;

/// A stream of server-sent events, as they come.
pub(crate) struct Events(BufReader<TcpStream>);

/// One of them.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sent {
    /// Its kind; empty if it has none.
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    /// Opens `path`; once this returns, nothing that happens is missed.
    #[track_caller]
    pub(crate) fn open(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "Accept: text/event-stream\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let status = events.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{path}: {status}");
        let mut is_stream = false;
        loop {
            let header = events.line().to_lowercase();
            is_stream |= header == "content-type: text/event-stream";
            if header.is_empty() {
                assert!(is_stream, "{path} is no stream of events");
                return events;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until the hub ends the stream.
    #[track_caller]
    pub(crate) fn end(mut self) {
        // The chunk that has nothing in it is the last.
        while self.line() != "0" {}
    }

    /// The next event. The sizes of chunks between its lines are no fields, and so do not count.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Sent {
        let (mut event, mut id) = (String::new(), String::new());
        let mut data: Option<String> = None;
        // What keeps the connection alive comes also when nothing happens.
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "nothing more happens");
            let line = self.line();
            if line.is_empty()
                && let Some(data) = &data
            {
                let data = serde_json::from_str(data).unwrap();
                return Sent { event, id, data };
            }
            match line.split_once(": ") {
                Some(("event", value)) => event = value.to_owned(),
                Some(("id", value)) => id = value.to_owned(),
                Some(("data", value)) => data.get_or_insert_default().push_str(value),
                _ => {}
            }
        }
    }
}
