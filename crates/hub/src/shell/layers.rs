//! What may lie between a socket and MQTT: a PROXY header, TLS, WebSocket; in this order, each
//! optional.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use quartet_fabric::{
    outbox::Outbox,
    proxy,
    websocket::{CloseCode, Decoder, close_frame, put_header, upgrade},
};
use quartet_people::credentials::Shown;
use rustls::ServerConnection;

use super::{
    authority::Authority,
    connection::{Socket, retry},
};

/// Which pages a browser may connect from: `(origin, host)`.
pub(super) type MayComeFrom = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Bytes that are put into one WebSocket frame or TLS record at most.
const PART_BYTES: usize = 16 * 1024;

/// The layers of one connection.
pub(super) struct Layers {
    proxy: Option<Vec<u8>>,
    tls: Option<Box<ServerConnection>>,
    websocket: Option<WebSocket>,
    /// Bytes that are on their way out, below the outbox.
    outgoing: Vec<u8>,
    gone: usize,
    /// Whose client certificates say for which element they are.
    authority: Option<Arc<Authority>>,
    /// Whether the client's certificate was seen to be good: one of an authority that the
    /// administrator named.
    pub(super) is_certified: bool,
    /// What the client's certificate shows, if the hub's own authority issued it.
    pub(super) shown: Option<Shown>,
    /// The client behind a balancer.
    pub(super) client: Option<SocketAddr>,
}

enum WebSocket {
    AwaitUpgrade(Vec<u8>, MayComeFrom),
    Open(Decoder),
    Closed,
}

/// Why a layer ends the connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayerError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Proxy(#[from] proxy::NotProxied),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Upgrade(#[from] quartet_fabric::websocket::Refusal),
    #[error("WebSocket: {0}")]
    WebSocket(#[from] CloseCode),
}

impl Layers {
    pub(super) fn new(
        with_proxy: bool,
        tls: Option<ServerConnection>,
        authority: Option<Arc<Authority>>,
        websocket: Option<MayComeFrom>,
    ) -> Self {
        Self {
            proxy: with_proxy.then(Vec::new),
            tls: tls.map(Box::new),
            websocket: websocket.map(|may| WebSocket::AwaitUpgrade(Vec::new(), may)),
            outgoing: Vec::new(),
            gone: 0,
            authority,
            is_certified: false,
            shown: None,
            client: None,
        }
    }

