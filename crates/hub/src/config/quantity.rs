//! Amounts as people write them: `1 MiB`, `10 s`, `7 days`. Whole numbers only; a text always
//! names its unit, so that nobody has to guess it.

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Anything else, by its name.
    Count(&'static str),
}

/// Names and bytes of one; the first of a value is the one to print.
const BYTES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("bytes", 1),
    ("byte", 1),
    ("B", 1),
];

/// Names and seconds of one; the first of a value is the one to print.
const SECONDS: &[(&str, u64)] = &[
    ("days", 86_400),
    ("day", 86_400),
    ("d", 86_400),
    ("h", 3_600),
    ("hours", 3_600),
    ("hour", 3_600),
    ("min", 60),
    ("minutes", 60),
    ("minute", 60),
    ("s", 1),
    ("seconds", 1),
    ("second", 1),
    ("weeks", 604_800),
    ("week", 604_800),
];

impl Unit {
    /// In words, for the reference: `bytes`, `seconds`, `messages`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Count(name) => name,
        }
    }

    /// What is expected: `a whole number` and how else it may be written.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Bytes => "bytes, as a whole number or a text like \"1 MiB\",",
            Self::Seconds => "seconds, as a whole number or a text like \"10 s\",",
            Self::Count(_) => "a whole number",
        }
    }

    const fn names(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Bytes => BYTES,
            Self::Seconds => SECONDS,
            Self::Count(_) => &[],
        }
    }

    /// Reads a number with its unit; `None` if it is none or too large.
    pub(super) fn parse(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_')?;
        let (number, name) = text.split_at(digits);
        let name = name.trim_start();
        let (_, of) = self.names().iter().find(|(known, _)| *known == name)?;
        number
            .replace('_', "")
            .parse::<u64>()
            .ok()?
            .checked_mul(*of)
    }

    /// The shortest exact text: `8 MiB`, `7 days`, `10_000`.
    pub fn show(self, value: u64) -> String {
        let fits = |(_, of): &&(&str, u64)| value != 0 && value.is_multiple_of(*of);
        match self.names().iter().find(fits) {
            Some((_, 1)) | None => group(value),
            Some((name, of)) => format!("{} {name}", value / of),
        }
    }
}

/// A number with `_` between its thousands, as TOML takes it, if it is long.
fn group(value: u64) -> String {
    let digits = value.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, text: &str, expected: Option<u64>) {
        assert_eq!(unit.parse(text), expected, "{text}");
    }

    #[test]
    fn sizes_and_times_are_read_with_their_unit() {
        check(Unit::Bytes, "1 MiB", Some(1 << 20));
        check(Unit::Bytes, "256KiB", Some(256 << 10));
        check(Unit::Bytes, "1_000 kB", Some(1_000_000));
        check(Unit::Seconds, "10 s", Some(10));
        check(Unit::Seconds, "7 days", Some(604_800));
        check(Unit::Seconds, " 1 week ", Some(604_800));
    }

    #[test]
    fn what_names_no_unit_of_the_kind_is_refused() {
        check(Unit::Bytes, "10", None);
        check(Unit::Bytes, "10 s", None);
        check(Unit::Seconds, "1 MiB", None);
        check(Unit::Count("messages"), "1 MiB", None);
        check(Unit::Bytes, "MiB", None);
        check(Unit::Bytes, "-1 MiB", None);
        check(Unit::Bytes, "1.5 MiB", None);
        check(Unit::Bytes, "99999999999999 TiB", None);
        check(Unit::Bytes, "", None);
    }

    #[test]
    fn the_shortest_exact_text_is_shown() {
        assert_eq!(Unit::Bytes.show(8 << 20), "8 MiB");
        assert_eq!(Unit::Bytes.show(1_000_001), "1_000_001");
        assert_eq!(Unit::Bytes.show(0), "0");
        assert_eq!(Unit::Seconds.show(604_800), "7 days");
        assert_eq!(Unit::Seconds.show(7_200), "2 h");
        assert_eq!(Unit::Seconds.show(5), "5");
        assert_eq!(Unit::Count("messages").show(10_000_000), "10_000_000");
        assert_eq!(Unit::Count("messages").show(1_000), "1000");
    }

    proptest::proptest! {
        #[test]
        fn any_amount_is_read_back_as_shown(value in 1_u64.., unit in proptest::sample::select(vec![Unit::Bytes, Unit::Seconds])) {
            let shown = unit.show(value);
            let read = shown.replace('_', "").parse().ok().or_else(|| unit.parse(&shown));
            proptest::prop_assert_eq!(read, Some(value));
        }

        #[test]
        fn no_text_is_a_panic(text in ".*") {
            let _ = Unit::Bytes.parse(&text);
        }
    }
}
