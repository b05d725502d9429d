use std::collections::{HashMap, HashSet};

use quartet_model::{Address, Affordance, Aspect};

use super::Head;

/// What is to be heard: a property or event of an element, or all of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Interest {
    /// The element's key.
    pub element: String,
    /// Properties or events.
    pub of: Affordance,
    /// Which one; all of them without.
    pub name: Option<String>,
}

impl Interest {
    /// The topics where it is.
    pub fn filter(&self) -> String {
        let name = self.name.as_deref().unwrap_or("+");
        match self.of {
            Affordance::Event => format!("{}/events/{name}", self.element),
            _ => format!("{}/properties/{name}", self.element),
        }
    }

    /// The name of the affordance that spoke at a topic.
    pub fn name_at(topic: &str) -> Option<&str> {
        match Address::read(topic).ok()?.aspect {
            Aspect::Property(name) | Aspect::Event(name) => Some(name),
            _ => None,
        }
    }
}

/// There are as many as one connection may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "there are {} subscriptions on this connection already; end some, or observe all properties at once",
    Subscriptions::MAX
)]
pub struct TooMany;

/// What one connection wants to hear. Of each property and event it is told once, under the mark of the request that
/// came last.
#[derive(Debug, Default)]
pub struct Subscriptions {
    there: HashMap<Interest, Head>,
    /// What is not to be heard though all is.
    except: HashSet<Interest>,
}

impl Subscriptions {
    /// So many, at most.
    pub const MAX: usize = 256;

    /// Something is wanted from now on. Gives what it replaces.
    pub fn begin(&mut self, interest: &Interest, head: Head) -> Result<Vec<Interest>, TooMany> {
        if self.is_full() && !self.there.contains_key(interest) {
            return Err(TooMany);
        }
        let replaced = match interest.name {
            None => self.end(interest),
            Some(_) => self
                .there
                .remove_entry(interest)
                .map(|(one, _)| one)
                .into_iter()
                .collect(),
        };
        self.except.remove(interest);
        self.there.insert(interest.clone(), head);
        Ok(replaced)
    }

    /// Something is not wanted any more. Gives what ends with it.
    pub fn end(&mut self, interest: &Interest) -> Vec<Interest> {
        let is_meant = |one: &Interest| {
            one.element == interest.element
                && one.of == interest.of
                && (interest.name.is_none() || one.name == interest.name)
        };
        let ended: Vec<Interest> = self
            .there
            .keys()
            .filter(|one| is_meant(one))
            .cloned()
            .collect();
        for one in &ended {
            self.there.remove(one);
        }
        self.except.retain(|one| !is_meant(one));
        let all = Interest {
            name: None,
            ..interest.clone()
        };
        if interest.name.is_some() && self.there.contains_key(&all) && !self.is_full() {
            self.except.insert(interest.clone());
        }
        ended
    }

    /// Under which mark what was heard by one of them is told; not at all if another one tells it.
    pub fn told_by(&self, interest: &Interest, name: &str) -> Option<&Head> {
        let head = self.there.get(interest)?;
        if interest.name.is_none() {
            let one = Interest {
                name: Some(name.to_owned()),
                ..interest.clone()
            };
            if self.there.contains_key(&one) || self.except.contains(&one) {
                return None;
            }
        }
        Some(head)
    }

    /// Under which mark something is told that is about no single one.
    pub fn head(&self, interest: &Interest) -> Option<&Head> {
        self.there.get(interest)
    }

    fn is_full(&self) -> bool {
        Self::MAX <= self.there.len() + self.except.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: Option<&str>) -> Interest {
        Interest {
            element: "things/lamp".to_owned(),
            of: Affordance::Property,
            name: name.map(str::to_owned),
        }
    }

    fn mark(correlation: &str) -> Head {
        Head {
            correlation: Some(correlation.to_owned()),
            ..Head::default()
        }
    }

    #[track_caller]
    fn check(all: &Subscriptions, name: &str, expected: Option<&str>) {
        let heard = [of(None), of(Some(name))];
        let told: Vec<&Head> = heard
            .iter()
            .filter_map(|by| all.told_by(by, name))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|head| head.correlation.as_deref())
            .collect();
        assert_eq!(
            told,
            expected.map(Some).into_iter().collect::<Vec<_>>(),
            "{name}"
        );
    }

    #[test]
    fn the_last_subscription_wins() {
        let mut all = Subscriptions::default();
        assert!(all.begin(&of(Some("on")), mark("1")).unwrap().is_empty());
        assert_eq!(
            all.begin(&of(Some("on")), mark("2")).unwrap(),
            [of(Some("on"))]
        );
        check(&all, "on", Some("2"));
        assert_eq!(all.begin(&of(None), mark("3")).unwrap(), [of(Some("on"))]);
        check(&all, "on", Some("3"));
        assert!(all.begin(&of(Some("on")), mark("4")).unwrap().is_empty());
        check(&all, "on", Some("4"));
        check(&all, "level", Some("3"));
    }

    #[test]
    fn one_of_all_can_be_left_out() {
        let mut all = Subscriptions::default();
        all.begin(&of(None), mark("1")).unwrap();
        assert!(all.end(&of(Some("on"))).is_empty());
        check(&all, "on", None);
        check(&all, "level", Some("1"));
        assert_eq!(all.end(&of(None)), [of(None)]);
        check(&all, "level", None);
        assert!(
            all.end(&of(None)).is_empty(),
            "what is not there can be ended"
        );
    }

    #[test]
    fn there_are_only_so_many() {
        let mut all = Subscriptions::default();
        for n in 0..Subscriptions::MAX {
            all.begin(&of(Some(&n.to_string())), mark("1")).unwrap();
        }
        assert_eq!(all.begin(&of(Some("on")), mark("2")), Err(TooMany));
        assert!(all.begin(&of(Some("7")), mark("2")).is_ok());
    }
}
