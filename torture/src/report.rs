//! Figures of some series, as a table.

use std::{fmt, time::Duration};

use crate::history::{Finding, Kind};

/// How many findings of each kind are told.
const TOLD_MAX: usize = 8;

/// What became of one series, or of several.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// Series that were run.
    pub series: usize,
    /// Kills, those while it started included.
    pub kills: usize,
    /// Kills before the hub was up.
    pub kills_while_starting: usize,
    /// Power cuts.
    pub power_cuts: usize,
    /// Rounds that the hub finished: it let go of what it did not need any more.
    pub rounds: usize,
    /// Messages that were said.
    pub said: usize,
    /// Messages that the hub acknowledged.
    pub acknowledged: usize,
    /// Messages that were heard, by all subscribers together.
    pub heard: usize,
    /// Of them, those heard again, as QoS 1 allows.
    pub heard_again: usize,
    /// From spawn to CONNACK, of each start.
    pub recoveries: Vec<Duration>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        let all = self.findings.iter();
        all.filter(|finding| finding.kind == kind).count()
    }

    /// Adds the figures of other series.
    pub fn add(&mut self, other: Self) {
        self.series += other.series;
        self.kills += other.kills;
        self.kills_while_starting += other.kills_while_starting;
        self.power_cuts += other.power_cuts;
        self.rounds += other.rounds;
        self.said += other.said;
        self.acknowledged += other.acknowledged;
        self.heard += other.heard;
        self.heard_again += other.heard_again;
        self.recoveries.extend(other.recoveries);
        self.findings.extend(other.findings);
    }

    /// Median and maximum of the times from spawn to CONNACK.
    pub fn recovery(&self) -> (Duration, Duration) {
        let mut sorted = self.recoveries.clone();
        sorted.sort();
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, max) = self.recovery();
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let kinds = [
            ("lost", Kind::Lost),
            ("doubled at QoS 2", Kind::Doubled),
            ("out of order", Kind::OutOfOrder),
            ("retained wrongly", Kind::RetainedWrong),
            ("sessions forgotten", Kind::Forgotten),
            ("otherwise broken", Kind::Broken),
        ];
        let figures = [
            ("series, each with a data folder of its own", self.series),
            ("kills", self.kills),
            ("of them while the hub started", self.kills_while_starting),
            ("power cuts", self.power_cuts),
            ("rounds that let go of old records", self.rounds),
            ("messages said", self.said),
            ("acknowledged", self.acknowledged),
            ("heard, by all subscribers", self.heard),
            ("of them again, as QoS 1 allows", self.heard_again),
        ];
        let mut rows: Vec<(&str, String)> = Vec::new();
        rows.extend(figures.map(|(what, figure)| (what, figure.to_string())));
        rows.extend(kinds.map(|(what, kind)| (what, self.count(kind).to_string())));
        rows.push(("recovery, median", ms(median)));
        rows.push(("recovery, maximum", ms(max)));
        writeln!(f, "| {:<42} | {:>12} |", "what", "figure")?;
        writeln!(f, "|{:-<44}|{:->13}:|", "", "")?;
        for (what, figure) in rows {
            writeln!(f, "| {what:<42} | {figure:>12} |")?;
        }
        for (what, kind) in kinds {
            let of_kind = self.findings.iter().filter(|finding| finding.kind == kind);
            for finding in of_kind.take(TOLD_MAX) {
                write!(f, "\n{finding}")?;
            }
            match self.count(kind).saturating_sub(TOLD_MAX) {
                0 => {}
                more => write!(f, "\n… and {more} more {what}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_and_are_told() {
        let one = Report {
            kills: 2,
            recoveries: vec![Duration::from_millis(30), Duration::from_millis(10)],
            ..Report::default()
        };
        let mut both = Report {
            recoveries: vec![Duration::from_millis(20)],
            findings: vec![Finding::new(Kind::Lost, "ana never heard it")],
            ..one.clone()
        };
        assert!(one.is_clean() && !both.is_clean());
        both.add(one);
        assert_eq!((both.kills, both.count(Kind::Lost)), (4, 1));
        let (median, max) = both.recovery();
        assert_eq!((median.as_millis(), max.as_millis()), (20, 30));
        let told = both.to_string();
        assert!(told.contains("| lost                                       |            1 |"));
        assert!(told.ends_with("Lost: ana never heard it"));
    }
}
