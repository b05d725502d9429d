//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, sections 3.8 to 3.11), and shares of subscriptions.

use quartet_fabric::{
    mqtt::{
        Fault, Packet, Properties, Property, Reason, RetainHandling, SubAck, Subscribe,
        SubscribeFilter, Unsubscribe,
    },
    outbox::Outbox,
    routes::{Matches, Member, Wish},
    topic::Filter,
};
use quartet_model::{Qos, Time};
use quartet_people::role::Deed;

use super::{
    Carried, ClientKey, ConnKey, Flow, Mail, Receiver,
    conn::{More, Stage},
    keep::{
        Record, Waiting,
        record::{Subscription, Via},
    },
};

/// Where retained messages are to be looked for, once the SUBACK is written.
pub(super) struct Wanted {
    pub(super) filter: String,
    pub(super) wish: Wish,
}

impl Flow {
    pub(super) fn subscribe(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        subscribe: &Subscribe,
        now: Time,
    ) {
        let id = subscribe.properties.find(|p| match p {
            Property::SubscriptionIdentifier(id) => Some(*id),
            _ => None,
        });
        let mut wanted = Vec::new();
        let mut why = None;
        // Each filter for itself, in order [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1].
        let reasons = subscribe
            .filters
            .iter()
            .map(|filter| {
                let wish = Wish {
                    qos: filter.qos,
                    no_local: filter.no_local,
                    retain_as_published: filter.retain_as_published,
                    id: id.unwrap_or(0),
                };
                match self.subscribe_to(key, client, filter, wish, &mut wanted, now) {
                    // [MQTT-3.8.4-7] [MQTT-3.9.3-2]
                    Ok(()) => granted(filter.qos),
                    Err(fault) => {
                        self.figures.refused += 1;
                        let (deed, on) = (Some(Deed::Read), &*filter.filter);
                        self.note_client_refused(key, client, deed, on, &fault, now);
                        why = Some(fault.what);
                        fault.reason
                    }
                }
            })
            .collect();
        let mut properties = Properties::none();
        if let Some(why) = why {
            properties.push(Property::ReasonString(why.into()));
        }
        self.answer(
            key,
            Packet::SubAck(SubAck {
                packet_id: subscribe.packet_id, // [MQTT-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2]
                properties,
                reasons,
            }),
            now,
        );
        for asked in &subscribe.filters {
            self.ask_for_host(&asked.filter, now);
        }
        if !wanted.is_empty() {
            if self.clients[client].number == 0 {
                return self.begin_scans(client, wanted, now);
            }
            // What is retained is looked for when the subscription is safe: not before its
            // SUBACK.
            self.wait(Waiting::Scan(client, wanted), now);
        }
    }

    /// Answers when what was asked for is safe.
    fn answer(&mut self, key: ConnKey, packet: Packet, now: Time) {
        let conn = &mut self.conns[key];
        let Stage::Open(client, open) = &conn.stage else {
            return;
        };
        if self.clients[*client].number == 0 {
            open.write(packet, &mut conn.outbox);
            return conn.touch(key, &mut self.out.dirty);
        }
        let mut bytes = Outbox::default();
        open.write(packet, &mut bytes);
        self.write_when_safe(key, bytes, now);
    }

