use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::Router;
use quartet_fabric::coap::{
    Asked, Code, DATAGRAM_BYTES_MAX, Endpoint, Exchange, Observation, Response, refuse,
};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{gate::Gate, observe::Feed};
use crate::shell::Clock;

/// What tasks may have to say that was not heard yet.
const SAID_MAX: usize = 1024;
/// How long to wait if nothing has a time.
const LONG: Duration = Duration::from_secs(3600);

/// A socket for datagrams, and the address in use.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(std::net::UdpSocket, SocketAddr)> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// Serves the API at a socket, as long as there is the hub.
pub(crate) async fn serve(socket: std::net::UdpSocket, app: Router, clock: Clock, seed: u64) {
    match UdpSocket::from_std(socket) {
        Ok(socket) => Server::new(socket, app, clock, seed).run().await,
        Err(error) => tracing::error!(%error, "cannot serve CoAP"),
    }
}

/// What tasks say to the server.
enum Said {
    Answer {
        exchange: Exchange,
        response: Response,
        feed: Option<Feed>,
    },
    News(Observation, Response),
    /// There will be none any more.
    Silence(Observation),
}

struct Server {
    socket: UdpSocket,
    app: Router,
    clock: Clock,
    endpoint: Endpoint,
    /// Who listens to something for whom.
    feeds: HashMap<Observation, AbortHandle>,
    say: mpsc::Sender<Said>,
    said: mpsc::Receiver<Said>,
}

impl Server {
    fn new(socket: UdpSocket, app: Router, clock: Clock, seed: u64) -> Self {
        let (say, said) = mpsc::channel(SAID_MAX);
        Self {
            socket,
            app,
            clock,
            endpoint: Endpoint::new(seed),
            feeds: HashMap::new(),
            say,
            said,
        }
    }

    async fn run(mut self) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let now = self.clock.now();
            let wait = self.endpoint.next_at().map_or(LONG, |at| at.since(now));
            tokio::select! {
                came = self.socket.recv_from(&mut datagram) => match came {
                    Ok((length, from)) => self.read(&datagram[..length], from).await,
                    Err(error) => {
                        tracing::error!(%error, "cannot read a datagram; trying again");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(said) = self.said.recv() => self.hear(said),
                () = sleep(wait) => self.endpoint.tick(self.clock.now()),
            }
            for gone in self.endpoint.ended() {
                if let Some(feed) = self.feeds.remove(&gone) {
                    feed.abort();
                }
            }
            for (to, bytes) in self.endpoint.outgoing() {
                send(&self.socket, &bytes, to).await;
            }
        }
    }

    async fn read(&mut self, bytes: &[u8], from: SocketAddr) {
        if !from.ip().to_canonical().is_loopback() {
            let why = "there are no names in CoAP yet: this hub answers its own machine only";
            if let Some(refusal) = refuse(bytes, Code::FORBIDDEN, why) {
                send(&self.socket, &refusal, from).await;
            }
            return;
        }
        if let Some(Asked { exchange, request }) = self.endpoint.read(from, bytes, self.clock.now())
        {
            let (gate, say) = (self.gate(from), self.say.clone());
            tokio::spawn(async move {
                let (response, feed) = gate.answer(&request).await;
                // The server is gone only if the hub is.
                let _ = say
                    .send(Said::Answer {
                        exchange,
                        response,
                        feed,
                    })
                    .await;
            });
        }
    }

    fn gate(&self, peer: SocketAddr) -> Gate {
        let own = match peer.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        // An address with a port, so that one of IPv6 has its brackets.
        let port = self.socket.local_addr().map_or(0, |local| local.port());
        let host = SocketAddr::new(own, port).to_string();
        Gate {
            app: self.app.clone(),
            peer,
            host,
        }
    }

    fn hear(&mut self, said: Said) {
        let now = self.clock.now();
        match said {
            Said::Answer {
                exchange,
                response,
                feed,
            } => {
                let kept = feed.as_ref().map(Feed::kept);
                let observation = self.endpoint.answer(exchange, response, kept, now);
                if let (Some(observation), Some(feed)) = (observation, feed) {
                    let task = tokio::spawn(follow(feed, observation, self.say.clone()));
                    self.feeds.insert(observation, task.abort_handle());
                }
            }
            Said::News(whom, response) => {
                self.endpoint.notify(whom, response, now);
            }
            Said::Silence(whom) => {
                self.feeds.remove(&whom);
                let why = "there is nothing more to tell; register again";
                let last = Response::refusal(Code::UNAVAILABLE, why);
                self.endpoint.notify(whom, last, now);
            }
        }
    }
}

/// Says what is to be told to an observer, to the end.
async fn follow(mut feed: Feed, whom: Observation, say: mpsc::Sender<Said>) {
    while let Some(news) = feed.next().await {
        if say.send(Said::News(whom, news)).await.is_err() {
            return;
        }
    }
    let _ = say.send(Said::Silence(whom)).await; // The server is gone only if the hub is.
}

async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    /// A network that takes nothing for so long loses it.
    const PATIENCE: Duration = Duration::from_millis(100);
    match timeout(PATIENCE, socket.send_to(bytes, to)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, %to, "a datagram is lost"),
        Err(_) => tracing::debug!(%to, "a datagram is lost: the network is full"),
    }
}
