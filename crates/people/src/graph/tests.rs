//! The graph against one that is as simple as can be, on random relations with cycles.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quartet_model::Affordance;

use super::*;
use crate::{
    decisions::Decisions,
    fields::Fields,
    role::{Deed, Part},
};

const ELEMENTS: [&str; 14] = [
    "people/p0",
    "people/p1",
    "people/p2",
    "things/h0",
    "things/h1",
    "things/h2",
    "teams/t0",
    "teams/t1",
    "teams/t2",
    "places/a0",
    "places/a1",
    "places/a2",
    HUB,
    "rooms/r0",
];
const NAMES: [&str; 8] = [
    "memberOf",
    "memberOf",
    "in",
    "onDuty",
    "consentsTo",
    "viewer",
    "nurse",
    "ghost",
];
const FACTS: [&str; 2] = ["things/h0/properties/alarm", "things/h1/properties/alarm"];
const RATE: Part<'static> = Some((Affordance::Property, "rate"));

/// Times are so many microseconds.
const fn at(us: u64) -> Time {
    Time::from_micros(us)
}

/// What happens, one after the other.
#[derive(Clone, Debug)]
enum Change {
    Relations(&'static str, Vec<Relation>),
    Fact(&'static str, bool),
    Role(&'static str, Option<Role>),
    Now(Time),
}

/// The naive one: relations in a list, and everything is tried.
#[derive(Default)]
struct Naive {
    relations: BTreeMap<&'static str, Vec<Relation>>,
    roles: BTreeMap<String, Role>,
    facts: BTreeSet<String>,
}

impl Naive {
    fn new() -> Self {
        let roles = role::built_in();
        Self {
            roles: roles.map(|(name, role)| (name.to_owned(), role)).into(),
            ..Self::default()
        }
    }

    fn links(&self, now: Time) -> impl Iterator<Item = (&'static str, &Relation)> {
        let all = self.relations.iter();
        let all = all.flat_map(|(from, relations)| relations.iter().map(move |one| (*from, one)));
        all.filter(move |(_, one)| one.from <= now && now < one.until)
    }

    /// All that `from` belongs to.
    fn up(&self, from: &str, names: &[&str], now: Time) -> BTreeSet<String> {
        let mut all = BTreeSet::from([from.to_owned()]);
        loop {
            let before = all.len();
            for (one, link) in self.links(now) {
                if all.contains(one) && names.contains(&&*link.relation) {
                    all.insert(link.to.clone());
                }
            }
            if all.len() == before {
                return all;
            }
        }
    }

    fn duties(&self, who: &str, now: Time) -> BTreeSet<String> {
        let mut states = BTreeSet::from([(who.to_owned(), false)]);
        loop {
            let before = states.len();
            for (one, link) in self.links(now) {
                for on_duty in [false, true] {
                    let from = (one.to_owned(), on_duty);
                    if states.contains(&from) {
                        match &*link.relation {
                            "memberOf" => states.insert((link.to.clone(), on_duty)),
                            "onDuty" => states.insert((link.to.clone(), true)),
                            _ => false,
                        };
                    }
                }
            }
            if states.len() == before {
                let on_duty = states.into_iter().filter(|(_, on_duty)| *on_duty);
                return on_duty.map(|(team, _)| team).collect();
            }
        }
    }

    /// The roles that `who` has at something that `on` is in.
    fn roles(&self, who: &str, on: &str, now: Time) -> Vec<&Role> {
        let teams = self.up(who, &["memberOf", "onDuty"], now);
        let mut scopes = self.up(on, &["in"], now);
        scopes.insert(HUB.to_owned());
        let duties = self.duties(who, now);
        let consents = |person: &str| {
            person == who
                || self.links(now).any(|(from, link)| {
                    from == person && link.relation == "consentsTo" && teams.contains(&link.to)
                })
        };
        let everybody_consents = scopes
            .iter()
            .filter(|scope| scope.starts_with("people/"))
            .all(|person| consents(person));
        let holds = |from: &str, link: &Relation| {
            teams.contains(from)
                && scopes.contains(&link.to)
                && !link.break_glass
                && (!link.while_on_duty
                    || match from == who {
                        true => !duties.is_empty(),
                        false => duties.contains(from),
                    })
                && link
                    .while_true
                    .as_ref()
                    .is_none_or(|at| self.facts.contains(at))
                && (!link.with_consent || everybody_consents)
        };
        let held = self.links(now).filter(|(from, link)| holds(from, link));
        held.filter_map(|(_, link)| self.roles.get(&link.relation))
            .collect()
    }

    fn may(&self, question: &Question<'_>, now: Time) -> Option<Fields> {
        let kind = kind_of(question.on).unwrap();
        let roles = self.roles(question.who, question.on, now);
        let fields = roles
            .iter()
            .filter_map(|role| role.allows(question.deed, kind, question.part));
        fields.reduce(|one, two| one.and(&two))
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Relations(element, relations) => {
                self.relations.insert(element, relations.clone());
            }
            Change::Fact(topic, true) => {
                self.facts.insert((*topic).to_owned());
            }
            Change::Fact(topic, false) => {
                self.facts.remove(*topic);
            }
            Change::Role(name, Some(role)) => {
                self.roles.insert((*name).to_owned(), role.clone());
            }
            Change::Role(name, None) => {
                self.roles.remove(*name);
            }
            Change::Now(_) => {}
        }
    }
}

/// The same change for the graph. It hears of facts when it wants to know them.
fn change(graph: &mut Graph, naive: &Naive, change: &Change) {
    match change {
        Change::Relations(element, relations) => {
            for topic in graph.set_relations(element, relations) {
                graph.set_fact(&topic, naive.facts.contains(&*topic));
            }
        }
        Change::Fact(topic, is_true) => graph.set_fact(topic, *is_true),
        Change::Role(name, role) => graph.set_role(name, role.clone()),
        Change::Now(_) => {}
    }
}

fn nurse(fields: &'static [&'static str]) -> Role {
    let mut role = Role::read(
        br#"{"rights": [{"may": ["read"], "on": "properties/rate", "of": ["things", "people"]},
            {"may": ["invoke"], "of": ["things"]}]}"#,
    )
    .unwrap();
    if !fields.is_empty() {
        role.rights[0].fields = Fields::of(fields.iter().copied());
    }
    role
}

