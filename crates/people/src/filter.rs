//! Topic filters as rights: whether one grants another (MQTT 5.0, section 4.7).

/// Whether whatever matches `asked`, a topic or a filter, matches `granted`, too.
pub fn grants(granted: &str, asked: &str) -> bool {
    if asked.starts_with('$') != granted.starts_with('$') {
        return false; // What begins with $ must be named.
    }
    let mut asked = asked.split('/');
    let mut granted = granted.split('/');
    loop {
        match (granted.next(), asked.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(granted), Some(asked)) if granted == asked => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_filter_grants_what_it_covers() {
        for (granted, asked) in [
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("a/#", "a/#"),
            ("a/#", "a/+/c"),
            ("a/+", "a/b"),
            ("a/+", "a/+"),
            ("#", "a/+/#"),
            ("$q/#", "$q/a"),
        ] {
            assert!(grants(granted, asked), "{granted} {asked}");
        }
        for (granted, asked) in [
            ("a/#", "ab"),
            ("a/#", "+/b"),
            ("a/#", "#"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("a/+", "a/#"),
            ("a", "a/b"),
            ("#", "$q/a"),
            ("+/a", "$q/a"),
        ] {
            assert!(!grants(granted, asked), "{granted} {asked}");
        }
    }

    /// Whether a topic matches a filter, by the letter of section 4.7.
    fn matches(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => matches(filter, topic),
            ([a, filter @ ..], [b, topic @ ..]) => a == b && matches(filter, topic),
            _ => false,
        }
    }

    fn topics() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..4 {
            let longer = last.iter().flat_map(|head| {
                ["a", "b", "x"].map(|level| match head.is_empty() {
                    true => level.to_owned(),
                    false => format!("{head}/{level}"),
                })
            });
            last = longer.collect();
            all.extend(last.clone());
        }
        all.split_off(1)
    }

    fn filter() -> impl Strategy<Value = String> {
        let levels = proptest::collection::vec(prop_oneof!["a", "b", Just("+".to_owned())], 0..3);
        (levels, any::<bool>()).prop_filter_map("empty", |(mut levels, is_open)| {
            levels.extend(is_open.then(|| "#".to_owned()));
            (!levels.is_empty()).then(|| levels.join("/"))
        })
    }

    proptest! {
        /// Against trying all topics.
        #[test]
        fn one_filter_grants_another_if_each_topic_of_it_matches(granted in filter(), asked in filter()) {
            let is_match = |filter: &str, topic: &str| {
                let split = |text| str::split(text, '/').collect::<Vec<_>>();
                matches(&split(filter), &split(topic))
            };
            let all = topics().iter().all(|topic| !is_match(&asked, topic) || is_match(&granted, topic));
            // `+/#` is everything, too, but nobody means it.
            prop_assert!(grants(&granted, &asked) == all || asked == "#" && all);
        }
    }
}
