use super::*;

fn by_clock(name: &str, metadata: &str, schedule: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{ run: fast{metadata} }} }}\n\
         schedule: {schedule}\n\
         do:\n  - say: {{ emit: {{ event: {{ with: {{ type: test.tick, topic: tick/{name}, data: '${{ $workflow.input }}' }} }} }} }}\n"
    )
}

/// The times for which a flow says that it was started, in seconds since the site began.
fn ticks(client: &Client, began: quartet_model::Time) -> Vec<u64> {
    let heard = heard(client).into_iter();
    heard
        .map(|(_, text)| {
            let tick: Value = serde_json::from_str(&text).expect("it is JSON");
            let at = quartet_model::Time::of_rfc3339(tick["at"].as_str().unwrap_or_default());
            at.expect("it is a time").since(began).as_secs()
        })
        .collect()
}

#[test]
fn the_clock_starts_a_flow_each_time_and_once() {
    on_every_site(|site| {
        // The site begins 16 minutes and 40 seconds after an hour.
        let began = site.now();
        deploy(site, &by_clock("every", "", "{ every: PT10S }"));
        deploy(
            site,
            &by_clock(
                "cron",
                ", timezone: Europe/Brussels",
                "{ cron: '*/5 * * * *' }",
            ),
        );
        let every = listener(site, "tick/every");
        let cron = listener_as(site, "cron", "tick/cron");
        site.pass(seconds(35));
        assert_eq!(ticks(&every, began), [10, 20, 30]);
        site.pass(seconds(600));
        assert_eq!(ticks(&cron, began), [200, 500]);
        assert_eq!(ticks(&every, began).len(), 60);
        site.announce(Said::kept(deployment::topic_of("test.every"), ""));
        site.pass(seconds(60));
        assert!(ticks(&every, began).is_empty());
        site.assert_sound();
    });
}

#[test]
fn what_was_missed_is_made_up_for_as_the_flow_says() {
    for (if_missed, expected) in [
        ("once", &[270_u64][..]),
        ("run", &[30, 60, 90, 120, 150, 180, 210, 240, 270]),
        ("skip", &[]),
    ] {
        for lanes in [1, 3] {
            let site = Site::new(lanes, 1);
            let began = site.now();
            deploy(
                &site,
                &by_clock(
                    "every",
                    &format!(", ifMissed: {if_missed}"),
                    "{ every: PT30S }",
                ),
            );
            let watch = site.connected(lasting("watch"));
            watch.send(subscribe(1, &[("tick/every", Q1)]));
            watch.receive();
            site.miss(seconds(340));
            site.crash(lanes);
            site.pass(seconds(1));
            let watch = site.client();
            watch.send(lasting("watch"));
            let found = ticks(&watch, began);
            // What is a minute late or less was not missed.
            assert_eq!(found, [expected, &[300, 330]].concat(), "{if_missed}");
            site.crash(lanes);
            site.pass(seconds(30));
            let watch = site.client();
            watch.send(lasting("watch"));
            assert_eq!(ticks(&watch, began), [360], "{if_missed}");
            site.assert_sound();
        }
    }
}

#[test]
fn after_a_run_the_next_comes_so_much_later() {
    on_every_site(|site| {
        let began = site.now();
        deploy(site, &by_clock("after", "", "{ after: PT1M }"));
        let watch = listener(site, "tick/after");
        site.pass(seconds(150));
        assert_eq!(ticks(&watch, began), [60, 120]);
        site.assert_sound();
    });
}