fn relation() -> impl Strategy<Value = Relation> {
    let name = prop::sample::select(&NAMES[..]);
    let to = prop::sample::select(&ELEMENTS[..]);
    let from = prop_oneof![4 => Just(Time::ZERO), 1 => Just(at(10)), 1 => Just(at(20))];
    let until = prop_oneof![4 => Just(Time::NEVER), 1 => Just(at(25)), 1 => Just(at(40))];
    let fact = prop::option::weighted(0.1, prop::sample::select(&FACTS[..]));
    let flag = || prop::bool::weighted(0.1);
    let when = (from, until, fact, flag(), flag(), flag());
    (name, to, when).prop_map(|(name, to, (from, until, fact, duty, consent, glass))| {
        let mut one = Relation::new(name, to);
        (one.from, one.until) = (from, until);
        if Sort::of(name) == Sort::Role {
            one.while_true = fact.map(str::to_owned);
            (one.while_on_duty, one.with_consent, one.break_glass) = (duty, consent, glass);
        }
        one
    })
}

fn a_change() -> impl Strategy<Value = Change> {
    let element = prop::sample::select(&ELEMENTS[..]);
    let relations = prop::collection::vec(relation(), 0..5);
    let roles = prop_oneof![
        Just(Some(nurse(&[]))),
        Just(Some(nurse(&["/a"]))),
        Just(Some(nurse(&["/b", "/c"]))),
        Just(None)
    ];
    prop_oneof![
        8 => (element, relations).prop_map(|(element, all)| {
            let is_right = |one: &Relation| one.check(element).is_ok();
            Change::Relations(element, all.into_iter().filter(is_right).collect())
        }),
        1 => (prop::sample::select(&FACTS[..]), any::<bool>()).prop_map(|(at, is)| Change::Fact(at, is)),
        1 => roles.prop_map(|role| Change::Role("nurse", role)),
        2 => (0_u64..50).prop_map(|us| Change::Now(at(us))),
    ]
}

