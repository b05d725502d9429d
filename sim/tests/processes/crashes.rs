use quartet_fabric::mqtt::Packet;

use super::*;

/// Whenever the hub dies, what follows from a message that was acknowledged is there once; from one
/// that was not, once or not at all.
#[test]
fn what_follows_is_there_once_whenever_the_hub_dies() {
    let text = flow(
        "sum",
        "",
        "{ one: { with: { topic: a } } }",
        // What it reads may live on another lane.
        "  - all: { call: read, with: { things: '${ [\"places/1\", \"places/2\"] }', property: n } }\n\
         \x20 - one: { emit: { event: { with: { type: test.one, topic: b/1, data: '${ . }' } } } }\n\
         \x20 - two: { emit: { event: { with: { type: test.two, topic: b/2, data: '${ . }' } } } }\n",
    );
    let counted = passing_on("counted", ", storm: { limit: 100, per: PT1S }", "a", "b/3");
    for seed in 0..3 {
        for steps in 0..40 {
            let site = Site::new(3, seed);
            deploy(&site, &text);
            deploy(&site, &counted);
            site.connected(lasting("watch")).follow("b/+", Q1);
            site.settle();
            let ana = site.connected(connect("ana"));
            ana.send(publish_at(Q1, 7, "a", "1"));
            site.run(steps);
            let mut all = ana.hear().into_iter();
            let is_acknowledged = all.any(|packet| matches!(packet, Packet::PubAck(_)));
            for lanes in [2, 3, 1] {
                site.crash(lanes);
                site.run(steps / 2);
            }
            site.settle();
            let watch = site.client();
            watch.send(lasting("watch"));
            let mut topics: Vec<String> = watch
                .messages()
                .iter()
                .map(|message| message.topic.to_string())
                .collect();
            topics.sort();
            let expected = ["b/1", "b/2", "b/3"];
            let is_nothing = topics.is_empty() && !is_acknowledged;
            assert!(
                is_nothing || topics == expected,
                "seed {seed}, {steps} steps: {topics:?}"
            );
            site.assert_sound();
        }
    }
}
