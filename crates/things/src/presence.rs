//! Whether an element is there: when it was last heard, whether whoever speaks for it is
//! connected, and when its silence is news.
//!
//! All of it is evidence. That the hub said something to an element proves nothing.

use std::time::Duration;

use quartet_model::{SessionRef, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The property at which it is told.
pub const CONNECTIVITY: &str = "connectivity";

/// How an element is known to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connectivity {
    /// It was never heard.
    #[default]
    Unknown,
    /// It was heard, and nothing speaks against it.
    Online,
    /// Whoever speaks for it said goodbye; it is expected back.
    Asleep,
    /// Its connection was lost, or that of what it is reached through.
    Lost,
    /// It says nothing though it should have.
    Silent,
}

/// The property of the hub that tells it, for Thing Descriptions.
pub(crate) fn describe() -> Value {
    json!({
        "title": "Connectivity",
        "quartet:by": "hub",
        "description": "Whether it is there, as the hub knows from what it says and from its connection",
        "readOnly": true,
        "observable": true,
        "type": "object",
        "properties": {
            "state": { "type": "string", "enum": ["unknown", "online", "asleep", "lost", "silent"] },
            "since": { "type": "string", "format": "date-time" },
            "lastHeard": { "type": "string", "format": "date-time" },
            "expectedInterval": { "type": "number", "unit": "s" },
            "reason": { "type": "string" },
        },
    })
}

/// What is known of an element's presence.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// The session that last spoke for it.
    pub(crate) speaker: Option<SessionRef>,
    /// How it is by itself.
    pub(crate) own: Connectivity,
    /// What it is reached through is away.
    pub(crate) is_cut_off: bool,
    /// What it is reached through, or who speaks for it, is there again, and it was not heard since:
    /// what was said to it meanwhile it may not have.
    pub(crate) is_back: bool,
    /// When it was last heard.
    pub(crate) heard: Option<Time>,
    /// A report is expected at least so often, as its description says.
    pub(crate) expected: Option<Duration>,
    rhythm: Rhythm,
    /// When its silence is looked at; not before.
    pub(crate) look_at: Option<Time>,
    /// It was there before the hub died, and was not heard since.
    pub(crate) is_recalled: bool,
}

/// How long a hub that was just started waits for those who were there before.
pub(crate) const COME_BACK: Duration = Duration::from_secs(120);

/// How often an element reports, learnt from its reports (as RFC 6298 does with round trips).
#[derive(Debug, Default)]
struct Rhythm {
    reports: u8,
    mean_s: f32,
    deviation_s: f32,
}

/// Reports closer together than this are one.
const ONE_REPORT_S: f32 = 1.0;
/// So many must have come before anything is learnt.
const REPORTS_MIN: u8 = 8;
/// No silence is shorter than this.
const SILENCE_MIN: Duration = Duration::from_secs(10);
/// Missed reports that make a silence.
const MISSED: u32 = 3;

impl Rhythm {
    fn hear(&mut self, since_last: Duration) {
        let gap = since_last.as_secs_f32();
        if gap < ONE_REPORT_S {
            return;
        }
        if self.reports == 0 {
            (self.mean_s, self.deviation_s) = (gap, gap / 2.0);
        } else {
            self.deviation_s += ((gap - self.mean_s).abs() - self.deviation_s) / 4.0;
            self.mean_s += (gap - self.mean_s) / 8.0;
        }
        self.reports = self.reports.saturating_add(1);
    }

    /// How often it reports, if it does so regularly.
    fn interval(&self) -> Option<Duration> {
        let is_regular = REPORTS_MIN <= self.reports && self.deviation_s < self.mean_s / 4.0;
        is_regular.then(|| Duration::from_secs_f32(self.mean_s))
    }
}

impl Presence {
    /// It was heard.
    pub(crate) fn hear(&mut self, at: Time) {
        if let Some(before) = self.heard
            && self.own == Connectivity::Online
        {
            self.rhythm.hear(at.since(before));
        }
        self.heard = self.heard.max(Some(at));
        if self.is_recalled && self.began() >= at {
            return; // It was said before the hub died, and only now reaches the element.
        }
        self.own = Connectivity::Online;
        self.is_cut_off = false;
        self.is_recalled = false;
    }

