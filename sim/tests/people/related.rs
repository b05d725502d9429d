//! What relations allow: stories of ana, of the pumps in her ward, and of those elsewhere.

use std::time::Duration;

use quartet_people::{
    relation::{self, Relation, Relations},
    role,
};

use super::*;

const ANA: &str = "people/ana";
const PUMP: &str = "things/pump";
const RATE: &str = "things/pump/properties/rate";
const ELSEWHERE_RATE: &str = "things/other/properties/rate";

/// These are the relations from an element from now on.
fn relate(site: &Site, element: &str, relations: &[Relation]) {
    let mut all = Relations::default();
    all.put(element, relations, site.now())
        .expect("they are right");
    site.announce(Said {
        qos: Q1,
        ..Said::state(relation::topic_of(element), all.text())
    });
}

fn define(site: &Site, name: &str, role: &str) {
    role::Role::read(role.as_bytes()).expect("it is a role");
    site.announce(Said {
        qos: Q1,
        ..Said::state(role::topic_of(name), role.to_owned())
    });
}

fn of(name: &str, to: &str) -> Relation {
    Relation::new(name, to)
}

/// Ana is a nurse by her team; a nurse sees a pump's rate, and of its status only the code.
fn ward(site: &Site) {
    set(site, ANA, &with_secrets(&["s3cret"]));
    define(
        site,
        "nurse",
        r#"{"rights": [
            {"may": ["read", "write"], "on": "properties/rate"},
            {"may": ["read"], "on": "properties/status", "fields": ["/code"]},
            {"may": ["invoke"], "on": "actions/stop"}
        ]}"#,
    );
    relate(site, ANA, &[of("memberOf", "teams/night")]);
    relate(site, "teams/night", &[of("nurse", "places/ward-3")]);
    relate(site, "places/room-12", &[of("in", "places/ward-3")]);
    relate(site, PUMP, &[of("in", "places/room-12")]);
}

fn ana(site: &Site, client_id: &str) -> Client {
    admitted(site, named(client_id, ANA, "s3cret"))
}

/// Somebody who may do everything says something.
fn say(site: &Site, topic: &str, payload: &str) {
    site.announce(Said {
        qos: Q1,
        retain: true,
        ..Said::state(topic.to_owned(), payload.to_owned())
    });
}

/// What somebody has heard, as topic and payload.
fn heard(client: &Client) -> Vec<(String, String)> {
    let told = |publish: Publish| {
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        (publish.topic.to_string(), payload)
    };
    client.messages().into_iter().map(told).collect()
}

fn topics(heard: &[(String, String)]) -> Vec<&str> {
    heard.iter().map(|(topic, _)| &**topic).collect()
}

#[test]
fn a_permitted_one_gets_what_a_role_allows_and_nothing_else() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        say(site, RATE, "1");
        say(site, ELSEWHERE_RATE, "1");
        say(site, "things/pump/properties/serial", "77");
        say(site, "shop/door", "open");
        let ana = ana(site, "ana-1");
        ana.send(subscribe(2, &[("#", Q1)]));
        assert_eq!(
            heard(&ana),
            [(RATE.to_owned(), "1".to_owned())],
            "what is retained"
        );
        say(site, RATE, "2");
        say(site, ELSEWHERE_RATE, "2");
        say(site, "things/pump/properties/serial", "78");
        say(
            site,
            "things/pump/properties/status",
            r#"{"code": 7, "patient": "Eve"}"#,
        );
        say(site, "shop/door", "closed");
        assert_eq!(
            heard(&ana),
            [
                (RATE.to_owned(), "2".to_owned()),
                (
                    "things/pump/properties/status".to_owned(),
                    r#"{"code":7}"#.to_owned()
                ),
            ]
        );
        assert_eq!(published(&ana, &format!("{RATE}/write")), Reason::Success);
        for refused in [
            RATE,
            "things/pump/properties/serial/write",
            "things/pump",
            "things/other/properties/rate/write",
            "things/other/actions/stop",
            "shop/door",
        ] {
            assert_eq!(published(&ana, refused), Reason::NotAuthorized, "{refused}");
        }
        site.assert_sound();
    });
}

