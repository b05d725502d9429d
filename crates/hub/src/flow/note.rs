//! What is noted for the audit as it happens: who comes in, who does not, and what is refused. What is
//! granted and done is written down anyway, and told from that.

use std::{net::IpAddr, sync::Arc};

use quartet_fabric::mqtt::{Connect, Fault, Reason};
use quartet_model::Time;
use quartet_people::{
    audit::{Door, Entry, What},
    role::Deed,
};
use serde_json::json;

use super::{ClientKey, ConnKey, Flow};

/// Entries of one turn; what is more is counted.
const NOTED_MAX: usize = 256;

impl Flow {
    /// What a connection calls itself that wants to come in, if it does.
    pub(super) fn claimed_name(&self, key: ConnKey, connect: &Connect) -> String {
        let said = connect.login.user_name.as_deref();
        let said = said.filter(|name| !name.is_empty());
        let shown = self.conns[key].shown.as_ref().map(|shown| &*shown.name);
        said.or(shown).unwrap_or_default().to_owned()
    }

    /// Somebody does not come in, if that is why.
    pub(super) fn note_not_let_in(&mut self, key: ConnKey, claimed: &str, why: &Fault, now: Time) {
        let is_about_rights = matches!(
            why.reason,
            Reason::NotAuthorized
                | Reason::BadUserNameOrPassword
                | Reason::ClientIdentifierNotValid
        );
        if is_about_rights {
            let from = self.conns[key].peer.ip;
            let entry = Entry::new(now, What::NotLetIn, claimed).because(why.what);
            self.note(entry.through(Door::Mqtt, from));
        }
    }

    /// Somebody came in with a credential.
    pub(super) fn note_came_in(&mut self, key: ConnKey, client: ClientKey, now: Time) {
        let conn = &self.conns[key];
        let Some(holder) = conn.who.holder() else {
            return; // Where everything is open nobody says who it is.
        };
        let entry = Entry::new(now, What::CameIn, holder.element()).with(json!({
            "client": &*self.clients[client].id,
            "credential": holder.credential(),
        }));
        let from = conn.peer.ip;
        self.note(entry.through(Door::Mqtt, from));
    }

    /// Somebody who came in may not do something, if that is why.
    pub(super) fn note_refused(
        &mut self,
        (who, from): (&str, Option<IpAddr>),
        deed: Option<Deed>,
        on: &str,
        why: &Fault,
        now: Time,
    ) {
        if why.reason == Reason::NotAuthorized {
            let entry = Entry::new(now, What::Refused, who);
            let entry = entry.on(on).wanting(deed).because(why.what);
            self.note(entry.through(Door::Mqtt, from));
        }
    }

    /// The same of a client that is there.
    pub(super) fn note_client_refused(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        deed: Option<Deed>,
        on: &str,
        why: &Fault,
        now: Time,
    ) {
        let who = Arc::clone(self.clients[client].name());
        let from = self.conns[key].peer.ip;
        self.note_refused((&who, from), deed, on, why, now);
    }

    fn note(&mut self, entry: Entry) {
        match self.out.noted.len() < NOTED_MAX {
            true => self.out.noted.push(entry),
            false => self.out.noted_more += 1,
        }
    }
}