    /// When the hub was first awake, of what was recalled.
    fn began(&self) -> Time {
        match self.look_at {
            Some(at) if at != Time::ZERO => {
                Time::from_micros(at.as_micros().saturating_sub(COME_BACK.as_micros() as u64))
            }
            _ => Time::NEVER,
        }
    }

    /// How often it is expected to report: as it is described, or as it was learnt.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.expected.or_else(|| self.rhythm.interval())
    }

    /// When its silence becomes news, if nothing is heard of it.
    pub(crate) fn silent_at(&self) -> Time {
        match (self.heard, self.interval()) {
            (Some(heard), Some(interval)) if self.own != Connectivity::Silent => {
                heard.after((interval * MISSED).max(SILENCE_MIN))
            }
            _ => Time::NEVER,
        }
    }

    /// How it is, all in all.
    pub(crate) fn state(&self) -> Connectivity {
        match self.own {
            Connectivity::Unknown => Connectivity::Unknown,
            _ if self.is_cut_off => Connectivity::Lost,
            own => own,
        }
    }

    /// As JSON: what is said at `…/properties/connectivity`.
    pub(crate) fn to_json(&self, since: Time, why: &str) -> Value {
        let mut said = json!({ "state": self.state(), "since": since.rfc3339() });
        if let Some(heard) = self.heard {
            said["lastHeard"] = heard.rfc3339().into();
        }
        if let Some(interval) = self.interval() {
            said["expectedInterval"] = interval.as_secs_f64().round().into();
        }
        if !why.is_empty() {
            said["reason"] = why.into();
        }
        said
    }

    /// Knows again what [`to_json`](Self::to_json) said. Who was connected is not any more.
    pub(crate) fn recall(&mut self, payload: &[u8]) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Said {
            state: Connectivity,
            last_heard: Option<String>,
        }
        if let Ok(said) = serde_json::from_slice::<Said>(payload) {
            self.own = said.state;
            self.is_recalled = said.state == Connectivity::Online;
            let heard = said.last_heard.as_deref().and_then(Time::of_rfc3339);
            self.heard = self.heard.max(heard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::from_micros(s * 1_000_000)
    }

    #[test]
    fn a_rhythm_is_learnt_from_regular_reports_only() {
        let mut regular = Presence::default();
        for n in 0..12 {
            regular.hear(at(n * 60 + n % 3));
        }
        let interval = regular.interval().unwrap().as_secs();
        assert!((55..65).contains(&interval), "{interval}");
        assert_eq!(
            regular.silent_at(),
            at(11 * 60 + 2).after(regular.interval().unwrap() * 3)
        );
        let mut irregular = Presence::default();
        for n in 0_u64..12 {
            irregular.hear(at(n * n * n));
        }
        assert_eq!(irregular.interval(), None);
        assert_eq!(irregular.silent_at(), Time::NEVER);
    }

    #[test]
    fn several_values_at_once_are_one_report() {
        let mut presence = Presence::default();
        for n in 0..12 {
            for part in 0..5 {
                presence.hear(Time::from_micros(n * 60_000_000 + part * 1000));
            }
        }
        assert_eq!(presence.interval().map(|it| it.as_secs()), Some(59));
    }

    #[test]
    fn what_is_set_comes_before_what_is_learnt() {
        let mut presence = Presence {
            expected: Some(Duration::from_secs(2)),
            ..Presence::default()
        };
        assert_eq!(presence.silent_at(), Time::NEVER, "it was never heard");
        presence.hear(at(100));
        assert_eq!(presence.silent_at(), at(110), "no silence is shorter");
    }

    #[test]
    fn what_it_was_is_known_again() {
        let mut presence = Presence::default();
        presence.hear(at(100));
        let said = presence.to_json(at(100), "");
        assert_eq!(said["state"], "online");
        let mut again = Presence::default();
        again.recall(said.to_string().as_bytes());
        assert_eq!((again.own, again.heard), (presence.own, presence.heard));
    }
}
