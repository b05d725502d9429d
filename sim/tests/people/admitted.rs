use super::*;

#[test]
fn who_shows_the_secret_comes_in_from_anywhere() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["s3cret"]));
        for (user, password) in [
            (LAMP, "s3cret"),
            ("lamp", "s3cret"),
            ("things/lamp.s3cret", ""),
            (LAMP, "things/lamp.s3cret"),
        ] {
            let (_, reason) = asked_in(site, named("lamp-1", user, password));
            assert_eq!(reason, Reason::Success, "{user} {password}");
        }
        site.assert_sound();
    });
}

#[test]
fn nobody_hears_whether_the_name_or_the_secret_is_wrong() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["s3cret"]));
        for (user, password) in [
            (LAMP, "guess"),
            (LAMP, ""),
            ("heater", "s3cret"),
            ("places/lamp", "s3cret"),
            ("a/b/c", "s3cret"),
        ] {
            let (client, reason) = asked_in(site, named("lamp-1", user, password));
            assert_eq!(reason, Reason::BadUserNameOrPassword, "{user} {password}");
            assert!(client.is_closed());
        }
        for nameless in [connect("lamp-1"), named("lamp-1", "", "")] {
            assert_eq!(asked_in(site, nameless).1, Reason::NotAuthorized);
        }
    });
}

/// A wrong name is no way to be nobody in particular, also on the hub's own machine; but where
/// everything is open, names do not matter.
#[test]
fn who_says_a_name_must_prove_it() {
    quartet_sim::on_every_site(|site| {
        let local = |is_open| {
            let client = site.client_from(Peer {
                ip: None,
                is_local: true,
                is_open,
                is_certified: false,
            });
            client.send(named("ana", "ana", "guess"));
            match &*client.receive() {
                [Packet::ConnAck(connack), ..] => connack.reason,
                other => panic!("the hub says {other:?}"),
            }
        };
        assert_eq!(local(false), Reason::BadUserNameOrPassword);
        assert_eq!(local(true), Reason::Success);
    });
}

#[test]
fn a_credential_that_is_over_opens_nothing() {
    quartet_sim::on_every_site(|site| {
        let mut all = with_secrets(&[]);
        let expires_at = site.now().after(std::time::Duration::from_secs(60));
        let credential = Credential {
            expires_at,
            ..credential("c1", "s3cret")
        };
        all.issue(credential, &Replaces::Nothing, Time::ZERO)
            .unwrap();
        set(site, LAMP, &all);
        let lamp = admitted(site, named("lamp-1", LAMP, "s3cret"));
        site.pass(std::time::Duration::from_secs(59));
        assert!(!lamp.is_closed());
        site.pass(std::time::Duration::from_secs(1));
        assert_eq!(why_closed(&lamp), Some(Reason::NotAuthorized));
        let (_, reason) = asked_in(site, named("lamp-1", LAMP, "s3cret"));
        assert_eq!(reason, Reason::BadUserNameOrPassword);
    });
}

#[test]
fn a_session_is_resumed_by_whom_it_belongs_to() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["s3cret"]));
        set(site, "things/heater", &with_secrets(&["warm"]));
        let lamp = admitted(site, lasting(named("c", LAMP, "s3cret")));
        assert_eq!(subscribed(&lamp, "things/lamp/#"), Reason::GrantedQos1);
        lamp.lose();
        for crash in [false, true] {
            if crash {
                site.crash(2);
            }
            let (_, reason) = asked_in(site, lasting(named("c", "heater", "warm")));
            assert_eq!(reason, Reason::ClientIdentifierNotValid, "crash: {crash}");
            let guest = site.client();
            guest.send(connect("c"));
            assert!(matches!(
                &*guest.receive(),
                [Packet::ConnAck(connack)] if connack.reason == Reason::ClientIdentifierNotValid
            ));
        }
        let lamp = site.client_from(ELSEWHERE);
        lamp.send(lasting(named("c", LAMP, "s3cret")));
        assert!(matches!(
            &*lamp.receive(),
            [Packet::ConnAck(connack), ..] if connack.session_present
        ));
        site.assert_sound();
    });
}

/// What an element said is known as what it said, by whatever client.
#[test]
fn what_an_element_asks_for_is_asked_by_its_name() {
    quartet_sim::on_every_site(|site| {
        let lamp = lamp(site);
        lamp.send(publish_at(Q1, 1, LAMP, DESCRIPTION));
        let ana = site.connected(connect("ana"));
        ana.follow("things/lamp/actions/reset/+", Q0);
        lamp.send(publish_at(Q1, 2, "things/lamp/actions/reset", ""));
        lamp.messages();
        let said = said(&ana.messages());
        assert!(
            said.iter()
                .any(|said| said.contains(r#""by":"things/lamp""#)),
            "{said:?}"
        );
    });
}