#[test]
fn a_forbidden_one_gets_nothing_anywhere() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        set(site, "people/eve", &with_secrets(&["s3cret"]));
        say(site, RATE, "1");
        let eve = admitted(site, named("eve-1", "people/eve", "s3cret"));
        for filter in [
            "#",
            "things/#",
            "+/pump/#",
            RATE,
            "things/pump/#",
            "shop/#",
            "$share/all/things/pump/#",
            "$SYS/#",
            "$quartet/relations/#",
        ] {
            assert_eq!(subscribed(&eve, filter), Reason::NotAuthorized, "{filter}");
        }
        for topic in [
            RATE,
            "things/pump/properties/rate/write",
            "things/pump/actions/stop",
            "shop/door",
        ] {
            assert_eq!(published(&eve, topic), Reason::NotAuthorized, "{topic}");
        }
        let with_will = Connect {
            will: Some(will(RATE)),
            ..named("eve-2", "people/eve", "s3cret")
        };
        assert_eq!(asked_in(site, with_will).1, Reason::NotAuthorized);
        say(site, RATE, "2");
        assert_eq!(heard(&eve), []);
        // Its own address is its own.
        assert_eq!(subscribed(&eve, "people/eve/#"), Reason::GrantedQos1);
        site.assert_sound();
    });
}

#[test]
fn what_is_revoked_is_seen_no_more_at_once() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let ana = ana(site, "ana-1");
        assert_eq!(
            subscribed(&ana, "things/+/properties/#"),
            Reason::GrantedQos1
        );
        say(site, RATE, "1");
        assert_eq!(topics(&heard(&ana)), [RATE]);
        // Each link of the path is enough.
        for (element, with) in [
            (ANA, of("memberOf", "teams/night")),
            ("teams/night", of("nurse", "places/ward-3")),
            ("places/room-12", of("in", "places/ward-3")),
            (PUMP, of("in", "places/room-12")),
        ] {
            relate(site, element, &[]);
            say(site, RATE, "2");
            assert_eq!(heard(&ana), [], "without {element}");
            assert_eq!(
                published(&ana, "things/pump/actions/stop"),
                Reason::NotAuthorized
            );
            relate(site, element, &[with]);
            say(site, RATE, "3");
            assert_eq!(topics(&heard(&ana)), [RATE], "with {element} again");
        }
        define(site, "nurse", r#"{"rights": []}"#);
        say(site, RATE, "4");
        assert_eq!(heard(&ana), []);
        site.assert_sound();
    });
}

#[test]
fn hours_and_duty_begin_and_end_by_themselves() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let at = |s| site.now().after(Duration::from_secs(s));
        let on_duty = Relation {
            while_on_duty: true,
            ..of("nurse", "places/ward-3")
        };
        let shift = Relation {
            from: at(100),
            until: at(200),
            ..of("onDuty", "teams/night")
        };
        relate(site, "teams/night", &[on_duty]);
        relate(site, ANA, &[of("memberOf", "teams/night"), shift]);
        let ana = ana(site, "ana-1");
        assert_eq!(subscribed(&ana, "#"), Reason::GrantedQos1);
        say(site, RATE, "1");
        assert_eq!(heard(&ana), []);
        site.pass(Duration::from_secs(100));
        say(site, RATE, "2");
        assert_eq!(topics(&heard(&ana)), [RATE]);
        site.pass(Duration::from_secs(100));
        say(site, RATE, "3");
        assert_eq!(heard(&ana), []);
    });
}

