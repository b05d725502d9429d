use crate::td::Problem;

/// A topic with named levels: `sensors/{id}/{property}`. `+` is any level, and `#` all that follow.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pattern(Vec<Level>);

#[derive(Clone, PartialEq, Debug)]
enum Level {
    Said(String),
    Named(String),
    Any,
    Rest,
}

/// What the named levels of a topic are.
pub(super) type Levels<'t> = Vec<(String, &'t str)>;

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |says: String| Err(Problem::new("topic", says));
        let mut levels: Vec<Level> = Vec::new();
        for level in text.split('/') {
            if levels.last() == Some(&Level::Rest) {
                return wrong("goes on after `#`".to_owned());
            }
            let name = level
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            levels.push(match (level, name) {
                ("+", _) => Level::Any,
                ("#", _) => Level::Rest,
                (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}']) => {
                    let named = Level::Named(name.to_owned());
                    if levels.contains(&named) {
                        return wrong(format!("names {{{name}}} twice"));
                    }
                    named
                }
                _ if level.contains(['{', '}', '+', '#', '\0']) => {
                    return wrong(format!("has `{level}`; a name stands for a whole level"));
                }
                _ => Level::Said(level.to_owned()),
            });
        }
        Ok(Self(levels))
    }

    /// As a filter.
    pub(super) fn filter(&self) -> String {
        let levels = self.0.iter().map(|level| match level {
            Level::Said(text) => text,
            Level::Named(_) | Level::Any => "+",
            Level::Rest => "#",
        });
        levels.collect::<Vec<_>>().join("/")
    }

    /// The named levels of a topic, if it is one of these.
    pub(super) fn levels<'t>(&self, topic: &'t str) -> Option<Levels<'t>> {
        let mut found = Vec::new();
        let mut said = topic.split('/');
        for level in &self.0 {
            if *level == Level::Rest {
                return Some(found);
            }
            let text = said.next()?;
            match level {
                Level::Said(expected) if expected != text => return None,
                Level::Named(_) if text.is_empty() => return None,
                Level::Named(name) => found.push((name.clone(), text)),
                _ => {}
            }
        }
        said.next().is_none().then_some(found)
    }

    /// A name in a text that no level has.
    pub(super) fn unknown_in(&self, text: &str) -> Option<String> {
        let names = text.split('{').skip(1);
        let mut names = names.map(|rest| rest.split('}').next().unwrap_or_default());
        let unknown = names.find(|name| !self.0.contains(&Level::Named((*name).to_owned())));
        unknown.map(str::to_owned)
    }
}

/// A text with the levels in the place of their names.
pub(super) fn filled(text: &str, levels: &Levels<'_>, say: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if let Some((_, level)) = levels.iter().find(|(known, _)| known == name) {
            filled.push_str(&say(level));
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}
