use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// Nobody on the way can read it.
    pub(super) is_encrypted: bool,
}

impl Connected<IncomingStream<'_, Sockets>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Sockets>) -> Self {
        *stream.remote_addr()
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Sockets that are ready for HTTP: accepted, and through with TLS if there is TLS. One that is
/// slow at that holds up no other.
struct Sockets {
    ready: mpsc::Receiver<(Box<dyn Socket>, Caller)>,
    local: Caller,
}

/// What holds for the next TLS connection: it may be another one after a reload.
pub type Tls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// How long TLS may take to come about.
const HANDSHAKE: Duration = Duration::from_secs(5);

impl Listener for Sockets {
    type Io = Box<dyn Socket>;
    type Addr = Caller;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(socket) => socket,
            // The task that accepts never ends before the runtime does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Caller> {
        Ok(self.local)
    }
}

/// Binds `address`; gives the task that serves and the address in use.
pub async fn serve(
    address: SocketAddr,
    app: Router,
    tls: Option<Tls>,
) -> io::Result<(impl Future<Output = ()> + Send, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let local = listener.local_addr()?;
    let (give, ready) = mpsc::channel(64);
    let sockets = Sockets {
        ready,
        local: Caller {
            address: local,
            is_encrypted: tls.is_some(),
        },
    };
    let task = async move {
        tokio::spawn(accept(listener, tls, give));
        let app = app.into_make_service_with_connect_info::<Caller>();
        if let Err(error) = axum::serve(sockets, app).await {
            tracing::error!(%error, "HTTP ended");
        }
    };
    Ok((task, local))
}

async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    give: mpsc::Sender<(Box<dyn Socket>, Caller)>,
) {
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(%error, "cannot accept an HTTP connection; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Answers are written in parts; none of them waits for the other side's acknowledgement.
        // A socket that cannot do this is slower, and no worse.
        let _ = socket.set_nodelay(true);
        let give = give.clone();
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls()));
        let is_encrypted = tls.is_some();
        tokio::spawn(async move {
            let socket: Box<dyn Socket> = match tls {
                None => Box::new(socket),
                Some(tls) => match timeout(HANDSHAKE, tls.accept(socket)).await {
                    Ok(Ok(socket)) => Box::new(socket),
                    Ok(Err(error)) => return tracing::debug!(%error, %peer, "no TLS"),
                    Err(_) => return tracing::debug!(%peer, "TLS took too long"),
                },
            };
            // Nobody takes it any more when the hub goes down.
            let caller = Caller {
                address: peer,
                is_encrypted,
            };
            let _ = give.send((socket, caller)).await;
        });
    }
}