#[test]
fn a_role_may_hold_only_while_something_is_true() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let alarm = "things/pump/properties/alarm";
        let during = Relation {
            while_true: Some(alarm.to_owned()),
            ..of("nurse", "places/ward-3")
        };
        say(site, alarm, "false");
        relate(site, "teams/night", &[during]);
        let ana = ana(site, "ana-1");
        assert_eq!(subscribed(&ana, "#"), Reason::GrantedQos1);
        say(site, RATE, "1");
        assert_eq!(heard(&ana), []);
        say(site, alarm, "true");
        say(site, RATE, "2");
        assert_eq!(topics(&heard(&ana)), [RATE]);
        site.crash(2);
        let ana = self::ana(site, "ana-1");
        assert_eq!(subscribed(&ana, "#"), Reason::GrantedQos1);
        assert_eq!(topics(&heard(&ana)), Vec::<&str>::new());
        say(site, RATE, "3");
        assert_eq!(
            topics(&heard(&ana)),
            [RATE],
            "the value is known again after a crash"
        );
        say(site, alarm, "false");
        say(site, RATE, "4");
        assert_eq!(heard(&ana), []);
    });
}

/// Ana comes back, and gets what waited for her.
fn back(site: &Site) -> (Client, Vec<(String, String)>) {
    let ana = site.client_from(ELSEWHERE);
    ana.send(lasting(named("ana-1", ANA, "s3cret")));
    let waited = heard(&ana);
    (ana, waited)
}

/// What waits was seen by nobody yet: what holds when it is sent counts.
#[test]
fn what_waits_for_somebody_is_looked_at_when_it_is_sent() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let status = "things/pump/properties/status";
        let ana = admitted(site, lasting(named("ana-1", ANA, "s3cret")));
        assert_eq!(subscribed(&ana, "things/#"), Reason::GrantedQos1);
        ana.lose();
        say(site, status, r#"{"code": 1, "patient": "Eve"}"#);
        say(site, RATE, "1");
        site.crash(2);
        say(site, status, r#"{"code": 2, "patient": "Eve"}"#);
        let (ana, waited) = back(site);
        assert_eq!(
            waited,
            [
                (status.to_owned(), r#"{"code":1}"#.to_owned()),
                (RATE.to_owned(), "1".to_owned()),
                (status.to_owned(), r#"{"code":2}"#.to_owned()),
            ]
        );
        ana.lose();
        say(site, RATE, "2");
        relate(site, ANA, &[]);
        let (_ana, waited) = back(site);
        assert_eq!(waited, []);
        site.assert_sound();
    });
}

#[test]
fn a_member_of_a_shared_subscription_must_see_all_of_it() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let ana = ana(site, "ana-1");
        assert_eq!(subscribed(&ana, "$share/g/things/#"), Reason::NotAuthorized);
        assert_eq!(
            subscribed(&ana, &format!("$share/g/{RATE}")),
            Reason::GrantedQos1
        );
        set(site, "people/bob", &with_secrets(&["s3cret"]));
        relate(site, "people/bob", &[of("viewer", "places/hub")]);
        let bob = admitted(site, named("bob-1", "people/bob", "s3cret"));
        assert_eq!(
            subscribed(&bob, &format!("$share/g/{RATE}")),
            Reason::GrantedQos1
        );
        relate(site, ANA, &[]);
        for count in 1..=6 {
            say(site, RATE, &count.to_string());
            assert_eq!(topics(&heard(&bob)), [RATE], "nothing is lost for bob");
        }
        assert_eq!(heard(&ana), []);
        site.assert_sound();
    });
}

#[test]
fn a_member_whose_time_is_over_leaves_a_shared_subscription_then() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let hour = Duration::from_secs(3600);
        let until = site.now().after(hour);
        let visits = Relation {
            until,
            ..of("memberOf", "teams/night")
        };
        relate(site, ANA, &[visits]);
        let ana = ana(site, "ana-1");
        let share = format!("$share/g/{RATE}");
        assert_eq!(subscribed(&ana, &share), Reason::GrantedQos1);
        set(site, "people/bob", &with_secrets(&["s3cret"]));
        relate(site, "people/bob", &[of("viewer", "places/hub")]);
        let bob = admitted(site, named("bob-1", "people/bob", "s3cret"));
        assert_eq!(subscribed(&bob, &share), Reason::GrantedQos1);
        site.pass(hour);
        for count in 1..=6 {
            say(site, RATE, &count.to_string());
            assert_eq!(topics(&heard(&bob)), [RATE], "nothing is lost for bob");
        }
        assert_eq!(heard(&ana), []);
        site.assert_sound();
    });
}

