//! A blocking stream to a broker: TCP, TLS over TCP, or a Unix socket. Reads end after the time
//! that was set, so that whoever waits can do something else in between.

use std::{
    fs, io,
    io::{Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use super::{ClientError, Endpoint};

/// Whose certificate is believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Nobody's: `mqtts://` does not work.
    #[default]
    None,
    /// Whoever is certified by a certificate of this PEM file.
    CaFile(PathBuf),
    /// Anybody's. The connection is encrypted, but with whom nobody knows.
    Anybody,
}

/// Whether anybody takes connections there, MQTT or not.
pub fn reach(endpoint: &Endpoint, patience: Duration) -> Result<(), ClientError> {
    Stream::reach(endpoint, patience)
}

/// The stream.
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects; every address of the name is tried.
    pub(super) fn connect(
        endpoint: &Endpoint,
        trust: &Trust,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        match endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(|why| ClientError::Connect {
                    endpoint: endpoint.clone(),
                    why,
                })?;
                Ok(Self::Unix(stream))
            }
            Endpoint::Tcp { host, port } => tcp(endpoint, host, *port, patience).map(Self::Tcp),
            Endpoint::Tls { host, port } => {
                let config = tls_config(endpoint, trust)?;
                let stream = tcp(endpoint, host, *port, patience)?;
                tls(endpoint, host, stream, config, patience)
            }
        }
    }

    /// Connects the transport alone, without TLS.
    fn reach(endpoint: &Endpoint, patience: Duration) -> Result<(), ClientError> {
        match endpoint {
            Endpoint::Tls { host, port } => tcp(endpoint, host, *port, patience).map(drop),
            _ => Self::connect(endpoint, &Trust::None, patience).map(drop),
        }
    }

    /// How long a read waits.
    pub(super) fn set_read_timeout(&self, wait: Duration) -> io::Result<()> {
        // A timeout of zero would mean for ever.
        let wait = Some(wait.max(Duration::from_millis(1)));
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(wait),
            Self::Tls(stream) => stream.sock.set_read_timeout(wait),
            Self::Unix(stream) => stream.set_read_timeout(wait),
        }
    }

    /// Says that nothing more will be written, as far as the transport can.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush()
            }
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

fn tcp(
    endpoint: &Endpoint,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<TcpStream, ClientError> {
    let addresses = (host, port)
        .to_socket_addrs()
        .map_err(|why| ClientError::Resolve {
            host: host.to_owned(),
            why,
        })?;
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        let connected = TcpStream::connect_timeout(&address, patience).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(patience))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => return Ok(stream),
            Err(why) => last = why,
        }
    }
    Err(ClientError::Connect {
        endpoint: endpoint.clone(),
        why: last,
    })
}

fn tls(
    endpoint: &Endpoint,
    host: &str,
    mut socket: TcpStream,
    config: ClientConfig,
    patience: Duration,
) -> Result<Stream, ClientError> {
    let failed = |why| ClientError::Tls {
        endpoint: endpoint.clone(),
        why,
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| failed(rustls::Error::General("the host is no DNS name".to_owned())))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
    socket
        .set_read_timeout(Some(patience))
        .map_err(ClientError::Io)?;
    while connection.is_handshaking() {
        if let Err(why) = connection.complete_io(&mut socket) {
            // What rustls finds wrong comes wrapped into an I/O error.
            return Err(match why.downcast::<rustls::Error>() {
                Ok(why) => failed(why),
                Err(why) => failed(rustls::Error::General(why.to_string())),
            });
        }
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
}

fn tls_config(endpoint: &Endpoint, trust: &Trust) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions of TLS");
    match trust {
        Trust::None => Err(ClientError::NoTrust(endpoint.clone())),
        Trust::Anybody => Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth()),
        Trust::CaFile(path) => Ok(builder
            .with_root_certificates(roots(path)?)
            .with_no_client_auth()),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, ClientError> {
    let wrong = |why: String| ClientError::CaFile {
        path: path.to_owned(),
        why,
    };
    let text = fs::read(path).map_err(|why| wrong(why.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
        roots
            .add(certificate)
            .map_err(|why| wrong(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Believes every certificate (`--insecure`), but not a signature that is not its key's.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
