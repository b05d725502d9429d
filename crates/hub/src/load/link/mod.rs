//! One connection of the generator: its socket, what it may send, what it was sent.
//!
//! Memory is bounded: a publisher prepares at most [`OUT_BYTES`] before the socket has taken
//! them, and who does not get rid of its acknowledgements stops reading.

use std::io::{self, Read, Write};

use mio::{Registry, Token};
use quartet_fabric::mqtt::{
    Connect, Fault, Packet, Properties, Reason, RetainHandling, Subscribe, SubscribeFilter, Version,
};

use super::{
    pace::Pace,
    plan::{Heard, Plan},
    publisher::{Publisher, Window},
    records::{Records, Span},
    socket::{Socket, Target},
    tally::Tally,
};
use crate::client::clock::Clock;

mod incoming; // what a connection is sent

/// So much is written at a time.
const OUT_BYTES: usize = 32 * 1024;

/// Who has so many acknowledgements waiting reads no further.
const CLOGGED_BYTES: usize = 1024 * 1024;

/// So often is one connection read before others have their turn.
const READS_MAX: usize = 8;

/// Some brokers refuse clients without a keep alive.
pub(super) const KEEP_ALIVE_S: u16 = 60;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the broker closed the connection")]
    Closed,
    #[error("the broker sent what is not MQTT: {0}")]
    Fault(#[from] Fault),
    #[error("the broker refused the connection: {0}")]
    Refused(Reason),
    #[error("the broker refused the subscription: {0}")]
    NotSubscribed(Reason),
    #[error("the broker ended the connection: {0}")]
    Disconnected(Reason),
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    NotOpened,
    AwaitSocket,
    AwaitConnAck,
    AwaitSubAck,
    Ready,
    Ended,
}

/// What a connection does when it stands.
#[derive(Debug)]
pub(super) enum Role {
    Publisher(Box<Publisher>),
    Subscriber { heard: Heard, tallies: Vec<Tally> },
    Idle,
}

/// What all connections of a thread share.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) version: Version,
    pub(super) span: Span,
    /// What is read is read into here, and looked at here.
    pub(super) buffer: Vec<u8>,
    /// What stands behind the stamp of each payload.
    pub(super) filler: Vec<u8>,
    pub(super) records: Records,
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// There is more to do at once.
    Again,
    /// Something must happen first.
    Wait,
}

/// One connection.
pub(super) struct Link {
    pub(super) client_id: String,
    pub(super) filters: Vec<String>,
    pub(super) role: Role,
    pub(super) stage: Stage,
    /// Whether it stands in its thread's queue.
    pub(super) is_queued: bool,
    /// Whether it wrote something since it was last asked.
    pub(super) has_written: bool,
    socket: Option<Socket>,
    began_ns: u64,
    /// The beginning of a frame whose end is still to come.
    partial: Vec<u8>,
    out: Vec<u8>,
    /// Bytes of `out` that are gone already.
    gone: usize,
    is_to_be_read: bool,
}

impl Link {
    pub(super) fn new(client_id: String, filters: Vec<String>, role: Role) -> Self {
        Self {
            client_id,
            filters,
            role,
            stage: Stage::NotOpened,
            is_queued: false,
            has_written: false,
            socket: None,
            began_ns: 0,
            partial: Vec::new(),
            out: Vec::new(),
            gone: 0,
            is_to_be_read: false,
        }
    }

    /// Begins to connect.
    pub(super) fn open(
        &mut self,
        target: &Target,
        token: Token,
        registry: &Registry,
        clock: Clock,
    ) -> Result<(), LinkError> {
        self.began_ns = clock.ns();
        self.socket = Some(Socket::connect(target, token, registry)?);
        self.stage = Stage::AwaitSocket;
        Ok(())
    }

    /// The socket takes bytes, perhaps for the first time.
    pub(super) fn on_writable(&mut self, plan: &Plan) -> Result<(), LinkError> {
        if self.stage == Stage::AwaitSocket {
            let Some(socket) = &self.socket else {
                return Ok(());
            };
            if !socket.is_connected()? {
                return Ok(());
            }
            let publishes = matches!(self.role, Role::Publisher(_));
            socket.set_options(publishes && plan.rate_per_s == 0.0)?;
            self.stage = Stage::AwaitConnAck;
            self.put_connect(plan);
        }
        self.flush()?;
        Ok(())
    }

    fn put_connect(&mut self, plan: &Plan) {
        let connect = Connect {
            version: plan.version,
            clean_start: true,
            keep_alive_s: KEEP_ALIVE_S,
            client_id: self.client_id.as_str().into(),
            will: None,
            login: plan.login.clone(),
            properties: Properties::none(),
        };
        Packet::Connect(Box::new(connect)).encode(plan.version, &mut self.out);
    }

    fn put_subscribe(&mut self, plan: &Plan) {
        let filters = self.filters.drain(..).map(|filter| SubscribeFilter {
            filter: filter.into(),
            qos: plan.subscribe_qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        });
        let subscribe = Subscribe {
            packet_id: 1,
            properties: Properties::none(),
            filters: filters.collect(),
        };
        self.filters = Vec::new();
        Packet::Subscribe(subscribe).encode(plan.version, &mut self.out);
    }

