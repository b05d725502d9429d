use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::connect_info::Connected};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use quartet_people::{audit::Door, credentials::Shown};
use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tower_service::Service;

use crate::shell::{Answers, Authority};

/// Who asks, and how.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    /// Nobody on the way can read it.
    pub(crate) is_encrypted: bool,
    /// What a certificate of its own shows.
    pub(crate) shown: Option<Shown>,
    /// What is spoken.
    pub(crate) door: Door,
}

impl Connected<Caller> for Caller {
    fn connect_info(caller: Caller) -> Self {
        caller
    }
}

/// How connections are encrypted.
#[derive(Clone)]
pub(crate) struct Tls {
    /// What holds for the next connection: it may be another one after a reload.
    pub(crate) config: Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>,
    /// Whose client certificates say for which element they are.
    pub(crate) authority: Option<Arc<Authority>>,
    /// What an authority finds that looks whether a domain is the hub's.
    pub(crate) answers: Option<Arc<Answers>>,
}

impl Tls {
    /// The server's half of a connection; `None` if it was an authority, which has seen what it came for.
    async fn accept(&self, socket: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let answers = self.answers.as_ref();
        if let Some(config) = answers.and_then(|all| all.config(&begun.client_hello())) {
            begun.into_stream(config).await?.shutdown().await?;
            return Ok(None);
        }
        begun.into_stream((self.config)()).await.map(Some)
    }
}

/// How long TLS may take to come about.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Binds `address`; gives the task that serves and the address in use.
pub(crate) async fn serve(
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
        let tls = tls.clone();
        let mut caller = Caller {
            address: peer,
            is_encrypted: tls.is_some(),
            shown: None,
            door: Door::Http,
        };
        // One that is slow holds up no other.
        tokio::spawn(async move {
            let Some(tls) = tls else {
                return talk(socket, caller, app).await;
            };
            match timeout(HANDSHAKE, tls.accept(socket)).await {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(socket))) => {
                    // The verifier has checked it.
                    let certificate = socket.get_ref().1.peer_certificates();
                    let certificate = certificate.and_then(<[_]>::first);
                    caller.shown = certificate
                        .zip(tls.authority)
                        .and_then(|(certificate, authority)| authority.shown(certificate));
                    talk(socket, caller, app).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
                Err(_) => tracing::debug!(%peer, "TLS took too long"),
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
    let peer = caller.address;
    let app = match app.call(caller).await {
        Ok(app) => TowerToHyperService::new(app),
        Err(never) => match never {},
    };
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Answers to requests that came together leave together.
    http.http1().pipeline_flush(true);
    let served = http.serve_connection_with_upgrades(TokioIo::new(socket), app);
    if let Err(error) = served.await {
        tracing::debug!(%error, %peer, "an HTTP connection broke off");
    }
}
