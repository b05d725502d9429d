use super::*;

/// Asks for something, lets the hub do so many steps, and lets it die. Says whether it had
/// acknowledged.
fn dies_after(site: &Site, steps: usize, lanes: usize, ask: Publish) -> bool {
    let ana = site.connected(connect("ana"));
    ana.send(ask);
    site.run(steps);
    let is_acknowledged = ana
        .hear()
        .iter()
        .any(|packet| matches!(packet, Packet::PubAck(_)));
    site.crash(lanes);
    site.settle();
    is_acknowledged
}

/// Whenever the hub dies, a request that was acknowledged is there once; one that was not may be
/// there, and never twice.
#[test]
fn a_request_is_there_once_whenever_the_hub_dies() {
    const FADE: &str = "things/lamp/actions/fade";
    for seed in 0..3 {
        for steps in 0..40 {
            let site = Site::new(3, seed);
            with_lamp(&site);
            site.connected(lasting("device"))
                .follow("things/lamp/actions/+", Q1);
            site.settle();
            let ask = publish_at(Q1, 7, FADE, r#"{"to":20}"#);
            let is_acknowledged = dies_after(&site, steps, 2, ask);
            site.crash(3);
            let statuses = found(&site, "things/lamp/actions/+/+");
            let device = site.client();
            device.send(lasting("device"));
            let asked = device.messages();
            assert_eq!(statuses.len(), asked.len(), "seed {seed}, {steps} steps");
            assert!(statuses.len() <= 1, "seed {seed}, {steps} steps");
            assert!(
                !is_acknowledged || statuses.len() == 1,
                "seed {seed}, {steps} steps"
            );
        }
    }
}

/// The same for a wish, and for what confirms it.
#[test]
fn a_wish_and_what_confirms_it_are_there_whenever_the_hub_dies() {
    const ON: &str = "things/lamp/properties/on";
    for seed in 0..3 {
        for steps in 0..40 {
            let site = Site::new(3, seed);
            with_lamp(&site);
            let write = publish_at(Q1, 7, &format!("{ON}/write"), "true");
            let is_wanted = dies_after(&site, steps, 2, write);
            let wish = at(&site, &format!("{ON}/desired"));
            assert!(!is_wanted || wish["status"] == "pending", "{steps}: {wish}");
            let is_said = at(&site, &format!("{ON}/write"));
            assert_eq!(
                is_said.is_null(),
                wish.is_null(),
                "seed {seed}, {steps} steps"
            );
            let is_reported = dies_after(&site, steps, 3, publish_at(Q1, 8, ON, "true"));
            if is_reported && !wish.is_null() {
                assert_eq!(at(&site, &format!("{ON}/desired"))["status"], "confirmed");
                assert_eq!(at(&site, &format!("{ON}/write")), Value::Null);
            }
            site.assert_sound();
        }
    }
}