fn questions() -> impl Iterator<Item = Question<'static>> {
    let deeds = [(Deed::Read, RATE), (Deed::Read, None), (Deed::Invoke, RATE)];
    let pairs = ELEMENTS
        .into_iter()
        .flat_map(|who| ELEMENTS.into_iter().map(move |on| (who, on)));
    pairs.flat_map(move |(who, on)| {
        deeds.map(|(deed, part)| Question {
            who,
            deed,
            on,
            part,
        })
    })
}

/// Everything that can be asked, asked of both.
fn compare(graph: &Graph, naive: &Naive, now: Time) {
    for question in questions() {
        let expected = naive.may(&question, now);
        assert_eq!(
            graph.may(&question, now).fields,
            expected,
            "{question:?} at {now:?}"
        );
        match graph.explain(&question, now) {
            Explanation::Allowed { path, .. } => {
                assert!(expected.is_some());
                assert_eq!(path[0].from, question.who);
            }
            Explanation::Refused(near) => {
                assert!(expected.is_none());
                assert!(near.iter().all(|near| near.path[0].from == question.who));
            }
        }
    }
    for on in ELEMENTS {
        for (deed, part) in [(Deed::Read, RATE), (Deed::Invoke, RATE)] {
            let is_one = |who: &&str| {
                let question = Question {
                    who,
                    deed,
                    on,
                    part,
                };
                let acts = !who.starts_with("teams/") && !who.starts_with("places/");
                acts && naive.may(&question, now).is_some()
            };
            let mut expected: Vec<&str> = ELEMENTS.into_iter().filter(is_one).collect();
            expected.sort_unstable();
            let found = graph.who_may(deed, on, part, now);
            let found: Vec<&str> = found.iter().map(|key| &**key).collect();
            assert_eq!(found, expected, "who may {deed} {on}");
        }
    }
    for who in ELEMENTS {
        let is_one = |on: &&str| {
            let roles = naive.roles(who, on, now);
            let mut roles = roles.iter();
            roles.any(|role| role.allows_any(Deed::Read, kind_of(on).unwrap()))
        };
        // Elements without relations are not in the graph.
        let known = |on: &&str| graph.by_key.contains_key(*on);
        let mut expected: Vec<&str> = ELEMENTS.into_iter().filter(is_one).filter(known).collect();
        expected.sort_unstable();
        let found = graph.what_may(who, Deed::Read, now);
        let found: Vec<&str> = found.iter().map(|key| &**key).collect();
        assert_eq!(found, expected, "what may {who} see");
    }
}

/// What holds of the graph's inside.
fn check_sound(graph: &Graph) {
    let edges = |entry: &Entry| entry.up.len() + entry.roles.len();
    assert_eq!(
        graph.relations,
        graph.entries.iter().map(edges).sum::<usize>()
    );
    assert_eq!(graph.by_key.len() + graph.free.len(), graph.entries.len());
    for (key, &node) in &graph.by_key {
        let entry = graph.entry(node);
        assert_eq!(&entry.key, key);
        assert!(entry.up.is_sorted_by_key(|edge| edge.to));
        assert!(entry.roles.is_sorted_by_key(|edge| edge.to));
        for edge in &entry.up {
            let below = &graph.entry(edge.to).below;
            let count = below.iter().filter(|there| **there == node).count();
            let is_below = entry
                .up
                .iter()
                .any(|other| other.to == edge.to && other.name != CONSENTS_TO);
            assert_eq!(count, usize::from(is_below));
        }
        for edge in &entry.roles {
            let holders = &graph.entry(edge.to).holders;
            assert_eq!(holders.iter().filter(|there| **there == node).count(), 1);
        }
        for from in entry.below.iter().chain(&entry.holders) {
            let from = graph.entry(*from);
            let mut edges = from.up.iter().chain(&from.roles);
            assert!(edges.any(|edge| edge.to == node));
        }
    }
    let used = graph
        .entries
        .iter()
        .flat_map(|entry| entry.up.iter().chain(&entry.roles));
    let used = used.filter(|edge| edge.when != ALWAYS).count();
    assert_eq!(graph.whens.len(), used + graph.whens_free.len());
}

