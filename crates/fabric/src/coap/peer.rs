//! What is known of one peer: messages of late, so that none is followed twice; what it must
//! acknowledge; what it observes; long bodies on their way.

mod observing; // who is told of changes

use std::time::Duration;

use bytes::Bytes;
use quartet_model::Time;

use super::{
    answer::{self, Kind, Parts},
    block::Block,
    code::{Code, Method},
    exchange::{Exchange, Exchanges, State},
    limits::{
        ACK_RANDOM, ACK_TIMEOUT, ANSWER_BYTES_MAX, BODY_BYTES_MAX, EXCHANGE_LIFETIME,
        PIGGYBACK_WITHIN, REQUESTS_MAX, SILENT_MAX,
    },
    message::{self, Head, Incoming, Options, Request, Response},
    observer::{Kept, Observer, sequence},
    random::Random,
    sending::{About, Sending},
    transfer::{Part, Transfers, etag_of, part},
};

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) heard_at: Time,
    next_id: u16,
    exchanges: Exchanges,
    sending: Sending,
    observers: Vec<Observer>,
    transfers: Transfers,
}

/// What a step of a peer needs, and what it brings.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    /// Bytes of bodies that all peers together may hold besides what they hold now.
    pub(super) room: usize,
    /// Whether there may be another observer.
    pub(super) may_observe: bool,
    /// The last number that was given to a request or an observer.
    pub(super) serial: &'a mut u64,
    pub(super) random: &'a mut Random,
    /// Datagrams for the peer.
    pub(super) out: &'a mut Vec<Vec<u8>>,
    /// Observers that are no more.
    pub(super) ended: &'a mut Vec<u64>,
}

impl Turn<'_> {
    fn serial(&mut self) -> u64 {
        *self.serial += 1;
        *self.serial
    }
}

impl Peer {
    pub(super) fn new(first_id: u16, now: Time) -> Self {
        Self {
            heard_at: now,
            next_id: first_id,
            exchanges: Exchanges::default(),
            sending: Sending::default(),
            observers: Vec::new(),
            transfers: Transfers::default(),
        }
    }

    /// Bytes of bodies that are held.
    pub(super) fn held(&self) -> usize {
        self.transfers.held()
    }

    pub(super) fn observers(&self) -> usize {
        self.observers.len()
    }

    /// Whether something would be missing if the peer were forgotten.
    pub(super) fn is_busy(&self) -> bool {
        !self.observers.is_empty() || !self.sending.is_empty() || self.exchanges.awaited() > 0
    }

    /// When [`Peer::tick`] is to be called.
    pub(super) fn next_at(&self) -> Time {
        let notify = self.observers.iter().filter_map(Observer::next_at);
        let all = [
            self.exchanges.next_at(),
            // One notification at a time is on its way (RFC 7252, section 4.7).
            notify.min().filter(|_| self.sending.is_empty()),
            self.sending.next_at(),
            self.transfers.next_at(),
            Some(self.heard_at.after(self.patience())).filter(|_| self.sending.is_empty()),
        ];
        all.into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    /// How long the peer may be silent before it is asked whether it is there, or forgotten.
    fn patience(&self) -> Duration {
        match self.observers[..] {
            [] if self.exchanges.awaited() == 0 => EXCHANGE_LIFETIME,
            [] => Duration::MAX,
            _ => SILENT_MAX,
        }
    }

    /// Does what time has come for. Says whether the peer is to be remembered.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) -> bool {
        let now = turn.now;
        self.exchanges.tick(now, turn.out);
        for about in self.sending.tick(now, turn.out) {
            match about {
                About::Answer => {}
                // "the server ... considers the client no longer interested" (RFC 7641, 4.5)
                About::Notification(serial) => self.forget(|one| one.serial == serial, turn),
                About::Ping => self.forget(|_| true, turn),
            }
        }
        self.transfers.tick(now);
        self.notify_next(turn);
        let is_silent = self.heard_at.after(self.patience()) <= now && self.sending.is_empty();
        if is_silent && !self.observers.is_empty() {
            let id = self.id();
            self.send(id, About::Ping, answer::ping(id), turn);
        }
        !is_silent || self.is_busy()
    }