    /// Whether a balancer has still to say whom it speaks for.
    pub(super) fn awaits_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Takes bytes from the socket through all layers; appends what is MQTT to `data`.
    pub(super) fn read(&mut self, bytes: &[u8], data: &mut Vec<u8>) -> Result<(), LayerError> {
        let mut bytes = bytes;
        let rest;
        if let Some(header) = &mut self.proxy {
            header.extend_from_slice(bytes);
            let Some(proxied) = proxy::read(header)? else {
                return Ok(());
            };
            self.client = proxied.client;
            rest = header.split_off(proxied.consumed);
            self.proxy = None;
            bytes = &rest;
        }
        if self.tls.is_none() {
            return self.read_websocket(bytes, data);
        }
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            self.read_tls(&mut bytes, &mut plain)?;
        }
        self.read_websocket(&plain, data)
    }

    fn read_tls(&mut self, bytes: &mut &[u8], plain: &mut Vec<u8>) -> Result<(), LayerError> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        tls.read_tls(bytes)?;
        let state = tls.process_new_packets()?;
        let length = plain.len();
        plain.resize(length + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut plain[length..])?;
        if !self.is_certified
            && self.shown.is_none()
            && !tls.is_handshaking()
            // The verifier has checked it; no certificate, no verifier's word.
            && let Some(certificate) = tls.peer_certificates().and_then(<[_]>::first)
        {
            let authority = self.authority.as_deref();
            self.shown = authority.and_then(|authority| authority.shown(certificate));
            self.is_certified = self.shown.is_none();
        }
        Ok(())
    }

    fn read_websocket(&mut self, bytes: &[u8], data: &mut Vec<u8>) -> Result<(), LayerError> {
        match &mut self.websocket {
            None => data.extend_from_slice(bytes),
            Some(WebSocket::Open(decoder)) => {
                if let Err(code) = decoder.decode(bytes, data, &mut self.outgoing) {
                    self.outgoing.extend_from_slice(&close_frame(code));
                    self.websocket = Some(WebSocket::Closed);
                    return Err(code.into());
                }
            }
            Some(WebSocket::AwaitUpgrade(request, may_come_from)) => {
                request.extend_from_slice(bytes);
                match upgrade(request, &**may_come_from) {
                    Ok(None) => {}
                    Ok(Some(upgrade)) => {
                        self.outgoing.extend_from_slice(&upgrade.response);
                        let frames = request.split_off(upgrade.consumed);
                        self.websocket = Some(WebSocket::Open(Decoder::default()));
                        return self.read_websocket(&frames, data);
                    }
                    Err(refusal) => {
                        self.outgoing.extend_from_slice(&refusal.response());
                        self.websocket = Some(WebSocket::Closed);
                        return Err(refusal.into());
                    }
                }
            }
            Some(WebSocket::Closed) => {}
        }
        Ok(())
    }

    /// The connection is about to be closed: say so in each layer's own words.
    pub(super) fn close(&mut self, outbox: &mut Outbox) {
        while !outbox.is_empty() {
            self.wrap(outbox);
        }
        if let Some(WebSocket::Open(_)) = self.websocket {
            self.outgoing
                .extend_from_slice(&close_frame(CloseCode::Normal));
            self.websocket = Some(WebSocket::Closed);
        }
        if let Some(tls) = &mut self.tls {
            let all = self.outgoing.split_off(self.gone);
            self.outgoing.clear();
            self.gone = 0;
            // rustls keeps what it cannot send yet.
            if tls.writer().write_all(&all).is_ok() {
                tls.send_close_notify();
            }
        }
    }

    /// Whether something is on its way below the outbox.
    pub(super) fn has_outgoing(&self) -> bool {
        self.gone < self.outgoing.len() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Moves the next part of the outbox down, in a frame if there are frames.
    fn wrap(&mut self, outbox: &mut Outbox) {
        if self.gone == self.outgoing.len() {
            self.outgoing.clear();
            self.gone = 0;
        }
        let mut part = outbox.len().min(PART_BYTES);
        match self.websocket {
            None => {}
            Some(WebSocket::Open(_)) => put_header(part, &mut self.outgoing),
            // Nobody may be spoken to: not yet, or no more.
            Some(WebSocket::AwaitUpgrade(..) | WebSocket::Closed) => {
                return outbox.advance(outbox.len());
            }
        }
        while 0 < part {
            let first = outbox.first();
            let take = first.len().min(part);
            self.outgoing.extend_from_slice(&first[..take]);
            outbox.advance(take);
            part -= take;
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(
        &mut self,
        socket: &mut Socket,
        outbox: &mut Outbox,
        sent: &mut u64,
    ) -> io::Result<()> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    *sent += retry(|| tls.write_tls(socket))? as u64;
                }
            }
            if self.gone < self.outgoing.len() {
                let rest = &self.outgoing[self.gone..];
                let written = match &mut self.tls {
                    Some(tls) => tls.writer().write(rest)?,
                    None => {
                        let written = retry(|| socket.write(rest))?;
                        *sent += written as u64;
                        written
                    }
                };
                if written == 0 {
                    return Err(ErrorKind::WriteZero.into());
                }
                self.gone += written;
            } else if outbox.is_empty() {
                self.outgoing = Vec::new();
                self.gone = 0;
                return Ok(());
            } else {
                self.wrap(outbox);
            }
        }
    }
}
