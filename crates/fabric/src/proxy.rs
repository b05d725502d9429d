//! PROXY protocol v2: a load balancer says in front of everything else whom it speaks for.

use std::net::SocketAddr;

use ppp::v2;

/// Bytes of a header that say nothing we need are refused beyond this.
const HEADER_BYTES_MAX: usize = 1024;

/// What a PROXY header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proxied {
    /// Bytes that the header took.
    pub consumed: usize,
    /// The client; `None` if the balancer speaks for itself, as in health checks.
    pub client: Option<SocketAddr>,
}

/// The listener wants a PROXY v2 header, and this is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the connection does not begin with a PROXY protocol v2 header, which this listener demands"
)]
pub struct NotProxied;

/// Reads the header; `None` if more bytes are needed.
pub fn read(bytes: &[u8]) -> Result<Option<Proxied>, NotProxied> {
    let header = match v2::Header::try_from(bytes) {
        Ok(header) if header.header.len() <= HEADER_BYTES_MAX => header,
        Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..))
            if bytes.len() <= HEADER_BYTES_MAX =>
        {
            return Ok(None);
        }
        Ok(_) | Err(_) => return Err(NotProxied),
    };
    let client = match (header.command, header.addresses) {
        (v2::Command::Local, _) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(address)) => Some(SocketAddr::from((
            address.source_address,
            address.source_port,
        ))),
        (v2::Command::Proxy, v2::Addresses::IPv6(address)) => Some(SocketAddr::from((
            address.source_address,
            address.source_port,
        ))),
        (v2::Command::Proxy, _) => None,
    };
    Ok(Some(Proxied {
        consumed: header.header.len(),
        client,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    #[test]
    fn the_client_behind_the_balancer_is_known() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[
            0x21, 0x11, 0, 12, 10, 0, 0, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80,
        ]);
        let complete = bytes.len();
        bytes.extend_from_slice(b"CONNECT");
        for end in 0..complete {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end}");
        }
        assert_eq!(
            read(&bytes),
            Ok(Some(Proxied {
                consumed: complete,
                client: Some("10.0.0.7:12345".parse().unwrap())
            }))
        );
    }

    #[test]
    fn a_health_check_speaks_for_itself() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0x20, 0, 0, 0]);
        let proxied = read(&bytes).unwrap().unwrap();
        assert_eq!((proxied.consumed, proxied.client), (16, None));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(read(b"\x10\x20\0\x04MQTT\x04\x02"), Err(NotProxied));
    }
}
