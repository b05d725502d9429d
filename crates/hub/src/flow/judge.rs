//! What was said to elements waits in sessions for those who are away. Before it is sent, the
//! elements are asked whether it is void by now: carried out, or overtaken. So nothing is done
//! twice that is known to be done, also when the hub dies before it noted an acknowledgement.

use std::{collections::HashMap, sync::Arc};

use quartet_fabric::routes::Lane;
use quartet_model::{Actor, Event, Time};

use super::{
    ClientKey, Flow, Mail,
    elements::is_request,
    home_of_topic,
    keep::{Fetched, Waiting},
};

/// What was fetched for sessions and is not judged yet.
#[derive(Default)]
pub(super) struct Judging {
    begun: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    client: ClientKey,
    found: Vec<Fetched>,
    /// How much of it is void.
    void: usize,
    /// How many lanes have not answered.
    awaited: usize,
}

impl Flow {
    /// Asks the elements about what was fetched for a session.
    pub(super) fn judge(&mut self, client: ClientKey, found: Vec<Fetched>, now: Time) {
        self.judging.begun += 1;
        let number = self.judging.begun;
        let mut by_lane: HashMap<Lane, Vec<(usize, Arc<Event>)>> = HashMap::new();
        for (index, (_, event)) in found.iter().enumerate() {
            if let Some(event) = event
                && event.by == Actor::Hub
                && is_request(&event.topic)
            {
                let lane = home_of_topic(&event.topic, self.lanes);
                let asked = by_lane.entry(lane).or_default();
                asked.push((index, Arc::clone(event)));
            }
        }
        let open = Open {
            client,
            found,
            void: 0,
            awaited: by_lane.len(),
        };
        self.judging.open.insert(number, open);
        let from = self.lane;
        for (lane, asked) in by_lane {
            if lane == self.lane {
                self.hear_void(from, number, asked, now);
            } else {
                let mail = Mail::Void {
                    from,
                    number,
                    asked,
                };
                self.out.mail_last.push((lane, mail));
            }
        }
    }

    /// A lane asks about what was said to elements of this one. What follows from things that
    /// are on their way is waited for.
    pub(super) fn hear_void(
        &mut self,
        from: Lane,
        number: u64,
        asked: Vec<(usize, Arc<Event>)>,
        now: Time,
    ) {
        self.wait(Waiting::Judge(from, number, asked), now);
    }

    pub(super) fn say_void(
        &mut self,
        to: Lane,
        number: u64,
        asked: &[(usize, Arc<Event>)],
        now: Time,
    ) {
        let is_void = |(_, event): &&(usize, Arc<Event>)| self.elements.is_void(event, now);
        let void: Vec<usize> = asked
            .iter()
            .filter(is_void)
            .map(|(index, _)| *index)
            .collect();
        if to == self.lane {
            self.voided(number, &void, now);
        } else {
            self.out.mail_last.push((to, Mail::Voided { number, void }));
        }
    }

    /// A lane said what is void.
    pub(super) fn voided(&mut self, number: u64, void: &[usize], now: Time) {
        let Some(open) = self.judging.open.get_mut(&number) else {
            return;
        };
        open.awaited -= 1;
        for &index in void {
            open.found[index].1 = None; // As if it was not kept any more.
            open.void += 1;
        }
        if open.awaited == 0
            && let Some(open) = self.judging.open.remove(&number)
        {
            self.supply(open.client, &open.found, open.void, now);
        }
    }
}
