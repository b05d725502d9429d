use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::connect_info::Connected};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    /// Nobody on the way can read it.
    pub(crate) is_encrypted: bool,
}

impl Connected<Caller> for Caller {
    fn connect_info(caller: Caller) -> Self {
        caller
    }
}

/// What holds for the next TLS connection: it may be another one after a reload.
pub type Tls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// How long TLS may take to come about.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Binds `address`; gives the task that serves and the address in use.
pub async fn serve(
    address: SocketAddr,
    app: Router,
    tls: Option<Tls>,
) -> io::Result<(impl Future<Output = ()> + Send, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let local = listener.local_addr()?;
    Ok((accept(listener, app, tls), local))
}

async fn accept(listener: TcpListener, app: Router, tls: Option<Tls>) {
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
        let app = app.clone();
        let tls = tls.as_ref().map(|tls| TlsAcceptor::from(tls()));
        let caller = Caller {
            address: peer,
            is_encrypted: tls.is_some(),
        };
        // One that is slow holds up no other.
        tokio::spawn(async move {
            match tls {
                None => talk(socket, caller, app).await,
                Some(tls) => match timeout(HANDSHAKE, tls.accept(socket)).await {
                    Ok(Ok(socket)) => talk(socket, caller, app).await,
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
                    Err(_) => tracing::debug!(%peer, "TLS took too long"),
                },
            }
        });
    }
}

/// One connection, to its end.
async fn talk(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    caller: Caller,
    app: Router,
) {
    let mut app = app.into_make_service_with_connect_info::<Caller>();
    let app = match app.call(caller).await {
        Ok(app) => TowerToHyperService::new(app),
        Err(never) => match never {},
    };
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Answers to requests that came together leave together.
    http.http1().pipeline_flush(true);
    let served = http.serve_connection_with_upgrades(TokioIo::new(socket), app);
    if let Err(error) = served.await {
        tracing::debug!(%error, peer = %caller.address, "an HTTP connection broke off");
    }
}
