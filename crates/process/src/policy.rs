//! What Quartet reads of a workflow's `metadata`: how it runs, when not, for whom. The standard
//! leaves that room to runtimes; others load the same file and pass over it.

use crate::{
    expr::Names,
    language::{
        self, Expr, Word,
        duration::{Duration, Span},
        fields::nearest,
        reader::Reader,
    },
    problem::{Place, Problem},
    yaml::Node,
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How it runs.
    pub run: RunAs,
    /// Where that is said.
    pub run_place: Option<Place>,
    /// What its runs are told apart by, computed from the event; one for all if nothing is said.
    pub key: Option<Expr>,
    /// What happens if it is to start while a run of the same key goes on.
    /// A fast flow is over at once but while it waits for what it reads; unless its policy says
    /// otherwise, several may then be under way.
    pub mode: Option<Mode>,
    /// How often it may start.
    pub storm: Option<Storm>,
    /// The time zone of `schedule.cron`, as the IANA database names it.
    pub timezone: Option<Word>,
    /// What happens to times at which the hub was not there.
    pub if_missed: IfMissed,
    /// What it may, as far as its owner may it.
    pub grants: Vec<Grant>,
    /// Whose it is; whoever deploys it, if nothing is said.
    pub owner: Option<Word>,
}

/// How a workflow runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RunAs {
    /// With the event that starts it, at once, to its end.
    Fast,
    /// As long as it takes, through restarts.
    #[default]
    Durable,
}

/// What happens if a workflow is to start while a run of the same key goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Nothing: the event is passed over, and that is said.
    #[default]
    Single,
    /// The run ends, and another begins.
    Restart,
    /// It waits for its turn.
    Queued,
    /// Both go on.
    Parallel,
}

/// How often a workflow may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Storm {
    /// So often.
    pub limit: u32,
    /// In so much time.
    pub per: Span,
    /// What then.
    pub then: Overrun,
}

/// What happens to a workflow that is to start too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overrun {
    /// It starts once for all that come until it may again.
    #[default]
    Group,
    /// It does not start any more until a person says so.
    Suspend,
}

/// What happens to times at which the hub was not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IfMissed {
    /// It runs once, late.
    #[default]
    Once,
    /// It runs for each, late.
    Run,
    /// It does not.
    Skip,
}

/// What a workflow may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Where it stands.
    pub place: Place,
    /// Which role it has.
    pub role: String,
    /// On what: the key of an element.
    pub on: String,
}

const KNOWN: [&str; 9] = [
    "run", "key", "mode", "storm", "timezone", "ifMissed", "grants", "owner", "signals",
];

/// Reads the policy of a workflow. Names that are not known belong to others.
///
/// # Errors
///
/// All that is wrong with what is known.
pub fn read(metadata: Option<&Node>) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let mut reader = Reader::new(Names::new(language::NAMES));
    let mut warnings = Vec::new();
    let policy = match metadata {
        Some(node) => policy(&mut reader, node, &mut warnings),
        None => Some(Policy::none()),
    };
    let problems = reader.into_problems();
    match policy {
        Some(policy) if problems.is_empty() => Ok((policy, warnings)),
        _ => Err(problems),
    }
}

impl Policy {
    fn none() -> Self {
        Self {
            run: RunAs::Durable,
            run_place: None,
            key: None,
            mode: None,
            storm: None,
            timezone: None,
            if_missed: IfMissed::Once,
            grants: Vec::new(),
            owner: None,
        }
    }
}

