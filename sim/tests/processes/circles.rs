use super::*;

#[test]
fn two_flows_that_start_each_other_are_stopped_and_both_are_named() {
    on_every_site(|site| {
        deploy(site, &passing_on("ping", "", "a", "b"));
        deploy(site, &passing_on("pong", "", "b", "a"));
        deploy(site, &passing_on("other", "", "x", "y"));
        let watch = listener(site, "#");
        let ana = site.connected(connect("ana"));
        for (qos, message) in [(Q0, "1"), (Q1, "2")] {
            ana.send(publish_at(qos, 3, "a", message));
            let all = heard(&watch);
            let loops: Vec<_> = all
                .iter()
                .filter(|(topic, _)| topic.ends_with("/events/loop"))
                .collect();
            assert!(all.len() < 30, "{} messages", all.len());
            if qos == Q0 {
                assert_eq!(loops.len(), 1, "{all:?}");
                for name in ["processes/test.ping", "processes/test.pong"] {
                    assert!(loops[0].1.contains(name), "{loops:?}");
                }
            }
        }
        ana.send(publish("x", "1"));
        assert_eq!(heard(&watch), [pair("x", "1"), pair("y", "1")]);
        let names = ["test.ping", "test.pong"];
        let circles = names.map(|name| explained(site, name)["counts"]["missed"].clone());
        assert!(circles.iter().any(|count| 0 < count.as_u64().unwrap()));
        site.assert_sound();
    });
}

/// Each start leads to ten more: bounded by hops alone that would be more than the hub ever does.
#[test]
fn a_flow_that_multiplies_itself_is_stopped() {
    for qos in [Q0, Q1] {
        let site = Site::new(2, 1);
        deploy(
            &site,
            &flow(
                "many",
                "",
                "{ one: { with: { topic: a } } }",
                "  - each:\n      for: { each: n, in: '${ [1,2,3,4,5,6,7,8,9,10] }' }\n      do:\n        - say: { emit: { event: { with: { type: test.x, topic: a, data: '${ $n }' } } } }\n",
            ),
        );
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(qos, 1, "a", "0"));
        site.settle();
        let told = explained(&site, "test.many");
        assert!(
            told["counts"]["runs"].as_u64().unwrap() < 500,
            "{}",
            told["counts"]
        );
        let watch = listener(&site, "+");
        ana.send(publish("b", "1"));
        assert_eq!(heard(&watch), [pair("b", "1")]);
        site.assert_sound();
    }
}

#[test]
fn a_flow_starts_as_often_as_it_says_and_once_for_what_came_too_often() {
    on_every_site(|site| {
        let storm = ", storm: { limit: 2, per: PT10S }, key: '${ .data.room }'";
        let text = flow(
            "calm",
            storm,
            "{ one: { with: { topic: a } } }",
            "  - say: { emit: { event: { with: { type: test.x, topic: b, data: '${ [$workflow.input[0].data.n, $workflow.input[0].grouped] }' } } } }\n",
        );
        deploy(site, &text);
        let watch = listener(site, "b");
        // Whichever lane they come to.
        let clients: Vec<Client> = (0..5)
            .map(|n| site.connected(connect(&format!("c{n}"))))
            .collect();
        for (n, client) in clients.iter().enumerate() {
            client.send(publish_at(
                Q1,
                1,
                "a",
                &format!(r#"{{"room":"r1","n":{n}}}"#),
            ));
            client.messages();
        }
        clients[0].send(publish_at(Q1, 2, "a", r#"{"room":"r2","n":9}"#));
        let at_once = heard(&watch);
        let expected = ["[0,null]", "[1,null]", "[9,null]"].map(|text| pair("b", text));
        assert_eq!(at_once, expected);
        assert!(why_not(site, "test.calm").contains("storm"));
        site.pass(seconds(9));
        assert_eq!(heard(&watch), []);
        site.pass(seconds(1));
        assert_eq!(heard(&watch), [pair("b", "[4,3]")]);
        site.pass(seconds(60));
        assert_eq!(heard(&watch), []);
        site.assert_sound();
    });
}

#[test]
fn a_flow_that_starts_too_often_can_be_suspended_until_somebody_says_so() {
    on_every_site(|site| {
        let storm = ", storm: { limit: 1, per: PT1M, then: suspend }";
        let text = passing_on("once", storm, "a", "b");
        deploy(site, &text);
        let watch = listener(site, "b");
        let ana = site.connected(connect("ana"));
        for n in 0..3 {
            ana.send(publish_at(Q1, 1 + n, "a", &n.to_string()));
            ana.messages();
        }
        assert_eq!(heard(&watch), [pair("b", "0")]);
        let told = explained(site, "test.once");
        assert_eq!(told["state"], "suspended");
        assert!(told["because"].as_str().unwrap().contains("more than 1"));
        site.crash(2);
        assert_eq!(explained(site, "test.once")["state"], "suspended");
        site.pass(seconds(60));
        deploy(site, &text);
        let watch = listener(site, "b");
        site.connected(connect("ana"))
            .send(publish_at(Q1, 7, "a", "7"));
        assert_eq!(heard(&watch), [pair("b", "7")]);
        site.assert_sound();
    });
}
