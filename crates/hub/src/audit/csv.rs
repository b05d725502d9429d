//! Lines of the audit as rows of a table (RFC 4180).

use quartet_people::audit::{Door, Link};

/// The columns.
const COLUMNS: [&str; 12] = [
    "n", "at", "what", "who", "on", "deed", "door", "from", "why", "value", "times", "prev",
];

/// The first row.
pub(crate) fn head() -> String {
    COLUMNS.join(",") + "\n"
}

/// A line as a row, without its end; what is no line stands in the last column.
pub(crate) fn row(line: &str) -> String {
    let Ok(link) = serde_json::from_str::<Link>(line) else {
        return format!("{}{}", ",".repeat(COLUMNS.len() - 1), field(line));
    };
    let entry = link.entry;
    let or_nothing = |text: Option<String>| text.unwrap_or_default();
    let fields = [
        link.n.to_string(),
        entry.at.rfc3339(),
        entry.what.name().to_owned(),
        entry.who,
        entry.on,
        or_nothing(entry.deed.map(|deed| deed.name().to_owned())),
        or_nothing(entry.door.map(Door::name).map(str::to_owned)),
        or_nothing(entry.from.map(|ip| ip.to_string())),
        or_nothing(entry.why),
        or_nothing(entry.value.map(|value| value.to_string())),
        entry.times.to_string(),
        link.prev,
    ];
    fields.map(|text| field(&text)).join(",")
}

/// What a program of tables takes for text: not for the end of a field, and not for a formula, whatever
/// others put into it.
fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = match is_formula {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::Time;
    use quartet_people::audit::{Chain, Entry, What};

    use super::*;

    #[test]
    fn whatever_others_say_stays_in_its_field() {
        let entry = Entry::new(Time::ZERO, What::NotLetIn, "=cmd|' /C calc'!A0")
            .on("a,b\"c\nd")
            .because("wrong");
        let row = row(&Chain::default().link(entry));
        assert!(
            row.starts_with("1,1970-01-01T00:00:00Z,not-let-in,'=cmd"),
            "{row}"
        );
        assert!(row.contains(",\"a,b\"\"c\nd\",,,,wrong,,1,"), "{row}");
        assert!(head().starts_with("n,at,what"));
    }
}
