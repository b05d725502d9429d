//! A non-blocking stream to the broker, over TCP or a Unix socket.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    path::PathBuf,
};

use mio::{Interest, Registry, Token, event::Source, net};
use socket2::SockRef;

/// Where to connect to, names resolved.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The stream.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(net::TcpStream),
    Unix(net::UnixStream),
}

impl Socket {
    /// Begins to connect and registers the socket.
    pub(super) fn connect(target: &Target, token: Token, registry: &Registry) -> io::Result<Self> {
        let mut socket = match target {
            Target::Tcp(address) => Self::Tcp(net::TcpStream::connect(*address)?),
            Target::Unix(path) => Self::Unix(net::UnixStream::connect(path)?),
        };
        registry.register(
            socket.source(),
            token,
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(socket)
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }

    /// Whether the connection stands by now; an error if it never will.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let (error, peer) = match self {
            Self::Tcp(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
            Self::Unix(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
        };
        if let Some(error) = error {
            return Err(error);
        }
        match peer {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Small frames leave at once; who sends without end feels soon that the broker is full.
    pub(super) fn set_options(&self, is_flat_out: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                if is_flat_out {
                    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER_BYTES)?;
                }
                stream.set_nodelay(true)
            }
            Self::Unix(_) => Ok(()),
        }
    }
}

/// So much of an endless stream may wait in our half of the connection. The system would let it
/// grow to megabytes: seconds of messages that were sent, but have reached nobody.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