proptest! {
    #[test]
    fn the_graph_says_what_a_naive_one_says(changes in prop::collection::vec(a_change(), 1..16)) {
        let (mut graph, mut naive) = (Graph::new(7), Naive::new());
        let mut remembered: BTreeMap<&str, Decisions> = BTreeMap::new();
        let mut said: BTreeMap<(&str, Deed), Decisions> = BTreeMap::new();
        let mut whole: BTreeMap<(&str, &str), (Decisions, u64)> = BTreeMap::new();
        let mut now = Time::ZERO;
        for one in &changes {
            if let Change::Now(at) = one {
                now = now.max(*at);
            }
            naive.change(one);
            change(&mut graph, &naive, one);
            check_sound(&graph);
            // Decisions that are remembered are still right.
            for question in questions().filter(|question| question.part == RATE) {
                let topic = format!("{}/properties/rate", question.on);
                let known = remembered.entry(question.who).or_default();
                let fields = known.may(&graph, question.who, question.deed, &topic, now);
                let expected = naive.may(&question, now);
                prop_assert_eq!(&fields, &expected, "{:?}", question);
                // So is where somebody said something last.
                let says = said.entry((question.who, question.deed)).or_default();
                let may = expected == Some(Fields::All);
                if says.may_say_again(&graph, &topic, now) {
                    prop_assert!(may, "{:?}", question);
                }
                let may_say = says.may_say(&graph, question.who, question.deed, &topic, now);
                prop_assert_eq!(may_say, may, "{:?}", question);
            }
            // And what is known of all that somebody asked for: two topics each.
            for who in ELEMENTS {
                for pair in ELEMENTS.windows(2) {
                    let mut reads = pair.iter().map(|on| naive.may(&read(who, on), now));
                    let expected = reads.all(|fields| fields == Some(Fields::All));
                    let (known, as_of) = whole.entry((who, pair[0])).or_default();
                    if *as_of == graph.version() {
                        prop_assert!(expected, "{} of {:?}", who, pair);
                    }
                    let all = pair.iter().map(|on| {
                        let topic = format!("{on}/properties/rate");
                        (graph.may_do(who, Deed::Read, &topic, now), (*on).to_owned())
                    });
                    let holds = known.sees_whole(&graph, now);
                    let holds = holds.unwrap_or_else(|| known.look_at_whole(&graph, who, all));
                    prop_assert_eq!(holds, expected, "{} of {:?}", who, pair);
                    if known.sees_whole_for_ever() {
                        *as_of = graph.version();
                    }
                }
            }
        }
        compare(&graph, &naive, now);
        // And nothing is left when all relations are gone.
        for element in ELEMENTS {
            graph.set_relations(element, []);
        }
        check_sound(&graph);
        prop_assert!(graph.is_empty() && graph.facts.is_empty());
        prop_assert_eq!(graph.by_key.len(), 1);
    }
}

fn related(all: &[(&str, &str, &str)]) -> Graph {
    let mut graph = Graph::new(1);
    let mut by_from: BTreeMap<&str, Vec<Relation>> = BTreeMap::new();
    for (from, name, to) in all {
        by_from
            .entry(from)
            .or_default()
            .push(Relation::new(name, to));
    }
    for (from, relations) in by_from {
        graph.set_relations(from, &relations);
    }
    graph
}

fn read<'q>(who: &'q str, on: &'q str) -> Question<'q> {
    Question {
        who,
        deed: Deed::Read,
        on,
        part: RATE,
    }
}

#[test]
fn a_permission_is_a_path_that_can_be_told() {
    let graph = related(&[
        ("people/ana", "memberOf", "teams/night"),
        ("teams/night", "viewer", "places/ward-3"),
        ("places/room-12", "in", "places/ward-3"),
        ("things/pump", "in", "places/room-12"),
    ]);
    let Explanation::Allowed { path, .. } =
        graph.explain(&read("people/ana", "things/pump"), at(1))
    else {
        panic!("refused");
    };
    let told: Vec<String> = path.iter().map(Link::to_string).collect();
    assert_eq!(
        told,
        [
            "people/ana is a member of teams/night",
            "teams/night is viewer of places/ward-3",
            "places/room-12 is in places/ward-3",
            "things/pump is in places/room-12",
        ]
    );
}

