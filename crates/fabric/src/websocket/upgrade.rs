use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// An upgrade request that is in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upgrade {
    /// Bytes that the request took; what follows is frames.
    pub consumed: usize,
    /// What to answer.
    pub response: Vec<u8>,
}

/// Why a request is not upgraded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not HTTP, or too long.
    #[error("this is no HTTP request")]
    NotHttp,
    /// HTTP, but no WebSocket.
    #[error("this listener speaks MQTT over WebSocket; ask for an upgrade to websocket")]
    NoUpgrade,
    /// A version other than 13.
    #[error("the WebSocket version must be 13")]
    Version,
    /// No key, or not one of 16 bytes.
    #[error("Sec-WebSocket-Key is missing or not 16 bytes in base64")]
    Key,
    /// The client does not offer `mqtt` [MQTT-6.0.0-3].
    #[error("the client must offer the subprotocol mqtt")]
    Subprotocol,
    /// A page of another site: browsers let any page open sockets to this machine.
    #[error("this page's origin is not allowed here; add it to `websocket.origins`")]
    Origin,
}

impl Refusal {
    /// The HTTP response that says so.
    pub fn response(self) -> Vec<u8> {
        let (status, more) = match self {
            Self::NoUpgrade => ("426 Upgrade Required", "Upgrade: websocket\r\n"),
            Self::Version => ("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n"),
            Self::Origin => ("403 Forbidden", ""),
            Self::NotHttp | Self::Key | Self::Subprotocol => ("400 Bad Request", ""),
        };
        let body = format!("{self}\n");
        format!(
            "HTTP/1.1 {status}\r\n{more}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// A request with more bytes than this is refused.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Reads an upgrade request; `None` if more bytes are needed.
///
/// `may_come_from` decides on the page that a browser names as its origin, given also the host
/// that it asked for; programs name none and are let through.
pub fn upgrade(
    bytes: &[u8],
    may_come_from: impl Fn(&str, &str) -> bool,
) -> Result<Option<Upgrade>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let consumed = match request.parse(bytes) {
        Ok(httparse::Status::Complete(consumed)) if consumed <= REQUEST_BYTES_MAX => consumed,
        Ok(httparse::Status::Partial) if bytes.len() <= REQUEST_BYTES_MAX => return Ok(None),
        _ => return Err(Refusal::NotHttp),
    };
    let values = |name: &'static str| {
        request
            .headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .filter_map(|header| std::str::from_utf8(header.value).ok())
    };
    let lists = |name, token: &str| {
        values(name)
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if request.method != Some("GET")
        || !lists("upgrade", "websocket")
        || !lists("connection", "upgrade")
    {
        return Err(Refusal::NoUpgrade);
    }
    if !lists("sec-websocket-version", "13") {
        return Err(Refusal::Version);
    }
    let key = values("sec-websocket-key").next().unwrap_or("").trim();
    if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(Refusal::Key);
    }
    // `mqttv3.1` is what clients of that version offer.
    let protocol = ["mqtt", "mqttv3.1"]
        .into_iter()
        .find(|protocol| lists("sec-websocket-protocol", protocol))
        .ok_or(Refusal::Subprotocol)?;
    let host = values("host").next().unwrap_or("");
    if let Some(origin) = values("origin").next()
        && !may_come_from(origin.trim(), host.trim())
    {
        return Err(Refusal::Origin);
    }
    let accept = accept(key);
    // [MQTT-6.0.0-4]
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    Ok(Some(Upgrade {
        consumed,
        response: response.into_bytes(),
    }))
}

/// Section 4.2.2, item 5.4.
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(without: &str, more: &str) -> Vec<u8> {
        let lines = [
            "GET /mqtt HTTP/1.1",
            "Host: hub.local",
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: other, mqtt",
        ];
        let mut text = String::new();
        for line in lines.iter().filter(|line| !line.starts_with(without)) {
            text += line;
            text += "\r\n";
        }
        format!("{text}{more}\r\n").into_bytes()
    }

    fn same_host(origin: &str, host: &str) -> bool {
        origin.ends_with(host)
    }

    #[test]
    fn mqtt_6_0_0_4_the_example_of_rfc_6455_is_accepted_as_mqtt() {
        let mut bytes = request("none", "");
        let length = bytes.len();
        bytes.extend_from_slice(b"frames");
        let upgrade = upgrade(&bytes, same_host).unwrap().unwrap();
        assert_eq!(upgrade.consumed, length);
        let response = String::from_utf8(upgrade.response).unwrap();
        assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(response.contains("Sec-WebSocket-Protocol: mqtt\r\n"));
    }

    #[test]
    fn half_a_request_waits_for_the_rest_but_not_for_ever() {
        let bytes = request("none", "");
        assert_eq!(upgrade(&bytes[..40], same_host), Ok(None));
        let endless = [b"GET / HTTP/1.1\r\nX: ", &[b'x'; REQUEST_BYTES_MAX][..]].concat();
        assert_eq!(upgrade(&endless, same_host), Err(Refusal::NotHttp));
    }

    #[test]
    fn what_is_no_upgrade_is_told_what_would_be() {
        for (without, refusal) in [
            ("Upgrade", Refusal::NoUpgrade),
            ("Sec-WebSocket-Version", Refusal::Version),
            ("Sec-WebSocket-Key", Refusal::Key),
            ("Sec-WebSocket-Protocol", Refusal::Subprotocol), // [MQTT-6.0.0-3]
        ] {
            let found = upgrade(&request(without, ""), same_host);
            assert_eq!(found, Err(refusal));
            assert!(refusal.response().starts_with(b"HTTP/1.1 4"));
        }
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let foreign = request("none", "Origin: http://evil.example\r\n");
        assert_eq!(upgrade(&foreign, same_host), Err(Refusal::Origin));
        let own = request("none", "Origin: http://hub.local\r\n");
        assert!(upgrade(&own, same_host).unwrap().is_some());
    }
}
