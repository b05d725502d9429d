//! What is deployed, and why something did not happen: answers for people.

use serde_json::{Value, json};

use crate::{
    deployment::{self, State},
    language::{Filter, event::Match},
    policy::RunAs,
    state::{Entry, Flows},
};

impl Flows {
    /// What is to be said of each flow in a list.
    pub fn list(&self) -> Vec<Value> {
        self.all().map(|(key, entry)| entry.summary(key)).collect()
    }

    /// All that is known of one flow here: `runs` and `missed`, the last first, and counts.
    pub fn explain(&self, key: &str) -> Option<Value> {
        let entry = self.get(key)?;
        let mut told = entry.summary(key);
        match &entry.flow {
            Ok(flow) => {
                let of_runs = entry.told.to_json(flow);
                for part in ["runs", "missed"] {
                    told[part] = of_runs[part].clone();
                }
                told["waitsFor"] = flow.triggers().iter().map(told_of).collect();
            }
            Err(problems) => {
                let problems = problems.iter().map(|problem| problem.what.clone());
                told["problems"] = problems.collect();
            }
        }
        Some(told)
    }
}

impl Entry {
    fn summary(&self, key: &str) -> Value {
        let mut told = json!({
            "name": deployment::name_of(key),
            "key": key,
            "hash": self.deployment.hash(),
            "owner": self.deployment.owner,
            "by": self.deployment.by,
            "at": self.deployment.at,
            "state": self.deployment.state.name(),
            "counts": {
                "runs": self.told.runs, "failed": self.told.failed, "missed": self.told.missed,
            },
        });
        if let Some(because) = &self.deployment.because {
            told["because"] = because.as_str().into();
        }
        if let Some(at) = self.told.last_run() {
            told["lastRun"] = at.rfc3339().into();
        }
        match &self.flow {
            Ok(flow) => {
                let document = &flow.definition.workflow.document;
                told["version"] = document.version.text.as_str().into();
                if let Some(title) = &document.title {
                    told["title"] = title.as_str().into();
                }
                told["run"] = match flow.policy.run {
                    RunAs::Fast => "fast",
                    RunAs::Durable => "durable",
                }
                .into();
            }
            Err(_) => told["state"] = "broken".into(),
        }
        told
    }

    /// Whether whatever is to start it does.
    pub fn is_on(&self) -> bool {
        self.flow.is_ok() && self.deployment.state == State::Enabled
    }
}

/// What a filter asks for, attribute by attribute.
fn told_of(filter: &Filter) -> Value {
    let with = filter.with.iter().map(|(name, wanted)| {
        let wanted = match wanted {
            Match::Is(value) => value.clone(),
            Match::Fits(text, _) => text.as_str().into(),
            Match::Expr(expr) => format!("${{ {} }}", expr.expression.text().trim()).into(),
        };
        (name.text.clone(), wanted)
    });
    with.collect::<serde_json::Map<_, _>>().into()
}