#[test]
fn a_refusal_says_what_is_missing() {
    let mut graph = related(&[
        ("things/pump", "in", "places/ward-3"),
        ("people/bob", "gateway", "places/ward-3"),
    ]);
    let evening = Relation {
        from: at(100),
        ..Relation::new("memberOf", "teams/night")
    };
    graph.set_relations("people/ana", &[evening]);
    let on_duty = Relation {
        while_on_duty: true,
        ..Relation::new("viewer", "places/ward-3")
    };
    let glass = Relation {
        break_glass: true,
        ..Relation::new("operator", "places/ward-3")
    };
    graph.set_relations("teams/night", &[on_duty, glass]);
    let missing = |question: Question<'_>, now| match graph.explain(&question, now) {
        Explanation::Refused(near) => near.into_iter().map(|near| near.missing).collect(),
        Explanation::Allowed { .. } => vec![],
    };
    let ana = read("people/ana", "things/pump");
    assert_eq!(missing(ana, at(1))[0], Missing::NotBefore(at(100)));
    let later = missing(ana, at(100));
    assert!(later.contains(&Missing::NotOnDuty) && later.contains(&Missing::GlassIsWhole));
    let write = Question {
        deed: Deed::Write,
        ..read("people/bob", "things/pump")
    };
    assert_eq!(
        missing(write, at(1)),
        [Missing::NotByRole("gateway".into())]
    );
    assert_eq!(missing(read("people/eve", "things/pump"), at(1)), []);
}

#[test]
fn whoever_is_on_duty_is_a_member_for_that_time() {
    let mut graph = related(&[("teams/night", "viewer", "places/ward-3")]);
    let shift = Relation {
        from: at(10),
        until: at(20),
        ..Relation::new("onDuty", "teams/night")
    };
    graph.set_relations("people/ana", &[shift]);
    let question = read("people/ana", "places/ward-3");
    for (now, is_allowed) in [(9, false), (10, true), (19, true), (20, false)] {
        let verdict = graph.may(&question, at(now));
        assert_eq!(verdict.is_allowed(), is_allowed, "at {now}");
        assert!(at(now) < verdict.until);
    }
}

#[test]
fn a_role_at_the_hub_reaches_everything_and_plain_topics() {
    let graph = related(&[("people/ana", "viewer", HUB)]);
    assert!(
        graph
            .may(&read("people/ana", "things/unknown"), at(1))
            .is_allowed()
    );
    assert!(graph.may_all("people/ana", Deed::Read, at(1)).is_allowed());
    assert!(
        graph
            .may_at("people/ana", Deed::Read, "zigbee2mqtt/#", at(1))
            .is_allowed()
    );
    assert!(
        !graph
            .may_at("people/ana", Deed::Report, "zigbee2mqtt/x", at(1))
            .is_allowed()
    );
    assert!(!graph.may_all("people/bob", Deed::Read, at(1)).is_allowed());
}

#[test]
fn what_the_rota_does_not_touch_is_still_known() {
    let mut graph = related(&[
        ("people/ana", "viewer", "places/a"),
        ("people/bob", "memberOf", "teams/b"),
        ("teams/b", "viewer", "places/a"),
    ]);
    let (ana, bob) = (
        graph.stamp("people/ana", "places/a"),
        graph.stamp("people/bob", "places/a"),
    );
    graph.set_relations("teams/b", &[Relation::new("viewer", "places/b")]);
    assert!(graph.is_current(&ana));
    assert!(!graph.is_current(&bob));
    graph.set_relations("places/a", &[Relation::new("in", "places/b")]);
    assert!(!graph.is_current(&ana));
}

#[test]
fn where_something_was_tells_who_could_see_it() {
    let mut graph = related(&[
        ("people/ana", "viewer", "places/ward-3"),
        ("places/room-12", "in", "places/ward-3"),
    ]);
    let later = Relation {
        from: at(10),
        ..Relation::new("in", "places/yard")
    };
    graph.set_relations(
        "things/pump",
        &[Relation::new("in", "places/room-12"), later],
    );
    assert_eq!(
        graph.places_of("things/pump", at(1)),
        ["places/room-12".into()]
    );
    assert_eq!(graph.places_of("things/unknown", at(1)), []);
    let may = |who, deed, place| graph.may_some_in(who, deed, Kind::Thing, place, at(1));
    assert!(may("people/ana", Deed::Read, "places/room-12"));
    assert!(!may("people/ana", Deed::Write, "places/room-12"));
    assert!(!may("people/ana", Deed::Read, "places/yard"));
    assert!(!may("people/eve", Deed::Read, "places/room-12"));
}
