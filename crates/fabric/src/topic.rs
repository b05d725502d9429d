//! Topic names and filters (MQTT 5.0, section 4.7).

/// Why a text is no topic name or no topic filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.what())]
pub enum TopicError {
    /// Names and filters have at least one character [MQTT-4.7.3-1].
    Empty,
    /// U+0000 is not allowed [MQTT-4.7.3-2].
    Null,
    /// Longer than 65,535 bytes [MQTT-4.7.3-3].
    TooLong,
    /// A name with `+` or `#` [MQTT-4.7.0-1].
    WildcardInName,
    /// `#` that is not the whole last level [MQTT-4.7.1-1].
    MultiLevel,
    /// `+` beside other characters of its level [MQTT-4.7.1-2].
    SingleLevel,
    /// `$share` without a name, or with a name that contains a wildcard [MQTT-4.8.2-1]
    /// [MQTT-4.8.2-2].
    ShareName,
}

impl TopicError {
    /// In words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Empty => "a topic must have at least one character",
            Self::Null => "a topic must not contain U+0000",
            Self::TooLong => "a topic must not be longer than 65,535 bytes",
            Self::WildcardInName => "a topic that is published to must not contain + or #",
            Self::MultiLevel => "# must be the last level, and alone in it",
            Self::SingleLevel => "+ must be alone in its level",
            Self::ShareName => {
                "a shared subscription is $share/{name}/{filter}, its name not empty and without + and #"
            }
        }
    }
}

/// Whether a text contains `+` or `#`.
pub fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

/// Whether a filter asks for a shared subscription (section 4.8.2).
pub fn is_shared(filter: &str) -> bool {
    filter == "$share" || filter.starts_with("$share/")
}

/// Checks a name that something is published to.
pub fn check_name(name: &str) -> Result<(), TopicError> {
    check_text(name)?;
    if has_wildcard(name) {
        return Err(TopicError::WildcardInName);
    }
    Ok(())
}

/// A subscription's filter, with the share it belongs to, if any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filter<'t> {
    /// The name of the share in `$share/{name}/{filter}`.
    pub share: Option<&'t str>,
    /// The filter proper.
    pub filter: &'t str,
}

impl<'t> Filter<'t> {
    /// Checks and splits what a client subscribed to.
    pub fn parse(text: &'t str) -> Result<Self, TopicError> {
        check_text(text)?;
        let (share, filter) = if is_shared(text) {
            let (share, filter) = text
                .strip_prefix("$share/")
                .and_then(|rest| rest.split_once('/'))
                .ok_or(TopicError::ShareName)?;
            if share.is_empty() || has_wildcard(share) || filter.is_empty() {
                return Err(TopicError::ShareName);
            }
            (Some(share), filter)
        } else {
            (None, text)
        };
        check_wildcards(filter)?;
        Ok(Self { share, filter })
    }

    /// How many levels the filter has.
    pub fn levels(&self) -> usize {
        levels(self.filter).count()
    }
}

/// The levels of a name or filter; empty ones count (section 4.7.1.1).
pub fn levels(text: &str) -> std::str::Split<'_, char> {
    text.split('/')
}

fn check_text(text: &str) -> Result<(), TopicError> {
    match text {
        "" => Err(TopicError::Empty),
        text if usize::from(u16::MAX) < text.len() => Err(TopicError::TooLong),
        text if text.as_bytes().contains(&0) => Err(TopicError::Null),
        _ => Ok(()),
    }
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = levels(filter).peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MultiLevel);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::SingleLevel);
        }
    }
    Ok(())
}

/// Whether a filter (without share) matches a name: the rule in one place, slow and plain.
/// The topic tree and the retained messages are tested against it.
pub fn matches(filter: &str, name: &str) -> bool {
    // Filters that start with a wildcard do not match names that start with $ [MQTT-4.7.2-1].
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut filter = levels(filter);
    let mut name = levels(name);
    loop {
        match (filter.next(), name.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Option<&str>, &str), TopicError>) {
        let found = Filter::parse(text).map(|filter| (filter.share, filter.filter));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn mqtt_4_7_1_1_multi_level_wildcard_is_alone_and_last() {
        check("#", Ok((None, "#")));
        check("sport/tennis/#", Ok((None, "sport/tennis/#")));
        check("sport/tennis#", Err(TopicError::MultiLevel));
        check("sport/tennis/#/ranking", Err(TopicError::MultiLevel));
    }

    #[test]
    fn mqtt_4_7_1_2_single_level_wildcard_fills_its_level() {
        check("+/tennis/#", Ok((None, "+/tennis/#")));
        check("sport/+/player1", Ok((None, "sport/+/player1")));
        check("sport+", Err(TopicError::SingleLevel));
    }

    #[test]
    fn mqtt_4_8_2_1_a_share_has_a_name_and_a_filter() {
        check("$share/blue/sport/+", Ok((Some("blue"), "sport/+")));
        check("$share//sport", Err(TopicError::ShareName));
        check("$share/blue", Err(TopicError::ShareName));
        check("$share/blue/", Err(TopicError::ShareName));
        check("$share", Err(TopicError::ShareName));
    }

    #[test]
    fn mqtt_4_8_2_2_a_share_name_has_no_wildcard() {
        check("$share/b+/sport", Err(TopicError::ShareName));
        check("$share/#/sport", Err(TopicError::ShareName));
    }

    #[test]
    fn mqtt_4_7_3_1_and_2_and_3_names_are_not_empty_nor_null_nor_long() {
        assert_eq!(check_name(""), Err(TopicError::Empty));
        assert_eq!(check_name("a\0b"), Err(TopicError::Null));
        assert_eq!(check_name(&"x".repeat(65_536)), Err(TopicError::TooLong));
        assert_eq!(check_name(&"x".repeat(65_535)), Ok(()));
    }

    #[test]
    fn mqtt_4_7_0_1_a_name_has_no_wildcard() {
        assert_eq!(check_name("a/+"), Err(TopicError::WildcardInName));
    }

    #[test]
    fn mqtt_4_7_2_1_a_leading_wildcard_does_not_see_dollar_topics() {
        assert!(!matches("#", "$SYS/uptime"));
        assert!(!matches("+/uptime", "$SYS/uptime"));
        assert!(matches("$SYS/#", "$SYS/uptime"));
    }

    #[test]
    fn the_examples_of_section_4_7_1_hold() {
        for name in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(matches("sport/tennis/player1/#", name));
        }
        assert!(matches("sport/#", "sport"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("sport/+", "sport/"));
    }
}