    /// Takes a datagram. Gives the number of a request and what it is, if somebody is to answer.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        turn: &mut Turn<'_>,
    ) -> Option<(u64, Box<Request>)> {
        let asked = match message::read(bytes) {
            Incoming::Noise => return None,
            Incoming::Reject { id } => {
                turn.out.push(answer::reset(id));
                None
            }
            Incoming::Acknowledged { id } => {
                self.sending.settle(id);
                None
            }
            Incoming::Reset { id } => {
                if let Some(About::Notification(serial)) = self.sending.settle(id) {
                    self.forget(|one| one.serial == serial, turn);
                }
                None
            }
            Incoming::Request { head, request } => self.ask(head, request, turn),
        };
        self.heard_at = turn.now;
        self.notify_next(turn);
        asked
    }

    fn ask(
        &mut self,
        head: Head,
        request: Result<Box<(Request, Options)>, Response>,
        turn: &mut Turn<'_>,
    ) -> Option<(u64, Box<Request>)> {
        let again = self.exchanges.find(head.id, turn.now);
        if let Some(again) = again {
            turn.out.extend(again.said());
            return None;
        }
        let (mut request, options) = match request {
            Ok(request) => *request,
            Err(why) => return self.reply(head, &why, Parts::default(), turn),
        };
        if self.exchanges.awaited() == REQUESTS_MAX {
            let why = Response {
                max_age_s: Some(1),
                ..Response::refusal(Code::UNAVAILABLE, "too many requests at the same time")
            };
            return self.reply(head, &why, Parts::default(), turn);
        }
        if let Some((response, parts)) = self.gather(&mut request, &options, turn) {
            return self.reply(head, &response, parts, turn);
        }
        if let Some(block) = options.block2.filter(|block| block.number > 0) {
            request.observes = false; // RFC 7959, section 2.6: the first block does that.
            match self.transfers.kept(&options.key, turn.now) {
                Some(response) => return self.go_on(head, &options, block, response, turn),
                // What changes something is not done twice.
                None if request.method != Method::Get => {
                    let why = "the answer is not kept any more";
                    let why = Response::refusal(Code::INCOMPLETE, why);
                    return self.reply(head, &why, Parts::default(), turn);
                }
                None => {}
            }
        }
        if options.observe == Some(1) {
            self.forget(|one| one.token == head.token, turn);
        }
        let serial = turn.serial();
        let acknowledge_at = head
            .is_confirmable
            .then(|| turn.now.after(PIGGYBACK_WITHIN));
        let observes = request.observes;
        let options = Options {
            observe: observes.then_some(0),
            ..options
        };
        self.exchanges.add(Exchange {
            serial,
            head,
            at: turn.now,
            state: State::Awaited {
                options: options.into(),
                acknowledge_at,
            },
        });
        Some((serial, request.into()))
    }

    /// Puts the body of a request together. Gives what is to be said as long as it is not.
    fn gather(
        &mut self,
        request: &mut Request,
        options: &Options,
        turn: &Turn<'_>,
    ) -> Option<(Response, Parts)> {
        let block = options.block1?;
        let (room, now) = (turn.room, turn.now);
        let part = self
            .transfers
            .take(options, block, &request.payload, room, now);
        let (response, more) = match part {
            Part::Whole(body) => {
                request.payload = body;
                return None;
            }
            Part::More => (Response::empty(Code::CONTINUE), true),
            // It is the last word on this body.
            Part::Refused(why) => (why, false),
        };
        let is_too_large = response.code == Code::TOO_LARGE;
        let parts = Parts {
            block1: Some(Block { more, ..block }),
            size1: is_too_large.then_some(BODY_BYTES_MAX as u32),
            ..Parts::default()
        };
        Some((response, parts))
    }

    /// Gives a further part of an answer that is kept.
    fn go_on(
        &mut self,
        head: Head,
        options: &Options,
        block: Block,
        response: Response,
        turn: &mut Turn<'_>,
    ) -> Option<(u64, Box<Request>)> {
        let Some((block2, payload)) = part(&response.payload, block) else {
            let why = Response::refusal(Code::BAD_REQUEST, "there is no such block");
            return self.reply(head, &why, Parts::default(), turn);
        };
        let length = response.payload.len() as u32;
        let parts = Parts {
            block1: options.block1,
            block2: Some(block2),
            size2: options.asks_size.then_some(length),
            ..Parts::default()
        };
        let response = Response {
            payload: Bytes::copy_from_slice(payload),
            ..response
        };
        self.reply(head, &response, parts, turn)
    }

    /// Answers at once what fits into a message.
    fn reply<T>(
        &mut self,
        head: Head,
        response: &Response,
        parts: Parts,
        turn: &mut Turn<'_>,
    ) -> Option<T> {
        let exchange = Exchange {
            serial: turn.serial(),
            at: turn.now,
            state: State::Answered { reply: None },
            head,
        };
        let exchange = self.conclude(exchange, true, response, parts, &response.payload, turn);
        self.exchanges.add(exchange);
        None
    }

    /// Sends an answer: with the acknowledgement if that has not gone yet.
    fn conclude(
        &mut self,
        mut exchange: Exchange,
        is_piggybacked: bool,
        response: &Response,
        parts: Parts,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Exchange {
        let head = &exchange.head;
        let kind = match head.is_confirmable {
            true if is_piggybacked => Kind::Piggybacked,
            true => Kind::Confirmable,
            false => Kind::NonConfirmable,
        };
        let id = match kind {
            Kind::Piggybacked => head.id,
            _ => self.id(),
        };
        let datagram = answer::answer(kind, id, &head.token, response, parts, payload);
        let reply = match kind {
            Kind::Piggybacked => Some(datagram.clone()),
            Kind::Confirmable => Some(answer::acknowledgement(head.id)),
            Kind::NonConfirmable => None,
        };
        match kind {
            Kind::Confirmable => self.send(id, About::Answer, datagram, turn),
            _ => turn.out.push(datagram),
        }
        exchange.state = State::Answered { reply };
        exchange
    }

    /// Answers a request; whoever asked may be told of changes from now on, too. Gives the number
    /// of the observer if it is.
    pub(super) fn answer(
        &mut self,
        serial: u64,
        response: Response,
        observed: Option<Kept>,
        turn: &mut Turn<'_>,
    ) -> Option<u64> {
        let mut exchange = self.exchanges.take(serial)?;
        let State::Awaited {
            options,
            acknowledge_at,
        } = &mut exchange.state
        else {
            return None;
        };
        let options = std::mem::take(options);
        let is_piggybacked = acknowledge_at.is_some();
        let observer = observed
            .filter(|_| options.observe == Some(0) && response.code.is_success())
            .and_then(|kept| self.observe(&exchange.head.token, &options, kept, turn));
        let block = options.block2.unwrap_or(Block::LARGEST);
        let length = response.payload.len() as u32;
        let (response, mut parts, payload) = self.cut(response, &options.key, block, turn);
        parts.size2 = parts.size2.or(options.asks_size.then_some(length));
        parts.observe = observer.map(|_| sequence(turn.now));
        parts.block1 = options.block1;
        let exchange = self.conclude(exchange, is_piggybacked, &response, parts, &payload, turn);
        self.exchanges.add(exchange);
        observer
    }

    /// The part of an answer that a block is; the rest is kept.
    fn cut(
        &mut self,
        mut response: Response,
        key: &[u8],
        block: Block,
        turn: &Turn<'_>,
    ) -> (Response, Parts, Bytes) {
        let payload = response.payload.clone();
        if block.number == 0 && payload.len() <= block.size() {
            return (response, Parts::default(), payload);
        }
        if ANSWER_BYTES_MAX < payload.len() {
            let why = format!("the answer has more than {ANSWER_BYTES_MAX} bytes; ask for less");
            let why = Response::refusal(Code::BAD_REQUEST, &why);
            let payload = why.payload.slice(..why.payload.len().min(block.size()));
            return (why, Parts::default(), payload);
        }
        // Parts of one representation are known by it (RFC 7959, section 2.4).
        response.etag.get_or_insert_with(|| etag_of(&payload));
        let Some((block2, part)) = part(&payload, block) else {
            let why = Response::refusal(Code::BAD_REQUEST, "there is no such block");
            let payload = why.payload.slice(..why.payload.len().min(block.size()));
            return (why, Parts::default(), payload);
        };
        if block2.more {
            self.transfers.keep(key, &response, turn.room, turn.now);
        }
        let parts = Parts {
            block2: Some(block2),
            size2: (block.number == 0).then_some(payload.len() as u32),
            ..Parts::default()
        };
        (response, parts, payload.slice_ref(part))
    }

    fn send(&mut self, id: u16, about: About, datagram: Vec<u8>, turn: &mut Turn<'_>) {
        let wait = ACK_TIMEOUT + ACK_RANDOM.mul_f64(turn.random.fraction());
        turn.out.push(datagram.clone());
        self.sending.add(id, about, datagram, turn.now, wait);
    }

    fn id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }
}
