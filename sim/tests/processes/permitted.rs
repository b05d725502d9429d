use quartet_people::{
    relation::{self, Relation, Relations},
    role,
};

use super::*;

const FLOW: &str = "processes/test.pass";

fn relate(site: &Site, element: &str, relations: &[Relation]) {
    let mut all = Relations::default();
    all.put(element, relations, site.now())
        .expect("they are right");
    site.announce(Said::kept(relation::topic_of(element), all.text()));
}

fn define(site: &Site, name: &str, role: &str) {
    role::Role::read(role.as_bytes()).expect("it is a role");
    site.announce(Said::kept(role::topic_of(name), role.to_owned()));
}

/// Ana owns a flow that passes on what a pump says; `sees` is what she and the flow may.
fn ward(site: &Site) {
    define(
        site,
        "watch",
        r#"{"rights": [{"may": ["read"], "on": "properties/rate"}]}"#,
    );
    define(
        site,
        "say",
        r#"{"rights": [{"may": ["report"], "topics": ["ward/#"]}]}"#,
    );
    deploy_for(
        site,
        Some("people/ana"),
        &passing_on("pass", "", "things/pump/properties/rate", "ward/rate"),
    );
}

#[test]
fn a_flow_may_what_it_was_granted_and_never_more_than_its_owner() {
    on_every_site(|site| {
        ward(site);
        let watch = listener(site, "ward/#");
        let pump = site.connected(connect("pump"));
        let mut number = 0;
        let mut says = || {
            number += 1;
            let rate = number.to_string();
            pump.send(publish_at(Q1, number, "things/pump/properties/rate", &rate));
            pump.messages();
            heard(&watch).len()
        };
        let watches = Relation::new("watch", "things/pump");
        let speaks = Relation::new("say", "places/hub");
        assert_eq!(says(), 0);
        assert!(
            why_not(site, "test.pass").contains("processes/test.pass may not read"),
            "{}",
            why_not(site, "test.pass")
        );
        relate(site, FLOW, std::slice::from_ref(&watches));
        assert_eq!(says(), 0);
        assert!(why_not(site, "test.pass").contains("its owner may not: people/ana"));
        relate(site, "people/ana", std::slice::from_ref(&watches));
        assert_eq!(says(), 0);
        let failed = &explained(site, "test.pass")["runs"][0]["failed"];
        assert_eq!(failed["status"], 403, "{failed}");
        assert!(failed["detail"].as_str().unwrap().contains("ward/rate"));
        relate(site, FLOW, &[watches.clone(), speaks.clone()]);
        assert_eq!(says(), 0);
        relate(site, "people/ana", &[watches.clone(), speaks.clone()]);
        assert_eq!(says(), 1);
        // What its owner may no more it may no more.
        relate(site, "people/ana", &[watches]);
        assert_eq!(says(), 0);
        site.crash(2);
        relate(site, "people/ana", &[speaks]);
        let watch = listener(site, "ward/#");
        let pump = site.connected(connect("pump"));
        pump.send(publish_at(Q1, 9, "things/pump/properties/rate", "9"));
        assert_eq!(heard(&watch), []);
        site.assert_sound();
    });
}

#[test]
fn a_flow_sees_the_fields_that_it_may() {
    on_every_site(|site| {
        ward(site);
        define(
            site,
            "watch",
            r#"{"rights": [{"may": ["read"], "on": "properties/rate", "fields": ["/value"]}]}"#,
        );
        for who in [FLOW, "people/ana"] {
            let may = [
                Relation::new("watch", "things/pump"),
                Relation::new("say", "places/hub"),
            ];
            relate(site, who, &may);
        }
        let watch = listener(site, "ward/#");
        let pump = site.connected(connect("pump"));
        let rate = r#"{"value": 3, "patient": "Eve"}"#;
        pump.send(publish("things/pump/properties/rate", rate));
        assert_eq!(heard(&watch), [pair("ward/rate", "{\"value\":3}")]);
        site.assert_sound();
    });
}

#[test]
fn no_flow_sees_or_says_what_is_the_hubs_own() {
    on_every_site(|site| {
        for (name, from, to) in [
            ("secrets", "$quartet/credentials/things/x", "b"),
            ("rules", "$quartet/rules/x", "b"),
            ("says", "a", "$quartet/rules/x"),
            ("state", "a", "spBv1.0/STATE/quartet"),
        ] {
            deploy(site, &passing_on(name, "", from, to));
        }
        let watch = listener(site, "b");
        site.announce(Said::kept("$quartet/credentials/things/x", "{}"));
        site.announce(Said::kept("$quartet/rules/x", "{}"));
        assert_eq!(heard(&watch), []);
        site.connected(connect("ana")).send(publish("a", "1"));
        site.settle();
        for name in ["test.says", "test.state"] {
            let told = explained(site, name);
            assert_eq!(told["runs"][0]["failed"]["status"], 403, "{told:#}");
        }
        site.assert_sound();
    });
}

#[test]
fn what_a_flow_may_not_see_is_not_told_to_whoever_asks_why() {
    on_every_site(|site| {
        deploy_for(site, Some("people/ana"), &passing_on("all", "", "'#'", "b"));
        site.connected(connect("eve"))
            .send(publish("ward/secret", "1"));
        site.settle();
        let told = explained(site, "test.all");
        assert_eq!(told["counts"]["missed"], 1);
        let text = told["missed"].to_string();
        assert!(!text.contains("secret") && !text.contains("eve"), "{text}");
        site.assert_sound();
    });
}
