//! What lanes say to each other.
//!
//! Two rules make the lanes behave like one. A lane posts what follows from its input before
//! it writes to any socket. And it looks into its letter box after each read from a socket,
//! before it acts on what it read. So whatever a client does after it heard an answer finds
//! all lanes in the state that the answer promised, and nobody has to wait for anybody.

use std::sync::Arc;

use quartet_fabric::{
    retained::Cursor,
    routes::{Lane, Matches, Member, Wish},
};
use quartet_model::{Event, Time};
use quartet_process::fast::Looked;
use quartet_things::places::Fence;

use super::{
    Carried, Flow, Receiver,
    admit::{Question, Verdict},
    dialects::Announced,
    elements::Presence,
    keep::{Origin, Waiting, record::Via},
    sparkplug::Reported,
};

/// What one lane says to another.
#[derive(Debug)]
pub enum Mail {
    /// Pass this on to your own receivers.
    Event {
        /// Who says so.
        from: Lane,
        /// Its step, to be confirmed with [`Mail::Taken`]; 0 if nobody waits for that.
        step: u64,
        /// What.
        event: Arc<Event>,
    },
    /// What you passed on in this step is written down here.
    Taken {
        /// Your step.
        step: u64,
    },
    /// You keep this topic: pass this on to all receivers of all lanes, and answer.
    Sequence {
        /// Who waits for the answer.
        from: Lane,
        /// The topic's hash.
        topic: u64,
        /// As for [`Mail::Event`].
        step: u64,
        /// What to pass on.
        event: Arc<Event>,
    },
    /// The answer to [`Mail::Sequence`].
    Sequenced {
        /// The topic's hash.
        topic: u64,
    },
    /// I have receivers at this filter, or no more.
    Interest {
        /// Who says so.
        lane: Lane,
        /// The filter.
        filter: Box<str>,
        /// Whether I have some.
        interested: bool,
    },
    /// A shared subscription has a member more.
    ShareJoin {
        /// The share's name.
        share: Box<str>,
        /// Its filter.
        filter: Box<str>,
        /// The member.
        member: Member<Receiver>,
    },
    /// A shared subscription has a member less.
    ShareLeave {
        /// The share's name.
        share: Box<str>,
        /// Its filter.
        filter: Box<str>,
        /// The member's lane.
        lane: Lane,
        /// The member.
        receiver: Receiver,
    },
    /// A member of a shared subscription came or went.
    ShareOnline {
        /// The share's name.
        share: Box<str>,
        /// Its filter.
        filter: Box<str>,
        /// The member's lane.
        lane: Lane,
        /// The member.
        receiver: Receiver,
        /// Whether it came.
        online: bool,
    },
    /// Your receiver was chosen to get this.
    Deliver {
        /// Who.
        receiver: Receiver,
        /// How.
        wish: Wish,
        /// The share that it was chosen for.
        share: u64,
        /// Who says so.
        from: Lane,
        /// As for [`Mail::Event`].
        step: u64,
        /// What.
        event: Arc<Event>,
    },
    /// Home Assistant is there; or it was, before the hub started.
    HomeAssistant {
        /// It has just come, and is to be told of all things.
        is_born: bool,
    },
    /// Which retained messages of yours match?
    Scan {
        /// Who asks.
        to: Lane,
        /// The search, in the answer again.
        number: u64,
        /// What they must match.
        filter: Box<str>,
        /// Where to go on.
        from: Option<Cursor>,
        /// Answer only when what is found is safe.
        safely: bool,
    },
    /// Which of these, said to elements of yours, are void by now?
    Void {
        /// Who asks.
        from: Lane,
        /// The question, in the answer again.
        number: u64,
        /// What is asked about, by its place in the question.
        asked: Vec<(usize, Arc<Event>)>,
    },
    /// The answer to [`Mail::Void`].
    Voided {
        /// The question that it answers.
        number: u64,
        /// The places of those that are.
        void: Vec<usize>,
    },
    /// Somebody comes in here as an element of yours: is it?
    Recognise(Box<Question>),
    /// The answer to [`Mail::Recognise`].
    Recognised(Box<Verdict>),
    /// A device announced an element of yours, or a part of it.
    Announced(Box<Announced>),
    /// Somebody asks for a host of Sparkplug nodes.
    Host,
    /// A dialect heard something of an element of yours.
    Reported(Box<Reported>),
    /// Parts of your elements whose names begin so are gone.
    Withdraw(Box<str>),
    /// A place of mine has this fence from now on, or none.
    Fence {
        /// Which.
        place: Box<str>,
        /// Its outline.
        fence: Option<Arc<Fence>>,
    },
    /// Something is known of who is there.
    Presence(Presence),
    /// An event that I follow may start a flow of yours.
    Start {
        /// Who says so.
        from: Lane,
        /// As for [`Mail::Event`].
        step: u64,
        /// The key of the flow.
        flow: Box<str>,
        /// What.
        event: Arc<Event>,
    },
    /// What are these properties (key and name) of elements of yours?
    Look {
        /// Who asks.
        from: Lane,
        /// The question, in the answer again.
        number: u64,
        /// Which.
        asked: Vec<(String, String)>,
    },
    /// The answer to [`Mail::Look`].
    Looked {
        /// The question that it answers.
        number: u64,
        /// What they are.
        found: Vec<((String, String), Looked)>,
    },
    /// The answer to [`Mail::Scan`].
    Scanned {
        /// The search that it answers.
        number: u64,
        /// The messages.
        found: Vec<Event>,
        /// Where to go on; `None` at the end.
        from: Option<Cursor>,
    },
}

