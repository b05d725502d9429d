use super::*;

const FADE: &str = "things/lamp/actions/fade";

/// The device hears what it is asked, with where to answer and with what.
fn request(message: &Publish) -> (String, String) {
    let topic = property(message, |property| match property {
        Property::ResponseTopic(topic) => Some(topic.to_string()),
        _ => None,
    });
    let correlation = property(message, |property| match property {
        Property::CorrelationData(data) => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    });
    (
        topic.expect("where to answer"),
        correlation.expect("with what"),
    )
}

#[test]
fn a_request_has_a_name_under_which_it_can_be_asked_what_became_of_it() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(connect("device"));
        device.follow("things/lamp/actions/+", Q1);
        ana.follow("ana/answers", Q0);
        let ask = asking(publish_at(Q1, 2, FADE, r#"{"to":20}"#));
        ana.send(ask);
        let asked = device.messages();
        assert_eq!(pairs(&asked), [(FADE.into(), r#"{"to":20}"#.into())]);
        let (answer_at, name) = request(&asked[0]);
        assert_eq!(answer_at, format!("{FADE}/{name}"));
        let status = at(site, &answer_at);
        assert_eq!(status["status"], "pending");
        assert_eq!(status["by"], "installer");
        device.send(publish(&answer_at, r#"{"status":"running"}"#));
        device.messages();
        assert_eq!(at(site, &answer_at)["status"], "running");
        assert_eq!(ana.messages(), [], "it is not over");
        device.send(publish(&answer_at, r#"{"status":"completed","output":3}"#));
        device.messages();
        let status = at(site, &answer_at);
        assert_eq!(
            (&status["status"], &status["output"]),
            (&json!("completed"), &json!(3))
        );
        let answers = ana.messages();
        assert_eq!(pairs(&answers), [("ana/answers".into(), "3".into())]);
        // What is over stays as it is, and can be asked for an hour.
        device.send(publish(&answer_at, r#"{"status":"failed"}"#));
        device.messages();
        assert_eq!(at(site, &answer_at)["status"], "completed");
        site.pass(seconds(3601));
        assert_eq!(at(site, &answer_at), Value::Null);
    });
}

#[test]
fn a_lamp_that_sleeps_finds_what_it_is_asked_when_it_comes_back() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(lasting("device"));
        device.follow("things/lamp/actions/+", Q1);
        device.lose();
        ana.send(publish_at(Q1, 2, FADE, r#"{"to":20}"#));
        ana.messages();
        site.crash(2);
        let device = site.client();
        device.send(lasting("device"));
        let asked = device.messages();
        assert_eq!(pairs(&asked), [(FADE.into(), r#"{"to":20}"#.into())]);
        let (answer_at, _) = request(&asked[0]);
        assert_eq!(at(site, &answer_at)["status"], "pending");
    });
}

#[test]
fn what_nobody_begins_in_time_expires() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let mut ask = publish_at(Q1, 2, FADE, r#"{"to":20}"#);
        ask.expiry_s = Some(30);
        ana.send(ask);
        ana.messages();
        site.pass(seconds(31));
        let statuses = found(site, "things/lamp/actions/+/+");
        let status = json(statuses.values().next().unwrap());
        assert_eq!(status["status"], "expired");
    });
}

#[test]
fn what_the_lamp_cannot_do_is_refused() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        ana.follow("things/lamp/events/refused", Q0);
        let device = site.connected(connect("device"));
        device.follow("things/lamp/actions/#", Q1);
        for (name, input, why) in [
            ("fade", "{}", "`to` is missing"),
            ("fade", "", "needs an input"),
            ("fade", "{", "no JSON"),
            ("explode", "", "but fade, reset"),
        ] {
            ana.send(publish(&format!("things/lamp/actions/{name}"), input));
            let refused = text(&ana.messages()[0]);
            assert!(refused.contains(why), "{refused}");
        }
        ana.send(publish(&format!("{FADE}/0-0"), "done"));
        assert!(text(&ana.messages()[0]).contains("nobody asked"));
        assert_eq!(device.messages(), []);
    });
}

#[test]
fn somebody_who_asked_may_think_otherwise() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(connect("device"));
        device.follow("things/lamp/actions/+", Q1);
        ana.send(publish_at(Q1, 2, FADE, r#"{"to":20}"#));
        let (answer_at, _) = request(&device.messages()[0]);
        device.send(subscribe(1, &[(&answer_at, Q0)]));
        assert_eq!(json(&text(&device.messages()[0]))["status"], "pending");
        ana.send(publish(&answer_at, r#"{"status":"cancelled"}"#));
        let told = device.messages();
        assert_eq!(json(&text(&told[0]))["status"], "cancelled");
    });
}

#[test]
fn too_many_requests_that_nobody_answers_are_refused() {
    let site = Site::new(1, 0);
    let ana = with_lamp(&site);
    ana.follow("things/lamp/events/refused", Q0);
    for _ in 0..1001 {
        ana.send(publish(FADE, r#"{"to":20}"#));
    }
    let refused = ana.messages();
    assert_eq!(refused.len(), 1);
    assert!(text(&refused[0]).contains("1000 requests wait"));
}

#[test]
fn what_is_carried_out_or_overtaken_is_not_said_to_who_comes_back() {
    quartet_sim::on_every_site(|site| {
        let ana = with_lamp(site);
        let device = site.connected(lasting("device"));
        device.follow("things/lamp/actions/+", Q1);
        device.follow("things/lamp/properties/+/write", Q1);
        device.lose();
        for level in ["10", "20", "30"] {
            ana.send(publish_at(
                Q1,
                2,
                "things/lamp/properties/level/write",
                level,
            ));
            ana.messages();
        }
        ana.send(publish_at(Q1, 3, FADE, r#"{"to":1}"#));
        ana.send(publish_at(Q1, 4, FADE, r#"{"to":2}"#));
        ana.messages();
        // Another part of the lamp does the first one meanwhile.
        let statuses = found(site, "things/lamp/actions/+/+");
        let first = statuses
            .iter()
            .find(|(_, status)| status.contains(r#"{"to":1}"#));
        ana.send(publish_at(
            Q1,
            5,
            first.unwrap().0,
            r#"{"status":"completed"}"#,
        ));
        ana.messages();
        site.crash(2);
        let device = site.client();
        device.send(lasting("device"));
        let mut heard = pairs(&device.messages());
        heard.sort();
        let level = "things/lamp/properties/level/write".to_owned();
        assert_eq!(
            heard,
            [
                (FADE.to_owned(), r#"{"to":2}"#.to_owned()),
                (level, "30".to_owned())
            ]
        );
    });
}