    fn subscribe_to(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        asked: &SubscribeFilter,
        wish: Wish,
        wanted: &mut Vec<Wanted>,
        now: Time,
    ) -> Result<(), Fault> {
        let filter = Filter::parse(&asked.filter)
            .map_err(|error| Fault::new(Reason::TopicFilterInvalid, error.what()))?;
        if self.limits.topic_levels_max < filter.levels() {
            return Err(Fault::new(
                Reason::TopicFilterInvalid,
                "the filter has more levels than this hub allows",
            ));
        }
        let is_shared = filter.share.is_some();
        let sees = self.may_subscribe(&self.conns[key].who, filter.filter, is_shared, now)?;
        if let Some(share) = filter.share {
            self.join_share(client, share, filter.filter, wish)?;
            self.look_out(client, sees, is_shared);
            return Ok(());
        }
        let there = &self.clients[client].subscriptions;
        let node = self.routes.find(filter.filter);
        if !node.is_some_and(|node| there.contains(&node)) {
            self.check_room(client)?;
        }
        let receiver = Receiver::Session(client);
        self.look_out(client, sees, is_shared);
        let joined = self.join(filter.filter, receiver, wish);
        self.clients[client].subscriptions.insert(joined.node);
        self.asks_for_more(client);
        self.write_subscribed(client, "", filter.filter, wish);
        // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4]
        let send_retained = match asked.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => joined.is_new,
            RetainHandling::DoNotSend => false,
        };
        if send_retained {
            wanted.push(Wanted {
                filter: filter.filter.to_owned(),
                wish,
            });
        }
        Ok(())
    }

    /// Enters a receiver in the route table; tells the other lanes if it is the first there.
    pub(super) fn join(
        &mut self,
        filter: &str,
        receiver: Receiver,
        wish: Wish,
    ) -> quartet_fabric::routes::Joined {
        let joined = self.routes.join(filter, receiver, wish);
        if joined.is_first {
            self.tell_others(|lane| Mail::Interest {
                lane,
                filter: filter.into(),
                interested: true,
            });
        }
        joined
    }

    /// Takes a receiver out of the route table. Says whether it was there.
    pub(super) fn part(
        &mut self,
        node: quartet_fabric::routes::NodeId,
        receiver: Receiver,
    ) -> bool {
        let filter: Box<str> = self.routes.filter_at(node).into();
        let Some(left) = self.routes.leave(node, receiver) else {
            return false;
        };
        if left.is_last {
            self.tell_others(|lane| Mail::Interest {
                lane,
                filter: filter.clone(),
                interested: false,
            });
        }
        true
    }

    fn check_room(&self, client: ClientKey) -> Result<(), Fault> {
        let there = &self.clients[client];
        let shares = there.more.as_ref().map_or(0, |more| more.shares.len());
        if self.limits.subscriptions_max <= there.subscriptions.len() + shares {
            return Err(Fault::new(
                Reason::QuotaExceeded,
                "the session has as many subscriptions as this hub allows",
            ));
        }
        if !self.has_disk_room(0) && there.number != 0 {
            return Err(Fault::new(
                Reason::QuotaExceeded,
                "the hub's disk is full; no new subscriptions that must be kept",
            ));
        }
        if self.is_full {
            return Err(Fault::new(
                Reason::QuotaExceeded,
                "the hub's memory is used up; no new subscriptions",
            ));
        }
        Ok(())
    }

    fn join_share(
        &mut self,
        client: ClientKey,
        share: &str,
        filter: &str,
        wish: Wish,
    ) -> Result<(), Fault> {
        let more = self.clients[client].more.as_ref();
        let mut shares = more.iter().flat_map(|more| &more.shares);
        if !shares.any(|(s, f, _)| (&**s, &**f) == (share, filter)) {
            self.check_room(client)?;
        }
        self.enter_share(client, share, filter, wish);
        self.write_subscribed(client, share, filter, wish);
        Ok(())
    }

    /// Whether a client sees all that comes to it as it is has to be looked at again.
    fn asks_for_more(&mut self, client: ClientKey) {
        let there = &mut self.clients[client];
        there.sees_whole_at = 0;
        if let Some(sight) = &mut there.sight {
            sight.forget_whole();
        }
    }

    /// The client is a member of a share from now on [MQTT-4.8.2-3].
    pub(super) fn enter_share(&mut self, client: ClientKey, share: &str, filter: &str, wish: Wish) {
        let more: &mut More = self.clients[client].more.get_or_insert_default();
        more.shares
            .retain(|(s, f, _)| (&**s, &**f) != (share, filter));
        more.shares.push((share.into(), filter.into(), wish));
        self.asks_for_more(client);
        let member = Member {
            lane: self.lane,
            receiver: Receiver::Session(client),
            wish,
            online: true,
            share: super::fnv(share).rotate_left(1) ^ super::fnv(filter),
        };
        self.routes.share_join(share, filter, member);
        self.tell_others(|_| Mail::ShareJoin {
            share: share.into(),
            filter: filter.into(),
            member,
        });
    }

    fn write_subscribed(&mut self, client: ClientKey, share: &str, filter: &str, wish: Wish) {
        self.write_about(client, |session, _| Record::Subscribed {
            session,
            subscription: Subscription {
                share: share.into(),
                filter: filter.into(),
                wish,
            },
        });
    }

    fn leave_share(&mut self, client: ClientKey, share: &str, filter: &str) -> bool {
        let receiver = Receiver::Session(client);
        let was_member = self.routes.share_leave(share, filter, self.lane, receiver);
        if was_member {
            self.tell_others(|lane| Mail::ShareLeave {
                share: share.into(),
                filter: filter.into(),
                lane,
                receiver,
            });
        }
        was_member
    }

    /// The client came or went: its shares prefer members that are there. What it was sent
    /// before stays with its session [MQTT-4.8.2-4] [MQTT-4.8.2-5].
    pub(super) fn share_online(&mut self, client: ClientKey, online: bool) {
        let Some(more) = &self.clients[client].more else {
            return;
        };
        let receiver = Receiver::Session(client);
        for (share, filter, _) in more.shares.clone() {
            self.routes
                .share_online(&share, &filter, self.lane, receiver, online);
            self.tell_others(|lane| Mail::ShareOnline {
                share: share.clone(),
                filter: filter.clone(),
                lane,
                receiver,
                online,
            });
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        unsubscribe: &Unsubscribe,
        now: Time,
    ) {
        // Compared character by character [MQTT-3.10.4-1]; each answered [MQTT-3.10.4-5]
        // [MQTT-3.10.4-6]. What was begun to be sent is the session's [MQTT-3.10.4-3].
        let reasons = unsubscribe
            .filters
            .iter()
            .map(|filter| match Filter::parse(filter) {
                Err(_) => Reason::TopicFilterInvalid,
                Ok(Filter { share, filter, .. })
                    if self.unsubscribe_from(client, share, filter) =>
                {
                    Reason::Success
                }
                Ok(_) => Reason::NoSubscriptionExisted,
            })
            .collect();
        self.answer(
            key,
            Packet::UnsubAck(SubAck {
                packet_id: unsubscribe.packet_id, // [MQTT-3.10.4-4]
                properties: Properties::none(),
                reasons, // [MQTT-3.11.3-1] [MQTT-3.11.3-2]
            }),
            now,
        );
    }

    pub(super) fn unsubscribe_from(
        &mut self,
        client: ClientKey,
        share: Option<&str>,
        filter: &str,
    ) -> bool {
        self.write_about(client, |session, _| Record::Unsubscribed {
            session,
            share: share.unwrap_or_default().into(),
            filter: filter.into(),
        });
        if let Some(share) = share {
            if let Some(more) = &mut self.clients[client].more {
                more.shares
                    .retain(|(s, f, _)| (&**s, &**f) != (share, filter));
            }
            return self.leave_share(client, share, filter);
        }
        let Some(node) = self.routes.find(filter) else {
            return false;
        };
        self.clients[client].subscriptions.remove(&node);
        self.stop_scans(Receiver::Session(client), Some(filter));
        self.part(node, Receiver::Session(client)) // [MQTT-3.10.4-2]
    }

    /// The session ends: it receives nothing any more.
    pub(super) fn unsubscribe_all(&mut self, client: ClientKey) {
        let there = &mut self.clients[client];
        let nodes = std::mem::take(&mut there.subscriptions);
        let shares = there
            .more
            .as_mut()
            .map(|more| std::mem::take(&mut more.shares));
        let receiver = Receiver::Session(client);
        for node in nodes {
            self.part(node, receiver);
        }
        for (share, filter, _) in shares.unwrap_or_default() {
            self.leave_share(client, &share, &filter);
        }
        self.stop_scans(receiver, None);
    }

    /// Passes an event to the chosen members of shared subscriptions, wherever they are.
    pub(super) fn deliver_chosen(
        &mut self,
        event: Carried<'_>,
        matches: &Matches<Receiver>,
        step: u64,
        now: Time,
    ) {
        for member in &matches.chosen {
            let share = member.share;
            if self.keep.anybody_has_taken(event.place, Via::Share(share)) {
                continue; // Before the hub died.
            }
            if member.lane != self.lane {
                self.one_more(step);
                self.out.mail.push((
                    member.lane,
                    Mail::Deliver {
                        receiver: member.receiver,
                        wish: member.wish,
                        share,
                        from: self.lane,
                        step,
                        event: event.shared(),
                    },
                ));
                continue;
            }
            self.deliver(
                event,
                &Matches::one(member.receiver, member.wish),
                Via::Share(share),
                now,
            );
        }
    }
}

fn granted(qos: Qos) -> Reason {
    match qos {
        Qos::AtMostOnce => Reason::Success,
        Qos::AtLeastOnce => Reason::GrantedQos1,
        Qos::ExactlyOnce => Reason::GrantedQos2,
    }
}
