use quartet_fabric::mqtt::Reason;
use quartet_sim::disconnect;

use super::*;

const ON: &str = "things/lamp/properties/on";
const CONNECTIVITY: &str = "things/lamp/properties/connectivity";

fn state(site: &Site, thing: &str) -> String {
    let said = at(site, &format!("things/{thing}/properties/connectivity"));
    said["state"].as_str().unwrap_or("").to_owned()
}

fn device(site: &Site) -> Client {
    let device = site.connected(connect("device"));
    device.send(publish_at(Q1, 1, ON, "true"));
    device.messages();
    device
}

#[test]
fn an_element_is_there_as_long_as_who_speaks_for_it() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        assert_eq!(state(site, "lamp"), "", "nothing is known");
        let speaker = device(site);
        assert_eq!(state(site, "lamp"), "online");
        speaker.lose();
        assert_eq!(state(site, "lamp"), "lost");
        let said = at(site, CONNECTIVITY);
        assert_eq!(said["reason"], "the connection was lost");
        let speaker = device(site);
        assert_eq!(state(site, "lamp"), "online");
        speaker.send(disconnect(Reason::Success));
        site.settle();
        assert_eq!(state(site, "lamp"), "asleep");
    });
}

#[test]
fn a_session_that_comes_back_speaks_for_the_same_elements() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        let speaker = site.connected(lasting("device"));
        speaker.send(publish_at(Q1, 1, ON, "true"));
        speaker.lose();
        assert_eq!(state(site, "lamp"), "lost");
        site.connected(lasting("device"));
        assert_eq!(state(site, "lamp"), "online");
    });
}

#[test]
fn a_description_may_say_how_often_a_report_is_expected() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        let mut lamp = lamp();
        lamp["quartet:expectedInterval"] = json!(60);
        installer.send(publish_at(Q1, 1, "things/lamp", &lamp.to_string()));
        installer.messages();
        let speaker = device(site);
        site.pass(seconds(170));
        assert_eq!(state(site, "lamp"), "online");
        speaker.send(publish(ON, "true"));
        site.pass(seconds(170));
        assert_eq!(state(site, "lamp"), "online");
        site.pass(seconds(11));
        assert_eq!(state(site, "lamp"), "silent");
        speaker.send(publish(ON, "true"));
        site.settle();
        assert_eq!(state(site, "lamp"), "online");
    });
}

#[test]
fn how_often_an_element_reports_is_learnt() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        let speaker = site.connected(connect("device"));
        for _ in 0..12 {
            speaker.send(publish(ON, "true"));
            site.pass(seconds(30));
        }
        assert_eq!(state(site, "lamp"), "online");
        site.pass(seconds(61));
        assert_eq!(state(site, "lamp"), "silent");
        assert_eq!(at(site, CONNECTIVITY)["expectedInterval"], json!(30.0));
    });
}

#[test]
fn with_a_gateway_all_that_is_reached_through_it_is_lost() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        installer.send(publish("things/gateway", &lamp().to_string()));
        let mut child = lamp();
        child["links"] = json!([{ "rel": "controlledBy", "href": "urn:quartet:things:gateway" }]);
        for name in ["one", "two"] {
            installer.send(publish(&format!("things/{name}"), &child.to_string()));
        }
        installer.messages();
        let gateway = site.connected(connect("gateway"));
        gateway.send(publish("things/gateway/properties/on", "true"));
        gateway.messages();
        // The children are heard from somewhere else, as when a bridge speaks for the gateway.
        let bridge = site.connected(connect("bridge"));
        for name in ["one", "two"] {
            bridge.send(publish(&format!("things/{name}/properties/on"), "true"));
        }
        bridge.messages();
        gateway.lose();
        site.settle();
        for name in ["gateway", "one", "two"] {
            assert_eq!(state(site, name), "lost", "{name}");
        }
        let gateway = site.connected(connect("gateway"));
        gateway.send(publish("things/gateway/properties/on", "true"));
        gateway.messages();
        for name in ["gateway", "one", "two"] {
            assert_eq!(state(site, name), "online", "{name}");
        }
    });
}

#[test]
fn who_does_not_come_back_after_a_crash_is_lost() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        device(site);
        site.crash(2);
        site.pass(seconds(60));
        assert_eq!(state(site, "lamp"), "online", "it has a while to come back");
        site.pass(seconds(61));
        assert_eq!(state(site, "lamp"), "lost");
        device(site);
        assert_eq!(state(site, "lamp"), "online");
        site.crash(1);
        site.pass(seconds(1));
        device(site);
        site.pass(seconds(600));
        assert_eq!(state(site, "lamp"), "online");
    });
}

#[test]
fn delivery_is_said_of_whoever_speaks_for_the_element_when_it_acknowledged() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let logger = site.connected(connect("logger"));
        logger.send(subscribe(1, &[("things/#", Q1)]));
        let speaker = site.connected(lasting("device"));
        speaker.follow("things/lamp/actions/+", Q1);
        speaker.follow("things/lamp/properties/+/write", Q1);
        speaker.send(publish_at(Q1, 1, ON, "false"));
        speaker.messages();
        speaker.lose();
        ana.send(publish_at(Q1, 2, "things/lamp/actions/reset", ""));
        ana.send(publish_at(Q1, 3, "things/lamp/properties/on/write", "true"));
        ana.messages();
        let status = || {
            json(
                found(site, "things/lamp/actions/+/+")
                    .values()
                    .next()
                    .unwrap(),
            )
        };
        let desired = || at(site, "things/lamp/properties/on/desired");
        for message in logger.messages() {
            logger.acknowledge(Packet::PubAck, message.packet_id);
        }
        site.settle();
        assert_eq!(status()["status"], "pending", "a logger is not the lamp");
        assert_eq!(desired()["delivered"], Value::Null);
        site.crash(2);
        let speaker = site.client();
        speaker.send(lasting("device"));
        let asked = speaker.messages();
        // It says who it is by speaking; what it acknowledges then is known to be its own.
        speaker.send(publish_at(Q1, 1, ON, "false"));
        speaker.messages();
        for message in asked {
            speaker.acknowledge(Packet::PubAck, message.packet_id);
        }
        site.settle();
        assert_eq!(status()["status"], "delivered");
        assert!(desired()["delivered"].is_string());
        assert_eq!(desired()["status"], "pending");
    });
}
