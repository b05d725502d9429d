//! What the audit is told as it happens: who comes in, who does not, and what is refused.

use quartet_people::audit::{Door, Entry, What};

use super::*;

/// A lamp in a room, and somebody who came in with a credential and has no relation to it.
fn room(site: &Site) -> Client {
    set(site, LAMP, &with_secrets(&["l1ght"]));
    set(site, "people/eve", &with_secrets(&["s3cret"]));
    let eve = admitted(site, named("eve-1", "people/eve", "s3cret"));
    let [came] = &site.noted()[..] else {
        panic!("one came in");
    };
    assert_eq!((came.what, &*came.who), (What::CameIn, "people/eve"));
    let value = came.value.as_ref().expect("it says with what");
    assert_eq!(value["credential"], "s3cret");
    eve
}

#[track_caller]
fn check(noted: &[Entry], expected: &[(What, &str, &str)]) {
    let told: Vec<_> = noted
        .iter()
        .map(|entry| (entry.what, &*entry.who, &*entry.on))
        .collect();
    assert_eq!(told, expected);
    for entry in noted {
        assert_eq!(entry.door, Some(Door::Mqtt));
        assert!(entry.why.is_some(), "{entry:?}");
    }
}

#[test]
fn what_is_refused_is_noted_with_who_and_why() {
    quartet_sim::on_every_site(|site| {
        let eve = room(site);
        eve.send(publish_at(Q1, 1, ON, "true"));
        eve.send(subscribe(2, &[("things/lamp/#", Q1), ("$share/a/#", Q1)]));
        site.settle();
        let expected = [
            (What::Refused, "people/eve", ON),
            (What::Refused, "people/eve", "things/lamp/#"),
            (What::Refused, "people/eve", "$share/a/#"),
        ];
        check(&site.noted(), &expected);
        // What she may is her own business.
        eve.send(publish_at(Q1, 3, "people/eve/properties/mood", "1"));
        site.settle();
        assert_eq!(site.noted(), []);
    });
}

#[test]
fn who_is_not_let_in_is_noted_by_what_it_calls_itself() {
    quartet_sim::on_every_site(|site| {
        let _ = room(site);
        let wrong = site.client_from(ELSEWHERE);
        wrong.send(named("x", LAMP, "guess"));
        let nameless = site.client_from(ELSEWHERE);
        nameless.send(connect("y"));
        site.settle();
        let mut noted = site.noted();
        noted.sort_by(|one, other| other.who.cmp(&one.who));
        check(
            &noted,
            &[(What::NotLetIn, LAMP, ""), (What::NotLetIn, "", "")],
        );

        let will = Connect {
            will: Some(will(ON)),
            ..named("eve-2", "people/eve", "s3cret")
        };
        let eve = site.client_from(ELSEWHERE);
        eve.send(will);
        site.settle();
        check(&site.noted(), &[(What::NotLetIn, "people/eve", "")]);
    });
}

#[test]
fn whoever_floods_the_hub_with_what_is_refused_fills_no_memory() {
    let site = &Site::new(1, 0);
    let eve = room(site);
    for n in 0..3000_u16 {
        eve.send(publish_at(Q0, 0, &format!("things/lamp/{n}"), "x"));
    }
    site.settle();
    assert!(site.noted().len() <= 256 * 3000, "each turn notes a part");
    assert!(site.noted().is_empty());
}
