//! Any packet of a version, as the other side may send it.

use bytes::Bytes;
use bytestring::ByteString;
use proptest::{collection::vec, option, prelude::*};
use quartet_model::Qos;

use super::super::*;
use crate::{
    mqtt::{
        property::{Place, Seen},
        *,
    },
    topic,
};

fn text() -> impl Strategy<Value = ByteString> {
    "[a-zA-Zä€\u{feff} ]{0,12}".prop_map(ByteString::from)
}

fn name() -> impl Strategy<Value = ByteString> {
    "[a-zä]{1,6}(/[a-z ]{0,3}){0,3}".prop_map(ByteString::from)
}

fn filter() -> impl Strategy<Value = ByteString> {
    "(\\$share/[a-z]{1,3}/)?([a-zä]{1,4}|\\+)(/([a-z]{0,3}|\\+)){0,3}(/#)?"
        .prop_map(ByteString::from)
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn id() -> impl Strategy<Value = u16> {
    1..=u16::MAX
}

fn qos() -> impl Strategy<Value = Qos> {
    prop::sample::select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

fn of(reasons: &[Reason]) -> impl Strategy<Value = Reason> + use<> {
    prop::sample::select(reasons.to_vec())
}

/// Any value of each property that may stand beside others; user properties often.
fn property() -> impl Strategy<Value = Property> {
    use Property as P;
    prop_oneof![
        any::<bool>().prop_map(P::PayloadFormatIndicator),
        any::<u32>().prop_map(P::MessageExpiryInterval),
        text().prop_map(P::ContentType),
        name().prop_map(P::ResponseTopic),
        data().prop_map(P::CorrelationData),
        (1..268_435_456_u32).prop_map(P::SubscriptionIdentifier),
        any::<u32>().prop_map(P::SessionExpiryInterval),
        text().prop_map(P::AssignedClientIdentifier),
        any::<u16>().prop_map(P::ServerKeepAlive),
        text().prop_map(P::AuthenticationMethod),
        data().prop_map(P::AuthenticationData),
        any::<bool>().prop_map(P::RequestProblemInformation),
        any::<bool>().prop_map(P::RequestResponseInformation),
        text().prop_map(P::ResponseInformation),
        text().prop_map(P::ServerReference),
        text().prop_map(P::ReasonString),
        (1..=u16::MAX).prop_map(P::ReceiveMaximum),
        any::<u16>().prop_map(P::TopicAliasMaximum),
        (0..2_u8).prop_map(P::MaximumQos),
        any::<bool>().prop_map(P::RetainAvailable),
        (text(), text()).prop_map(|(name, value)| P::UserProperty(name, value)),
        (text(), text()).prop_map(|(name, value)| P::UserProperty(name, value)),
        (1..=u32::MAX).prop_map(P::MaximumPacketSize),
        any::<bool>().prop_map(P::WildcardSubscriptionAvailable),
        any::<bool>().prop_map(P::SubscriptionIdentifierAvailable),
        any::<bool>().prop_map(P::SharedSubscriptionAvailable),
    ]
}

/// Properties that may stand in `place`, each as often as it may.
fn list(version: Version, place: Place) -> BoxedStrategy<Vec<Property>> {
    if version != Version::V5 {
        return Just(Vec::new()).boxed();
    }
    let fit = move |mut all: Vec<Property>| {
        let mut seen = Seen::default();
        all.retain(|property| {
            let mut bytes = Vec::new();
            property.write(&mut bytes);
            Property::read(&mut Reader::of(&bytes.into()), place).is_ok()
                && seen.once(property, place).is_ok()
        });
        let is_method = |p: &Property| matches!(p, Property::AuthenticationMethod(_));
        let has_method = all.iter().any(is_method);
        all.retain(|p| has_method || !matches!(p, Property::AuthenticationData(_)));
        all
    };
    vec(property(), 0..24).prop_map(fit).boxed()
}

fn properties(version: Version, kind: PacketKind) -> impl Strategy<Value = Properties> {
    list(version, Place::In(kind)).prop_map(Properties::from_iter)
}

/// What is passed on unaltered, in wire form.
fn passed_on(version: Version) -> impl Strategy<Value = Bytes> {
    list(version, Place::Will).prop_map(|all| {
        let mut bytes = Vec::new();
        for property in all {
            if !matches!(property, Property::MessageExpiryInterval(_)) {
                property.write(&mut bytes);
            }
        }
        bytes.into()
    })
}

fn seconds(version: Version) -> BoxedStrategy<Option<u32>> {
    match version {
        Version::V5 => option::of(any::<u32>()).boxed(),
        _ => Just(None).boxed(),
    }
}

fn will(version: Version) -> impl Strategy<Value = Will> {
    let times = (seconds(version), seconds(version));
    let flags = (qos(), any::<bool>());
    (name(), data(), flags, times, passed_on(version)).prop_map(
        |(topic, payload, (qos, retain), (delay_s, expiry_s), properties)| Will {
            topic,
            payload,
            qos,
            retain,
            delay_s: delay_s.unwrap_or(0),
            expiry_s,
            properties,
        },
    )
}

fn connect(version: Version) -> impl Strategy<Value = Packet> {
    let login = option::of((text(), option::of(data())));
    let flags = (any::<bool>(), any::<u16>());
    let list = properties(version, PacketKind::Connect);
    (flags, "[a-z]{1,23}", option::of(will(version)), login, list).prop_map(
        move |((clean_start, keep_alive_s), client_id, will, login, properties)| {
            let (user_name, password) = login.unzip();
            Packet::Connect(Box::new(Connect {
                version,
                clean_start,
                keep_alive_s,
                client_id: client_id.into(),
                will,
                login: Login {
                    user_name,
                    password: password.flatten(),
                },
                properties,
            }))
        },
    )
}

fn publish(version: Version) -> impl Strategy<Value = Packet> {
    let head = (any::<bool>(), qos(), any::<bool>(), name(), id());
    let alias = option::of(any::<u16>());
    let ids = vec(1..268_435_456_u32, 0..2);
    let rest = (seconds(version), passed_on(version), data());
    (head, alias, ids, rest).prop_map(move |(head, alias, ids, rest)| {
        let (dup, qos, retain, topic, packet_id) = head;
        let (expiry_s, properties, payload) = rest;
        let (acknowledged, v5) = (qos != Qos::AtMostOnce, version == Version::V5);
        Packet::Publish(Publish {
            dup: dup && acknowledged,
            qos,
            retain,
            topic,
            packet_id: if acknowledged { packet_id } else { 0 },
            alias: alias.filter(|_| v5),
            expiry_s,
            subscription_ids: if v5 { ids } else { Vec::new() },
            properties,
            payload,
        })
    })
}

fn ack(version: Version, kind: PacketKind) -> impl Strategy<Value = Ack> {
    let reasons = match (version, kind) {
        (Version::V5, PacketKind::PubAck | PacketKind::PubRec) => of(&[
            Reason::Success,
            Reason::NoMatchingSubscribers,
            Reason::QuotaExceeded,
        ]),
        (Version::V5, _) => of(&[Reason::Success, Reason::PacketIdentifierNotFound]),
        _ => of(&[Reason::Success]),
    };
    (id(), reasons, properties(version, kind)).prop_map(|(packet_id, reason, properties)| Ack {
        packet_id,
        reason,
        properties,
    })
}

fn subscribe(version: Version) -> impl Strategy<Value = Packet> {
    let handling = prop::sample::select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    let v5 = version == Version::V5;
    let flags = (any::<bool>(), any::<bool>());
    let filter = (filter(), qos(), flags, handling).prop_map(
        move |(filter, qos, (no_local, retain_as_published), handling)| SubscribeFilter {
            no_local: v5 && no_local && !topic::is_shared(&filter),
            retain_as_published: v5 && retain_as_published,
            retain_handling: if v5 { handling } else { RetainHandling::Send },
            filter,
            qos,
        },
    );
    let list = properties(version, PacketKind::Subscribe);
    (id(), list, vec(filter, 1..4)).prop_map(|(packet_id, properties, filters)| {
        Packet::Subscribe(Subscribe {
            packet_id,
            properties,
            filters,
        })
    })
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Packet> {
    let list = properties(version, PacketKind::Unsubscribe);
    (id(), list, vec(filter(), 1..4)).prop_map(|(packet_id, properties, filters)| {
        Packet::Unsubscribe(Unsubscribe {
            packet_id,
            properties,
            filters,
        })
    })
}

fn suback(version: Version, kind: PacketKind) -> impl Strategy<Value = SubAck> {
    let is_suback = kind == PacketKind::SubAck;
    let reasons = if is_suback {
        of(&[
            Reason::Success,
            Reason::GrantedQos1,
            Reason::GrantedQos2,
            Reason::UnspecifiedError,
        ])
    } else {
        of(&[
            Reason::Success,
            Reason::NoSubscriptionExisted,
            Reason::NotAuthorized,
        ])
    };
    let has_some = is_suback || version == Version::V5;
    let count = if has_some { 1..5 } else { 0..1 };
    let list = properties(version, kind);
    (id(), list, vec(reasons, count)).prop_map(|(packet_id, properties, reasons)| SubAck {
        packet_id,
        properties,
        reasons,
    })
}

fn connack(version: Version) -> impl Strategy<Value = Packet> {
    let reasons = of(&[
        Reason::Success,
        Reason::UnsupportedProtocolVersion,
        Reason::ClientIdentifierNotValid,
        Reason::ServerUnavailable,
        Reason::BadUserNameOrPassword,
        Reason::NotAuthorized,
    ]);
    let list = properties(version, PacketKind::ConnAck);
    (any::<bool>(), reasons, list).prop_map(|(session_present, reason, properties)| {
        Packet::ConnAck(ConnAck {
            session_present: session_present && reason == Reason::Success,
            reason,
            properties,
        })
    })
}

fn disconnect(version: Version) -> impl Strategy<Value = Packet> {
    let reasons = match version {
        Version::V5 => of(&[
            Reason::Success,
            Reason::DisconnectWithWill,
            Reason::ServerShuttingDown,
        ]),
        _ => of(&[Reason::Success]),
    };
    let list = properties(version, PacketKind::Disconnect);
    (reasons, list)
        .prop_map(|(reason, properties)| Packet::Disconnect(Disconnect { reason, properties }))
}

fn auth() -> impl Strategy<Value = Packet> {
    let reasons = of(&[
        Reason::Success,
        Reason::ContinueAuthentication,
        Reason::ReAuthenticate,
    ]);
    let list = properties(Version::V5, PacketKind::Auth);
    (reasons, text(), list).prop_map(|(reason, method, rest)| {
        // Whoever sends AUTH names the method.
        let is_method = |p: &&Property| matches!(p, Property::AuthenticationMethod(_));
        let rest = rest.iter().filter(|p| !is_method(p)).cloned();
        let method = Property::AuthenticationMethod(method);
        Packet::Auth(Auth {
            reason,
            properties: std::iter::once(method).chain(rest).collect(),
        })
    })
}

/// Any packet that `version` has.
pub(super) fn packet(version: Version) -> BoxedStrategy<Packet> {
    use PacketKind as K;
    let last = match version {
        Version::V5 => auth().boxed(),
        _ => Just(Packet::PingReq).boxed(),
    };
    prop_oneof![
        connect(version),
        connack(version),
        publish(version),
        ack(version, K::PubAck).prop_map(Packet::PubAck),
        ack(version, K::PubRec).prop_map(Packet::PubRec),
        ack(version, K::PubRel).prop_map(Packet::PubRel),
        ack(version, K::PubComp).prop_map(Packet::PubComp),
        subscribe(version),
        suback(version, K::SubAck).prop_map(Packet::SubAck),
        unsubscribe(version),
        suback(version, K::UnsubAck).prop_map(Packet::UnsubAck),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
        disconnect(version),
        last,
    ]
    .boxed()
}
