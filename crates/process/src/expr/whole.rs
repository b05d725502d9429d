//! All of jq, run by jaq. It has neither fuel nor a clock: whoever runs it watches the time.

use jaq_core::{
    Ctx, Vars, data, load,
    load::{Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::Val;
use serde_json::Value;

use super::{
    Failed, Names, NotJq, Scope,
    functions::{self, number},
    lex::{Token, lex},
    parse::OUTSIDE,
};

type Filter = jaq_core::Filter<data::JustLut<Val>>;

/// An expression of whatever jq has.
pub(super) struct Whole {
    filter: Filter,
    /// Places of the names that it knows, in the order in which it has them.
    knows: Vec<usize>,
    /// Places of the names that it uses.
    uses: Vec<usize>,
}

/// The name under which `now` is known: the time is an argument.
const NOW: &str = "$now__";

impl Whole {
    pub(super) fn compile(text: &str, names: &Names) -> Result<Self, NotJq> {
        let wrong = |offset: usize, what: String| NotJq { offset, what };
        let mut uses = Vec::new();
        for token in lex(text).map_err(|wrong| wrong.error)? {
            match &token.token {
                Token::Word(word) if OUTSIDE.contains(&&**word) => {
                    let what =
                        format!("`{word}` is not for expressions: they see nothing of the program");
                    return Err(wrong(token.start, what));
                }
                Token::Variable(name) if name == "ENV" || name == "__loc__" => {
                    let what = format!(
                        "`${name}` is not for expressions: they see nothing of the program"
                    );
                    return Err(wrong(token.start, what));
                }
                Token::Variable(name) => uses.extend(names.position(name)),
                _ => {}
            }
        }
        // Text that stands in text was not looked through.
        if text.contains("\\(") {
            uses.extend(names.all().filter_map(|name| names.position(name)));
        }
        let code = format!("def now: {NOW}; {text}");
        let shift = code.len() - text.len();
        let at = |part: &str| load::span(&code, part).start.saturating_sub(shift);
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let arena = Arena::default();
        let file = File {
            code: &*code,
            path: (),
        };
        let modules = Loader::new(defs).load(&arena, file).map_err(|errors| {
            let mut found = errors.into_iter().map(|(_, error)| match error {
                load::Error::Io(errors) => {
                    let what = errors.into_iter().map(|(_, what)| what).next();
                    wrong(0, what.unwrap_or_default())
                }
                load::Error::Lex(errors) => match errors.into_iter().next() {
                    Some((expected, part)) => wrong(
                        at(part),
                        format!("this is no jq: {} is expected", expected.as_str()),
                    ),
                    None => wrong(0, "this is no jq".to_owned()),
                },
                load::Error::Parse(errors) => match errors.into_iter().next() {
                    Some((expected, part)) => wrong(
                        at(part),
                        format!("this is no jq: {} is expected", expected.as_str()),
                    ),
                    None => wrong(0, "this is no jq".to_owned()),
                },
            });
            found
                .next()
                .unwrap_or_else(|| wrong(0, "this is no jq".to_owned()))
        })?;
        let funs = jaq_core::funs().chain(jaq_std::funs());
        let funs = funs.chain(jaq_json::funs());
        let dollar: Vec<String> = names.all().map(|name| format!("${name}")).collect();
        let globals = dollar.iter().map(String::as_str).chain([NOW]);
        let compiled = jaq_core::Compiler::default()
            .with_funs(funs)
            .with_global_vars(globals)
            .compile(modules);
        let filter = compiled.map_err(|errors| {
            let mut all = errors.into_iter().flat_map(|(_, errors)| errors);
            match all.next() {
                Some((name, undefined)) => {
                    let what = format!("jq knows no {} `{name}`", undefined.as_str());
                    wrong(at(name), what)
                }
                None => wrong(0, "this is no jq".to_owned()),
            }
        })?;
        Ok(Self {
            filter,
            knows: names
                .all()
                .filter_map(|name| names.position(name))
                .collect(),
            uses,
        })
    }

    pub(super) fn uses(&self) -> impl Iterator<Item = usize> {
        self.uses.iter().copied()
    }

    /// Its one value; null if there is none.
    pub(super) fn eval(&self, scope: &Scope<'_>, input: &Value) -> Result<Value, Failed> {
        let mut vars: Vec<Val> = Vec::with_capacity(self.knows.len() + 1);
        for at in &self.knows {
            let is_used = self.uses.contains(at);
            let value = scope.values.get(*at).filter(|_| is_used);
            vars.push(value.map_or(Val::Null, |value| from_json(value)));
        }
        vars.push(from_json(&number(scope.now.as_micros() as f64 / 1e6)));
        let ctx = Ctx::<data::JustLut<Val>>::new(&self.filter.lut, Vars::new(vars));
        let mut outputs = self.filter.id.run((ctx, from_json(input))).map(unwrap_valr);
        let Some(first) = outputs.next() else {
            return Ok(Value::Null);
        };
        let first = first.map_err(|error| Failed::new(error.to_string()))?;
        if outputs.next().is_some() {
            let what = "this gives several values where one is expected; put it in [ ]";
            return Err(Failed::new(what));
        }
        to_json(&first)
    }
}

fn from_json(value: &Value) -> Val {
    // Both print and read JSON; what one prints the other reads.
    jaq_json::read::parse_single(value.to_string().as_bytes()).unwrap_or_default()
}

fn to_json(value: &Val) -> Result<Value, Failed> {
    let text = value.to_string();
    match serde_json::from_str(&text) {
        Ok(value) => Ok(functions::whole_numbers(value)),
        // Infinity and what is no number.
        Err(_) => Err(Failed::new(format!(
            "{text} is nothing that JSON has a word for"
        ))),
    }
}