impl Flow {
    /// Takes a letter of another lane.
    pub fn receive(&mut self, mail: Mail, now: Time) {
        match mail {
            Mail::Event { from, step, event } => {
                self.deliver_here(Carried::shared_by(&event), now);
                self.confirm(from, step, now);
            }
            Mail::Taken { step } => self.passed(step, now),
            Mail::Sequence {
                from,
                topic,
                step,
                event,
            } => {
                let origin = Origin::Lane(from, step);
                let event = Carried::shared_by(&event);
                self.follow_from(event, origin, now);
                self.out.mail_last.push((from, Mail::Sequenced { topic }));
            }
            Mail::Sequenced { topic } => self.sequenced(topic),
            Mail::Recognise(question) => self.answer_who(&question, now),
            Mail::Recognised(verdict) => self.recognised(*verdict),
            Mail::Announced(announced) => self.take_announcement(announced, now),
            Mail::Host => self.say_host(now),
            Mail::Withdraw(part) => self.withdraw(&part, now),
            Mail::Reported(reported) => self.take_report(reported, now),
            Mail::HomeAssistant { is_born } => self.tell_home_assistant(is_born, now),
            Mail::Fence { place, fence } => self.elements.set_fence(&place, fence),
            Mail::Presence(news) => self.hear_presence(&news, now),
            Mail::Start {
                from,
                step,
                flow,
                event,
            } => self.start_flow_for(&flow, &event, (from, step), now),
            Mail::Look {
                from,
                number,
                asked,
            } => self.hear_look(from, number, asked, now),
            Mail::Looked { number, found } => self.looked(number, found, now),
            Mail::Void {
                from,
                number,
                asked,
            } => self.hear_void(from, number, asked, now),
            Mail::Voided { number, void } => self.voided(number, &void, now),
            Mail::Interest {
                lane,
                filter,
                interested,
            } => self.routes.set_lane(&filter, lane, interested),
            Mail::ShareJoin {
                share,
                filter,
                member,
            } => {
                self.routes.share_join(&share, &filter, member);
            }
            Mail::ShareLeave {
                share,
                filter,
                lane,
                receiver,
            } => {
                self.routes.share_leave(&share, &filter, lane, receiver);
            }
            Mail::ShareOnline {
                share,
                filter,
                lane,
                receiver,
                online,
            } => self
                .routes
                .share_online(&share, &filter, lane, receiver, online),
            Mail::Deliver {
                receiver,
                wish,
                share,
                from,
                step,
                event,
            } => {
                let matches = Matches::one(receiver, wish);
                let event = Carried::shared_by(&event);
                self.deliver(event, &matches, Via::Share(share), now);
                self.confirm(from, step, now);
            }
            Mail::Scan {
                to,
                number,
                filter,
                from,
                safely,
            } => self.scan_for(to, number, &filter, from, safely, now),
            Mail::Scanned {
                number,
                found,
                from,
            } => self.scanned(number, found, from, now),
        }
    }

    /// An event that another lane took through the hub reaches this lane's own receivers.
    fn deliver_here(&mut self, event: Carried<'_>, now: Time) {
        let mut matches = std::mem::take(&mut self.matches);
        self.routes.own_receivers(&event.topic, &mut matches);
        self.deliver(event, &matches, Via::Route, now);
        self.work += 1 + matches.own.len();
        self.matches = matches;
    }

    /// Tells the lane that waits for it when what was taken here is safe.
    fn confirm(&mut self, lane: Lane, step: u64, now: Time) {
        if step != 0 {
            self.wait(Waiting::Confirm(lane, step), now);
        }
    }

    pub(super) fn tell_others(&mut self, mail: impl Fn(Lane) -> Mail) {
        for lane in 0..self.lanes as Lane {
            if lane != self.lane {
                self.out.mail.push((lane, mail(self.lane)));
            }
        }
    }
}
