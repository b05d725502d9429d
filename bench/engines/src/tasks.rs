//! Engine 2: tokio's current_thread runtime, one task per connection. Frames for a connection
//! are put into its outgoing buffer and its task is woken, which writes the whole buffer.
//!
//! The state lives in a thread local and is touched only between two `await`s. This spares the
//! locks that tasks for `tokio::spawn` would need otherwise, and the second queue of a `LocalSet`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use slab::Slab;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::relay::{self, READ_BUFFER, Splitter, Topics};

struct Conn {
    splitter: Splitter,
    out: Vec<u8>,
    wake: Arc<Notify>,
}

struct Hub {
    conns: Slab<Conn>,
    topics: Topics,
    sends: u64,
    buffer: Vec<u8>,
}

thread_local! {
    static HUB: RefCell<Hub> = RefCell::new(Hub {
        conns: Slab::new(),
        topics: Topics::default(),
        sends: 0,
        buffer: vec![0; READ_BUFFER],
    });
}

fn with_hub<T>(action: impl FnOnce(&mut Hub) -> T) -> T {
    HUB.with_borrow_mut(action)
}

pub fn serve(port: u16) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    // The accept loop is a task like the others: the future given to `block_on` is polled
    // differently, and nothing here should profit or suffer from that.
    runtime.block_on(async move {
        match tokio::spawn(accept(port)).await {
            Ok(result) => result,
            Err(error) => Err(io::Error::other(error)),
        }
    })
}

async fn accept(port: u16) -> io::Result<()> {
    let listener = TcpListener::from_std(relay::listen(port)?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let wake = Arc::new(Notify::new());
        let id = with_hub(|hub| {
            hub.conns.insert(Conn {
                splitter: Splitter::default(),
                out: Vec::new(),
                wake: Arc::clone(&wake),
            })
        });
        tokio::spawn(connection(stream, id, wake));
    }
}

async fn connection(mut stream: TcpStream, id: usize, wake: Arc<Notify>) {
    let mut sending = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = wake.notified() => {
                with_hub(|hub| std::mem::swap(&mut hub.conns[id].out, &mut sending));
                let mut written = 0;
                while written < sending.len() {
                    with_hub(|hub| hub.sends += 1);
                    match stream.write(&sending[written..]).await {
                        Ok(0) | Err(_) => return close(id),
                        Ok(length) => written += length,
                    }
                }
                sending.clear();
            }
            open = poll_fn(|context| poll_read(&mut stream, context, id)) => {
                if !matches!(open, Ok(true)) {
                    return close(id);
                }
            }
        }
    }
}

/// Reads once into the shared buffer and routes what came. `Ok(false)` means the peer closed.
/// This goes through `poll_read`, as it clears the readiness after a read that did not fill the
/// buffer; `try_read` would need one more call to find the socket empty.
fn poll_read(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    id: usize,
) -> Poll<io::Result<bool>> {
    with_hub(|hub| {
        let mut target = ReadBuf::new(&mut hub.buffer);
        ready!(Pin::new(stream).poll_read(context, &mut target))?;
        let length = target.filled().len();
        let mut splitter = std::mem::take(&mut hub.conns[id].splitter);
        splitter.feed(&hub.buffer[..length], |frame| {
            hub.topics.handle(frame, id, hub.sends, |to, bytes| {
                let Some(conn) = hub.conns.get_mut(to) else {
                    return;
                };
                if conn.out.is_empty() {
                    conn.wake.notify_one();
                }
                conn.out.extend_from_slice(bytes);
            });
        });
        hub.conns[id].splitter = splitter;
        Poll::Ready(Ok(length > 0))
    })
}

fn close(id: usize) {
    with_hub(|hub| {
        hub.conns.remove(id);
        hub.topics.remove(id);
    });
}
