use super::{Say, node::Step};
use crate::{
    Report,
    dialects::{
        Announcement, parts,
        sparkplug::{
            PART, Topic,
            birth::{BD_SEQ, Metrics},
            value,
            wire::Metric,
        },
    },
    td::{PROBLEMS_MAX, Problem},
};

/// A node or a device between birth and death.
#[derive(Default, Debug)]
pub(super) struct Life {
    pub(super) is_born: bool,
    /// Its last birth was not taken, and it will not be another one if it is asked for it.
    pub(super) is_refused: bool,
    /// It was last reported to be there.
    is_there: bool,
    metrics: Metrics,
}

impl Life {
    /// What it counts for: also one without metrics is remembered.
    pub(super) fn size(&self) -> usize {
        1 + self.metrics.len()
    }

    /// One whose birth was said before the hub began.
    pub(super) fn recalled(metrics: Metrics) -> Self {
        Self {
            is_born: true,
            is_refused: false,
            is_there: true,
            metrics,
        }
    }

    /// A birth, for which so many metrics have room.
    pub(super) fn begin(&mut self, step: Step<'_>, room: usize, says: &mut Vec<Say>) {
        (self.is_born, self.is_refused) = (false, true);
        let (metrics, mut problems) = Metrics::of(&step.metrics);
        if room < metrics.len() {
            let why = "has metrics for which there is no room; too many are known already";
            problems.push(Problem::new("metrics", why));
            return says.push(Say::Refuse(problems));
        }
        let described = match metrics.describe(&step.topic, &step.metrics) {
            Ok(described) => described,
            Err(why) => return says.push(Say::Refuse(why)),
        };
        if !problems.is_empty() {
            says.push(Say::Refuse(problems));
        }
        says.push(Say::Announce(Announcement {
            key: step.topic.key(),
            part: PART.to_owned(),
            description: Some(described),
        }));
        (self.is_born, self.is_refused) = (true, false);
        self.metrics = metrics;
        self.report(&step.topic, step.metrics, says);
    }

    /// What a message says of the metrics; gives one that is unknown.
    pub(super) fn report(
        &mut self,
        topic: &Topic<'_>,
        metrics: Vec<Metric>,
        says: &mut Vec<Say>,
    ) -> Option<String> {
        let mut values = Vec::new();
        let mut unknown = None;
        let mut problems = Vec::new();
        for metric in metrics {
            let Some(known) = self.metrics.find(&metric) else {
                if metric.name.as_deref() != Some(BD_SEQ) {
                    unknown.get_or_insert_with(|| named(&metric));
                }
                continue;
            };
            // What was once is no report of what is.
            let Some(property) = known
                .property
                .clone()
                .filter(|_| metric.is_historical != Some(true))
            else {
                continue;
            };
            match value::of_metric(metric, known.datatype) {
                Ok(value) => values.push((property, value)),
                Err(why) if problems.len() < PROBLEMS_MAX => {
                    problems.push(Problem::new(
                        format!("properties.{property}"),
                        why.to_string(),
                    ));
                }
                Err(_) => {}
            }
        }
        self.is_there = true;
        if !problems.is_empty() {
            says.push(Say::Refuse(problems));
        }
        says.push(Say::Report(Report {
            key: topic.key(),
            is_there: true,
            values,
            ..Report::default()
        }));
        unknown
    }

    /// It is away until its next birth.
    pub(super) fn end(&mut self, topic: &Topic<'_>, says: &mut Vec<Say>) {
        (self.is_born, self.is_refused) = (false, false);
        if std::mem::take(&mut self.is_there) {
            says.push(Say::Report(Report {
                key: topic.key(),
                is_there: false,
                ..Report::default()
            }));
        }
    }
}

fn named(metric: &Metric) -> String {
    match (&metric.name, metric.alias) {
        (Some(name), _) => format!("the metric `{}`", parts::title(name)),
        (None, Some(alias)) => format!("the alias {alias}"),
        (None, None) => "a metric without a name or an alias".to_owned(),
    }
}