    /// Keeps the connection alive if nothing else did since it was last asked.
    pub(super) fn keep_alive(&mut self) -> Result<(), LinkError> {
        if self.stage == Stage::Ready && !std::mem::take(&mut self.has_written) {
            if self.out.is_empty() {
                self.out.extend_from_slice(&[0xC0, 0]);
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Takes leave.
    pub(super) fn close(&mut self) {
        if self.stage == Stage::Ready && self.out.is_empty() {
            self.out.extend_from_slice(&[0xE0, 0]);
            // The run is over: if the goodbye does not get through, nothing is lost.
            let _ = self.flush();
        }
        self.end();
    }

    /// Nothing more is to be expected of this connection.
    pub(super) fn end(&mut self) {
        self.socket = None;
        self.stage = Stage::Ended;
    }

    /// What the publisher put together but could not hand over to the socket, in messages.
    pub(super) fn unwritten(&self, version: Version) -> u64 {
        match &self.role {
            Role::Publisher(publisher) => {
                let waiting = self.out.len() - self.gone;
                waiting.div_ceil(publisher.frame_bytes(version)) as u64
            }
            _ => 0,
        }
    }

    /// Whether everything that was to be sent is written and, if it is to be, acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        let Role::Publisher(publisher) = &self.role else {
            return true;
        };
        self.stage == Stage::Ended
            || self.out.is_empty() && publisher.window.as_ref().is_none_or(Window::is_settled)
    }

    /// Writes what waits. Says whether all is gone.
    fn flush(&mut self) -> Result<bool, LinkError> {
        let Some(socket) = &mut self.socket else {
            return Ok(true);
        };
        while self.gone < self.out.len() {
            match socket.write(&self.out[self.gone..]) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(written) => {
                    self.gone += written;
                    self.has_written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if OUT_BYTES < self.gone {
                        self.out.drain(..self.gone);
                        self.gone = 0;
                    }
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.gone = 0;
        Ok(true)
    }

    /// Sends what is due, as far as buffer, window and socket allow.
    pub(super) fn publish(&mut self, pace: &Pace, desk: &mut Desk) -> Result<Turn, LinkError> {
        if self.stage != Stage::Ready || !self.flush()? {
            return Ok(Turn::Wait);
        }
        let Role::Publisher(publisher) = &mut self.role else {
            return Ok(Turn::Wait);
        };
        let frame_bytes = publisher.frame_bytes(desk.version);
        let now_ns = if pace.is_flat_out() {
            desk.clock.ns()
        } else {
            0
        };
        while publisher.may_send()
            && (self.out.is_empty() || self.out.len() + frame_bytes <= OUT_BYTES)
        {
            let intended_ns = if pace.is_flat_out() {
                now_ns
            } else {
                pace.intended_ns(publisher.number, publisher.next)
            };
            publisher.write(intended_ns, &desk.filler, desk.version, &mut self.out);
            desk.records.sent += 1;
        }
        let may_go_on = publisher.may_send();
        if self.flush()? && may_go_on {
            Ok(Turn::Again)
        } else {
            Ok(Turn::Wait)
        }
    }

    /// Something is there to be read, or was left when others had their turn.
    pub(super) fn read_rest(&mut self, plan: &Plan, desk: &mut Desk) -> Result<Turn, LinkError> {
        if self.is_to_be_read {
            self.read(false, plan, desk)
        } else {
            Ok(Turn::Wait)
        }
    }

    /// Reads and handles what has come. `to_the_end` if the other side will send no more.
    ///
    /// A read that does not fill the buffer has emptied the socket: the poll tells when there is
    /// more, and no second read is needed to find out that there is nothing.
    pub(super) fn read(
        &mut self,
        to_the_end: bool,
        plan: &Plan,
        desk: &mut Desk,
    ) -> Result<Turn, LinkError> {
        self.is_to_be_read = false;
        for _ in 0..READS_MAX {
            if CLOGGED_BYTES < self.out.len() - self.gone && !self.flush()? {
                self.is_to_be_read = true;
                return Ok(Turn::Wait);
            }
            let Some(socket) = &mut self.socket else {
                return Ok(Turn::Wait);
            };
            let kept = self.partial.len();
            desk.buffer[..kept].copy_from_slice(&self.partial);
            let room = &mut desk.buffer[kept..];
            let room_bytes = room.len();
            let count = match socket.read(room) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flush()?;
                    return Ok(Turn::Wait);
                }
                Err(error) => return Err(error.into()),
            };
            let now_ns = desk.clock.ns();
            self.handle(kept + count, now_ns, plan, desk)?;
            if count < room_bytes && !to_the_end {
                self.flush()?;
                return Ok(Turn::Wait);
            }
        }
        self.flush()?;
        self.is_to_be_read = true;
        Ok(Turn::Again)
    }
}