#[test]
fn a_will_is_not_said_by_whoever_may_not_any_more() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        relate(site, "people/bob", &[of("viewer", "places/hub")]);
        set(site, "people/bob", &with_secrets(&["s3cret"]));
        let bob = admitted(site, named("bob-1", "people/bob", "s3cret"));
        assert_eq!(subscribed(&bob, "things/#"), Reason::GrantedQos1);
        relate(site, ANA, &[of("gateway", PUMP)]);
        for (is_revoked, expected) in [(false, vec![RATE]), (true, vec![])] {
            let ana = admitted(
                site,
                Connect {
                    will: Some(will(RATE)),
                    ..named("ana-1", ANA, "s3cret")
                },
            );
            if is_revoked {
                relate(site, ANA, &[]);
            }
            ana.lose();
            assert_eq!(topics(&heard(&bob)), expected);
        }
    });
}

#[test]
fn of_a_description_only_what_may_be_seen_is_told() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let td = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Pump",
            "securityDefinitions": {"none": {"scheme": "nosec"}}, "security": "none",
            "quartet:labels": {"secret": "label"},
            "properties": {"rate": {"forms": [{"href": "coap://p/rate"}]}, "serial": {"forms": [{"href": "coap://p/serial"}]}}}"#;
        say(site, PUMP, td);
        let ana = ana(site, "ana-1");
        ana.send(subscribe(2, &[("things/+", Q1)]));
        let heard = heard(&ana);
        assert_eq!(topics(&heard), [PUMP]);
        let told = &heard[0].1;
        assert!(told.contains("rate") && told.contains("Pump"), "{told}");
        assert!(
            !told.contains("serial") && !told.contains("secret"),
            "{told}"
        );
    });
}

#[test]
fn an_import_of_relations_is_known_after_a_crash() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        site.crash(3);
        let ana = ana(site, "ana-1");
        assert_eq!(subscribed(&ana, RATE), Reason::GrantedQos1);
        say(site, RATE, "1");
        assert_eq!(topics(&heard(&ana)), [RATE]);
        site.round();
        site.crash(1);
        let ana = self::ana(site, "ana-1");
        ana.send(subscribe(2, &[(RATE, Q1)]));
        assert_eq!(topics(&heard(&ana)), [RATE]);
    });
}

/// It knows no other time than the one that it starts with: a right holds again, and ends again.
#[test]
fn a_clock_that_is_set_back_gives_no_right_for_longer_than_it_was_given() {
    quartet_sim::on_every_site(|site| {
        ward(site);
        let hour = Duration::from_secs(3600);
        let until = site.now().after(hour);
        let visits = Relation {
            until,
            ..of("memberOf", "teams/night")
        };
        relate(site, ANA, &[visits]);
        let hears = |client: &Client, payload: &str| {
            say(site, RATE, payload);
            let heard = heard(client);
            heard.iter().any(|(_, said)| said == payload)
        };
        let first = ana(site, "ana-1");
        first.send(subscribe(2, &[("things/pump/#", Q1)]));
        assert!(hears(&first, "1"));
        site.pass(2 * hour);
        assert!(!hears(&first, "2"), "it is over");
        site.crash(1);
        site.set_clock_back(Duration::from_secs(5400));
        assert!(site.now() < until);
        let second = ana(site, "ana-2");
        second.send(subscribe(2, &[("things/pump/#", Q1)]));
        assert!(hears(&second, "3"), "by the clock it is not");
        site.pass(hour);
        assert!(!hears(&second, "4"));
    });
}
