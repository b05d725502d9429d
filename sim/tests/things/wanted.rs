use super::*;

const ON: &str = "things/lamp/properties/on";
const WRITE: &str = "things/lamp/properties/on/write";
const DESIRED: &str = "things/lamp/properties/on/desired";

#[test]
fn what_is_wanted_is_said_on_and_confirmed_by_what_the_lamp_reports() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(connect("device"));
        device.follow("things/lamp/properties/+/write", Q1);
        ana.send(publish_at(Q1, 2, WRITE, "true"));
        assert_eq!(pairs(&device.messages()), [(WRITE.into(), "true".into())]);
        let wish = at(site, DESIRED);
        assert_eq!(
            (&wish["value"], &wish["status"]),
            (&json!(true), &json!("pending"))
        );
        assert_eq!(wish["by"], "installer");
        // Something else is no answer.
        device.send(publish(ON, "false"));
        device.messages();
        assert_eq!(at(site, DESIRED)["status"], "pending");
        device.send(publish(ON, "true"));
        device.messages();
        assert_eq!(at(site, DESIRED)["status"], "confirmed");
        assert_eq!(at(site, WRITE), Value::Null);
        assert_eq!(at(site, ON), json!(true));
    });
}

#[test]
fn a_lamp_that_comes_back_hears_what_is_wanted_of_it_and_not_what_was() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        for value in ["true", "false"] {
            ana.send(publish_at(Q1, 2, WRITE, value));
            ana.messages();
        }
        ana.send(publish_at(
            Q1,
            3,
            "things/lamp/properties/level/write",
            "30",
        ));
        ana.messages();
        let device = site.connected(connect("device"));
        device.send(subscribe(1, &[("things/lamp/properties/+/write", Q1)]));
        let mut heard = pairs(&device.messages());
        heard.sort();
        let level = "things/lamp/properties/level/write";
        assert_eq!(
            heard,
            [(level.into(), "30".into()), (WRITE.into(), "false".into())]
        );
    });
}

#[test]
fn what_was_wanted_for_a_while_expires_also_after_a_crash() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let mut wish = publish_at(Q1, 2, WRITE, "true");
        wish.expiry_s = Some(60);
        ana.send(wish);
        ana.messages();
        site.pass(seconds(59));
        assert_eq!(at(site, DESIRED)["status"], "pending");
        site.crash(2);
        site.pass(seconds(2));
        assert_eq!(at(site, DESIRED)["status"], "expired");
        assert_eq!(at(site, WRITE), Value::Null);
    });
}

#[test]
fn what_cannot_be_is_refused_to_whoever_wants_it() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(connect("device"));
        device.follow("things/lamp/properties/+/write", Q1);
        ana.follow("ana/answers", Q0);
        let wrong = [
            ("on", "1", "must be a boolean"),
            ("on", "yes", "no JSON"),
            ("level", "101", "100 or less"),
            ("power", "5", "can only be read"),
            ("colour", "\"red\"", "but level, on, power"),
        ];
        for (name, value, why) in wrong {
            let topic = format!("things/lamp/properties/{name}/write");
            let wish = asking(publish(&topic, value));
            ana.send(wish);
            let answer = &ana.messages()[0];
            let refused = json(&text(answer));
            assert!(text(answer).contains(why), "{name} {value}: {refused}");
            let correlation = property(answer, |property| match property {
                Property::CorrelationData(data) => Some(data.clone()),
                _ => None,
            });
            assert_eq!(correlation.as_deref(), Some(&b"7"[..]));
        }
        assert_eq!(device.messages(), []);
        assert_eq!(found(site, "things/lamp/properties/#"), BTreeMap::new());
    });
}

#[test]
fn what_a_lamp_reports_is_kept_though_it_does_not_say_so() {
    quartet_sim::on_every_site(|site| {
        with_lamp(site);
        let device = site.connected(connect("device"));
        device.send(publish(ON, "true"));
        device.messages();
        assert_eq!(at(site, ON), json!(true));
        site.crash(2);
        assert_eq!(at(site, ON), json!(true), "also when the hub dies");
    });
}

#[test]
fn nobody_but_the_hub_says_what_became_of_a_wish() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        ana.send(publish_at(Q1, 2, DESIRED, r#"{"status":"confirmed"}"#));
        ana.receive();
        assert_eq!(at(site, DESIRED), Value::Null);
    });
}
