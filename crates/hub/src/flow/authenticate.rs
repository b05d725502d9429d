//! Enhanced authentication (MQTT 5.0, section 4.12): a method may need several steps. Which
//! methods there are is the shell's to say; what may be sent when is decided here.

use bytes::Bytes;
use bytestring::ByteString;
use quartet_fabric::mqtt::{Auth, Connect, Fault, Packet, Properties, Property, Reason};
use quartet_model::Time;

use super::{ConnKey, Flow, conn::Next, conn::Stage};

/// Knows the methods of enhanced authentication.
pub trait Authenticate: Send {
    /// Begins an exchange by this method; `None` if there is no such method.
    fn begin(&self, method: &str) -> Option<Box<dyn Exchange>>;
}

/// One exchange by one method.
pub trait Exchange: Send {
    /// Takes what the client sent and says how it goes on.
    fn step(&mut self, data: &[u8]) -> Step;
}

/// How an exchange goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The client is to answer this.
    Continue(Bytes),
    /// The client is who it says; this is the last word.
    Accept(Bytes),
    /// It is not.
    Refuse,
}

/// No methods: whoever names one is refused.
pub struct NoMethods;

impl Authenticate for NoMethods {
    fn begin(&self, _method: &str) -> Option<Box<dyn Exchange>> {
        None
    }
}

/// An exchange that has begun, and what it is for.
pub(super) struct Pending {
    pub(super) connect: Connect,
    pub(super) method: ByteString,
    pub(super) exchange: Box<dyn Exchange>,
}

fn data_of(properties: &Properties) -> Bytes {
    properties
        .find(|p| match p {
            Property::AuthenticationData(data) => Some(data.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

pub(super) fn method_of(properties: &Properties) -> Option<ByteString> {
    properties.find(|p| match p {
        Property::AuthenticationMethod(method) => Some(method.clone()),
        _ => None,
    })
}

const REFUSED: Fault = Fault::new(Reason::NotAuthorized, "authentication failed");

/// The AUTH that carries `data` [MQTT-4.12.0-2] [MQTT-4.12.0-3].
fn auth(reason: Reason, method: &ByteString, data: Bytes) -> Packet {
    Packet::Auth(Auth {
        reason,
        properties: Properties::none()
            .with(Property::AuthenticationMethod(method.clone()))
            .with(Property::AuthenticationData(data)),
    })
}

impl Flow {
    /// CONNECT names a method [MQTT-4.12.0-6]: the first step. `Ok(None)` if the client may come in at once.
    pub(super) fn begin_authentication(
        &mut self,
        key: ConnKey,
        connect: Connect,
        method: ByteString,
    ) -> Result<Option<(Connect, Bytes)>, Fault> {
        // [MQTT-4.12.0-1]
        let mut exchange = self.authenticate.begin(&method).ok_or(Fault::new(
            Reason::BadAuthenticationMethod,
            "this hub does not know the authentication method",
        ))?;
        match exchange.step(&data_of(&connect.properties)) {
            Step::Refuse => Err(REFUSED), // [MQTT-4.12.0-4]
            Step::Accept(data) => Ok(Some((connect, data))),
            Step::Continue(data) => {
                let packet = auth(Reason::ContinueAuthentication, &method, data);
                let conn = &mut self.conns[key];
                conn.outbox
                    .append(|own| packet.encode(connect.version, own));
                conn.stage = Stage::AwaitAuth(Box::new(Pending {
                    connect,
                    method,
                    exchange,
                }));
                self.touch(key);
                Ok(None)
            }
        }
    }

    /// AUTH before CONNACK: the next step.
    pub(super) fn continue_authentication(
        &mut self,
        key: ConnKey,
        answer: &Auth,
        now: Time,
    ) -> Result<Next, Fault> {
        let conn = &mut self.conns[key];
        let Stage::AwaitAuth(pending) = &mut conn.stage else {
            return Ok(Next::Packet);
        };
        if answer.reason != Reason::ContinueAuthentication
            || method_of(&answer.properties).as_ref() != Some(&pending.method)
        {
            return Err(Fault::protocol(
                "AUTH does not continue the authentication that CONNECT began",
            ));
        }
        match pending.exchange.step(&data_of(&answer.properties)) {
            Step::Refuse => Err(REFUSED),
            Step::Continue(data) => {
                let packet = auth(Reason::ContinueAuthentication, &pending.method, data);
                let version = pending.connect.version;
                conn.outbox.append(|own| packet.encode(version, own));
                self.touch(key);
                Ok(Next::Packet)
            }
            Step::Accept(data) => {
                let stage = std::mem::replace(&mut conn.stage, Stage::AwaitConnect);
                let Stage::AwaitAuth(pending) = stage else {
                    unreachable!("the stage was AwaitAuth above");
                };
                self.come_in(key, pending.connect, Some(data), now)
            }
        }
    }

    /// AUTH on an open connection: once more, in one step [MQTT-4.12.1-1] [MQTT-4.12.1-2].
    pub(super) fn authenticate_again(
        &mut self,
        key: ConnKey,
        again: &Auth,
        _now: Time,
    ) -> Result<(), Fault> {
        let method = method_of(&again.properties).unwrap_or_default();
        let mut exchange = self.authenticate.begin(&method).ok_or(REFUSED)?;
        let packet = match exchange.step(&data_of(&again.properties)) {
            Step::Accept(data) => auth(Reason::Success, &method, data),
            Step::Continue(_) | Step::Refuse => return Err(REFUSED),
        };
        let conn = &mut self.conns[key];
        if let Stage::Open(_, open) = &conn.stage {
            open.write(packet, &mut conn.outbox);
        }
        self.touch(key);
        Ok(())
    }
}
