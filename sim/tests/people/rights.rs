use super::*;

#[test]
fn a_thing_publishes_and_reads_under_its_own_address_only() {
    quartet_sim::on_every_site(|site| {
        let lamp = lamp(site);
        assert_eq!(subscribed(&lamp, "things/lamp/#"), Reason::GrantedQos1);
        assert!(!published(&lamp, ON).is_error());
        for foreign in [
            "things/heater/properties/on",
            "things/lamp2",
            "a/b",
            "$SYS/a",
        ] {
            assert_eq!(
                published(&lamp, foreign),
                Reason::NotAuthorized,
                "{foreign}"
            );
        }
        for foreign in [
            "#",
            "things/+/properties/on",
            "things/heater/#",
            "$share/g/#",
            "$SYS/#",
        ] {
            assert_eq!(
                subscribed(&lamp, foreign),
                Reason::NotAuthorized,
                "{foreign}"
            );
        }
        assert!(!lamp.is_closed());
    });
}

#[test]
fn a_will_is_for_the_own_address_too() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["s3cret"]));
        let with_will = |topic: &str| Connect {
            will: Some(quartet_fabric::mqtt::Will {
                topic: topic.into(),
                payload: "gone".into(),
                qos: Q1,
                retain: false,
                delay_s: 0,
                expiry_s: None,
                properties: Default::default(),
            }),
            ..named("lamp-1", LAMP, "s3cret")
        };
        let (_, reason) = asked_in(site, with_will("things/heater/properties/on"));
        assert_eq!(reason, Reason::NotAuthorized);
        let (_, reason) = asked_in(site, with_will(ON));
        assert_eq!(reason, Reason::Success);
    });
}

#[test]
fn a_gateway_uses_the_topics_that_it_was_granted_as_long_as_it_is() {
    quartet_sim::on_every_site(|site| {
        let mut all = with_secrets(&["s3cret"]);
        all.set_topics(vec!["zigbee2mqtt/#".to_owned()]);
        set(site, LAMP, &all);
        let gateway = admitted(site, lasting(named("z2m", LAMP, "s3cret")));
        assert_eq!(
            subscribed(&gateway, "zigbee2mqtt/+/set"),
            Reason::GrantedQos1
        );
        assert!(!published(&gateway, "zigbee2mqtt/bridge/state").is_error());
        all.set_topics(Vec::new());
        set(site, LAMP, &all);
        assert!(!gateway.is_closed(), "it may come in still");
        assert_eq!(
            published(&gateway, "zigbee2mqtt/bridge/state"),
            Reason::NotAuthorized
        );
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(Q1, 3, "zigbee2mqtt/lamp/set", "on"));
        ana.messages();
        assert_eq!(
            said(&gateway.messages()),
            [""; 0],
            "the subscription went with the right"
        );
    });
}

/// What was asked for under a wider right is not given when the session is resumed under a
/// narrower one, also after a crash.
#[test]
fn a_session_keeps_nothing_that_it_may_have_no_more() {
    quartet_sim::on_every_site(|site| {
        let guest = site.connected(lasting(connect("device")));
        assert_eq!(subscribed(&guest, "#"), Reason::GrantedQos1);
        assert_eq!(subscribed(&guest, "$share/g/a/#"), Reason::GrantedQos1);
        assert_eq!(subscribed(&guest, "things/lamp/#"), Reason::GrantedQos1);
        guest.lose();
        set(site, LAMP, &with_secrets(&["s3cret"]));
        site.crash(2);
        let lamp = admitted(site, lasting(named("device", LAMP, "s3cret")));
        lamp.messages();
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(Q1, 1, "a/b", "foreign"));
        ana.send(publish_at(Q1, 2, ON, "true"));
        ana.messages();
        assert_eq!(said(&lamp.messages()), ["true"]);
    });
}

#[test]
fn what_opens_the_doors_is_shown_to_nobody() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["s3cret"]));
        let ana = site.connected(connect("ana"));
        for secret in [
            "$quartet/#",
            "$quartet/credentials/#",
            "$quartet/+/things/lamp",
        ] {
            assert_eq!(subscribed(&ana, secret), Reason::NotAuthorized, "{secret}");
        }
        let refused = published(&ana, "$quartet/credentials/things/lamp");
        assert_eq!(refused, Reason::NotAuthorized);
    });
}