fn policy(reader: &mut Reader, node: &Node, warnings: &mut Vec<Problem>) -> Option<Policy> {
    let mut fields = reader.object(node, "`metadata`")?;
    let mut policy = Policy::none();
    if let Some(node) = fields.take("run") {
        policy.run_place = Some(node.place);
        if reader.one_of(node, &["fast", "durable"]) == Some("fast") {
            policy.run = RunAs::Fast;
        }
    }
    policy.key = fields.take("key").and_then(|node| reader.expr(node));
    if let Some(node) = fields.take("mode") {
        let modes = ["single", "restart", "queued", "parallel"];
        policy.mode = Some(match reader.one_of(node, &modes) {
            Some("restart") => Mode::Restart,
            Some("queued") => Mode::Queued,
            Some("parallel") => Mode::Parallel,
            _ => Mode::Single,
        });
    }
    policy.storm = fields.take("storm").and_then(|node| storm(reader, node));
    policy.timezone = fields
        .take("timezone")
        .and_then(|node| timezone(reader, node));
    if let Some(node) = fields.take("ifMissed") {
        policy.if_missed = match reader.one_of(node, &["once", "run", "skip"]) {
            Some("run") => IfMissed::Run,
            Some("skip") => IfMissed::Skip,
            _ => IfMissed::Once,
        };
    }
    if let Some(node) = fields.take("grants") {
        let list = reader.list(node, "`grants`").unwrap_or_default();
        policy.grants = list.iter().filter_map(|node| grant(reader, node)).collect();
    }
    policy.owner = fields.take("owner").and_then(|node| element(reader, node));
    for (key, _) in &fields.map().entries {
        if !KNOWN.contains(&&*key.name)
            && let Some(near) = nearest(&key.name, KNOWN.into_iter())
        {
            let what = format!(
                "`{}` means nothing to Quartet; did you mean `{near}`?",
                key.name
            );
            warnings.push(Problem::warning(key.place, what));
        }
    }
    Some(policy)
}

fn storm(reader: &mut Reader, node: &Node) -> Option<Storm> {
    let mut fields = reader.object(node, "`storm`")?;
    let limit = fields.need(reader, "limit").and_then(|node| {
        let limit = reader.integer(node)?;
        let small = u32::try_from(limit).ok().filter(|limit| *limit != 0);
        if small.is_none() {
            reader.wrong(node.place, format!("{limit} is no limit; it is at least 1"));
        }
        small
    });
    let per =
        fields
            .need(reader, "per")
            .and_then(|node| match language::duration::read(reader, node)? {
                Duration::Fixed(span) => Some(span),
                Duration::Expr(_) => {
                    reader.wrong(node.place, "this is no expression, but a duration");
                    None
                }
            });
    let then = fields.take("then");
    let then = then.and_then(|node| reader.one_of(node, &["group", "suspend"]));
    fields.end(reader);
    Some(Storm {
        limit: limit?,
        per: per?,
        then: match then {
            Some("suspend") => Overrun::Suspend,
            _ => Overrun::Group,
        },
    })
}

fn timezone(reader: &mut Reader, node: &Node) -> Option<Word> {
    let word = reader.word(node)?;
    if zone(&word.text).is_some() {
        return Some(word);
    }
    let zones = jiff::tz::TimeZoneDatabase::bundled();
    let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
    let near = nearest(&word.text, names.iter().map(String::as_str));
    let hint = near.map_or("write one like `Europe/Brussels`".to_owned(), |near| {
        format!("did you mean `{near}`?")
    });
    let what = format!("`{}` is no time zone; {hint}", word.text);
    reader.wrong(word.place, what);
    None
}

/// The time zone of this name, of those that came with the program.
pub fn zone(name: &str) -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZoneDatabase::bundled().get(name).ok()
}

fn grant(reader: &mut Reader, node: &Node) -> Option<Grant> {
    let mut fields = reader.object(node, "a grant")?;
    let role = fields.need(reader, "role");
    let role = role.and_then(|node| reader.string(node));
    let on = fields
        .need(reader, "on")
        .and_then(|node| element(reader, node));
    fields.end(reader);
    Some(Grant {
        place: node.place,
        role: role?,
        on: on?.text,
    })
}

/// The key of an element.
fn element(reader: &mut Reader, node: &Node) -> Option<Word> {
    let word = reader.word(node)?;
    if crate::names::is_key(&word.text) {
        return Some(word);
    }
    let what = format!(
        "`{}` is no element; write its kind and its id, as in `people/ana` or `things/lamp`",
        word.text
    );
    reader.wrong(word.place, what);
    None
}
