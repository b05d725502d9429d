use super::*;

#[test]
fn what_an_element_says_of_itself_is_checked_named_and_said_by_the_hub() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        let td = at(site, "things/lamp");
        assert_eq!(td["id"], "urn:quartet:things:lamp");
        assert_eq!(td["registration"]["created"], site.now().rfc3339());
        assert_eq!(td["properties"], lamp()["properties"]);
    });
}

#[test]
fn what_is_no_description_changes_nothing_and_is_refused_with_the_reason() {
    quartet_sim::on_every_site(|site| {
        let installer = with_lamp(site);
        let before = at(site, "things/lamp");
        installer.follow("things/lamp/events/refused", Q0);
        for bad in ["no JSON", "{}", r#"{"title":"Lamp","id":"urn:other"}"#] {
            installer.send(publish("things/lamp", bad));
            let said = installer.messages();
            assert_eq!(said.len(), 1, "{bad}");
            let refused = json(&text(&said[0]));
            assert_eq!(refused["by"], "installer");
            assert!(!refused["problems"].as_array().unwrap().is_empty());
        }
        assert_eq!(at(site, "things/lamp"), before);
    });
}

#[test]
fn the_directory_says_what_came_changed_and_went() {
    quartet_sim::on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("things/directory/events/+", Q0);
        let installer = with_lamp(site);
        let mut other = lamp();
        other["title"] = "Other".into();
        installer.send(publish("things/lamp", &other.to_string()));
        installer.send(publish("things/lamp", ""));
        installer.send(publish("things/lamp", ""));
        let heard = pairs(&ana.messages());
        let names: Vec<_> = heard
            .iter()
            .map(|(topic, _)| topic.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, ["thingCreated", "thingUpdated", "thingDeleted"]);
        let changed = json(&heard[1].1);
        assert_eq!(changed["title"], "Other");
        assert_eq!(changed["id"], "urn:quartet:things:lamp");
        assert_eq!(changed.get("properties"), None, "only what changed");
    });
}

#[test]
fn with_an_element_goes_all_that_was_known_of_it() {
    quartet_sim::on_every_site(|site| {
        let installer = with_lamp(site);
        installer.send(publish("things/lamp/properties/on", "true"));
        installer.send(publish("things/lamp/properties/on/write", "false"));
        installer.send(publish("things/lamp/actions/reset", ""));
        assert_eq!(found(site, "things/lamp/#").len(), 6);
        installer.send(publish("things/lamp", ""));
        assert_eq!(found(site, "things/lamp/#"), BTreeMap::new());
    });
}

// [wot-discovery tdd-registrationinfo-expiry-purge]
#[test]
fn a_description_that_lasts_for_a_while_is_forgotten_in_its_time_also_after_a_crash() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        let mut short = lamp();
        short["registration"] = json!({ "ttl": 60 });
        installer.send(publish_at(Q1, 1, "things/lamp", &short.to_string()));
        installer.send(publish("things/lamp/properties/on", "true"));
        installer.messages();
        site.pass(seconds(59));
        site.crash(2);
        assert_eq!(found(site, "things/lamp/#").len(), 2);
        let ana = site.connected(connect("ana"));
        ana.follow("things/directory/events/+", Q0);
        site.pass(seconds(2));
        let said = pairs(&ana.messages());
        assert_eq!(said.len(), 1);
        assert!(said[0].0.ends_with("thingDeleted"));
        assert_eq!(found(site, "things/lamp/#"), BTreeMap::new());
    });
}

#[test]
fn what_is_below_no_element_is_ordinary_mqtt() {
    quartet_sim::on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("#", Q0);
        for topic in [
            "things/unknown/actions/fade",
            "things/unknown/properties/on/write",
            "things",
            "things/unknown/anything/at/all",
        ] {
            ana.send(publish(topic, "x"));
            assert_eq!(pairs(&ana.messages()), [(topic.to_owned(), "x".to_owned())]);
        }
    });
}
