//! An expression as a tree, in which every name is resolved.

use std::{ops::Range, sync::Arc};

use serde_json::Value;

use super::{
    Beyond,
    functions::{self, Function, Over},
    parse::Stop,
    regex::Regex,
};

/// Part of an expression, and where it stands in the text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) term: Term,
}

/// What can be computed. Every name is resolved.
#[derive(Debug)]
pub(super) enum Term {
    Input,
    Literal(Value),
    /// A name of the scope, by its place.
    Variable(usize),
    /// A name bound by `as`: how many were bound after it.
    Local(usize),
    Now,
    Field(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Slice(Box<Node>, Option<Box<Node>>, Option<Box<Node>>),
    Pipe(Box<Node>, Box<Node>),
    /// `//`.
    Else(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not,
    Compare(Compare, Box<Node>, Box<Node>),
    Math(Math, Box<Node>, Box<Node>),
    Minus(Box<Node>),
    If(Vec<(Node, Node)>, Option<Box<Node>>),
    Array(Vec<Node>),
    Object(Vec<(Node, Node)>),
    Text(Vec<TextPart>, functions::Format),
    Format(functions::Format),
    /// `value as $name | body`.
    As(Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    /// A function that computes something of each member.
    Over(Over, Box<Node>),
    Regex(Box<Regex>, Option<Box<Node>>),
    /// What may fail is left out: only where something else is taken then.
    Optional(Box<Node>),
}

#[derive(Debug)]
pub(super) enum TextPart {
    Plain(String),
    Node(Node),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Math {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Node {
    /// Whether `?` stands only where something else is taken if there is no value.
    pub(super) fn has_values(&self, is_taken: bool) -> Result<(), Stop> {
        let plain = |nodes: Vec<&Self>| {
            let mut nodes = nodes.into_iter();
            nodes.try_for_each(|node| node.has_values(false))
        };
        match &self.term {
            Term::Optional(inner) if is_taken => inner.has_values(true),
            Term::Optional(_) => Err(Stop::Beyond(Beyond {
                offset: self.span.start,
                what: "`?` may give no value; say with `//` what is taken then".to_owned(),
            })),
            Term::Field(of, _) => of.has_values(is_taken),
            Term::Index(of, at) => {
                of.has_values(is_taken)?;
                at.has_values(false)
            }
            Term::Pipe(left, right) => {
                left.has_values(is_taken)?;
                right.has_values(is_taken)
            }
            Term::Else(left, right) => {
                left.has_values(true)?;
                right.has_values(is_taken)
            }
            _ => plain(self.parts()),
        }
    }

    /// Goes through it and all its parts.
    pub(super) fn each(&self, look: &mut dyn FnMut(&Self)) {
        look(self);
        for part in self.parts() {
            part.each(look);
        }
    }

    /// Its parts, in order.
    fn parts(&self) -> Vec<&Self> {
        match &self.term {
            Term::Field(of, _) | Term::Minus(of) | Term::Over(_, of) | Term::Optional(of) => {
                vec![of]
            }
            Term::Index(one, other)
            | Term::Pipe(one, other)
            | Term::Else(one, other)
            | Term::And(one, other)
            | Term::Or(one, other)
            | Term::Compare(_, one, other)
            | Term::Math(_, one, other)
            | Term::As(one, other) => vec![one, other],
            Term::Slice(of, from, to) => {
                let mut parts: Vec<&Self> = vec![of];
                parts.extend(from.iter().chain(to).map(|node| &**node));
                parts
            }
            Term::If(cases, other) => {
                let cases = cases
                    .iter()
                    .flat_map(|(condition, value)| [condition, value]);
                cases.chain(other.iter().map(|node| &**node)).collect()
            }
            Term::Array(members) | Term::Call(_, members) => members.iter().collect(),
            Term::Object(members) => {
                let members = members.iter();
                members.flat_map(|(key, value)| [key, value]).collect()
            }
            Term::Text(parts, _) => {
                let nodes = parts.iter().filter_map(|part| match part {
                    TextPart::Node(node) => Some(node),
                    TextPart::Plain(_) => None,
                });
                nodes.collect()
            }
            Term::Regex(_, by) => by.iter().map(|node| &**node).collect(),
            Term::Input
            | Term::Literal(_)
            | Term::Variable(_)
            | Term::Local(_)
            | Term::Now
            | Term::Not
            | Term::Format(_) => Vec::new(),
        }
    }

    /// Which names of the scope it uses, and whether it looks at its input.
    pub(super) fn uses(&self, names: &mut Vec<usize>, input: &mut bool) {
        let mut found = Vec::new();
        self.each(&mut |node| {
            if let Term::Variable(position) = node.term {
                found.push(position);
            }
        });
        found.sort_unstable();
        found.dedup();
        names.extend(found);
        *input = *input || self.looks_at_input();
    }

    /// Whether its value depends on its input.
    fn looks_at_input(&self) -> bool {
        match &self.term {
            Term::Input | Term::Not | Term::Format(_) | Term::Over(..) | Term::Regex(..) => true,
            Term::Literal(_) | Term::Variable(_) | Term::Local(_) | Term::Now => false,
            Term::Call(function, arguments) => {
                function.looks_at_input() || arguments.iter().any(Self::looks_at_input)
            }
            // What comes after the bar looks at what comes before it.
            Term::Pipe(left, _) => left.looks_at_input(),
            Term::Field(of, _) | Term::Minus(of) | Term::Optional(of) => of.looks_at_input(),
            Term::Index(one, other)
            | Term::Else(one, other)
            | Term::And(one, other)
            | Term::Or(one, other)
            | Term::Compare(_, one, other)
            | Term::Math(_, one, other)
            | Term::As(one, other) => one.looks_at_input() || other.looks_at_input(),
            Term::Slice(of, from, to) => {
                let ends = from.iter().chain(to);
                of.looks_at_input() || ends.into_iter().any(|node| node.looks_at_input())
            }
            Term::If(cases, other) => {
                let mut cases = cases.iter();
                cases.any(|(condition, value)| condition.looks_at_input() || value.looks_at_input())
                    || other.as_ref().is_none_or(|node| node.looks_at_input())
            }
            Term::Array(members) => members.iter().any(Self::looks_at_input),
            Term::Object(members) => {
                let mut members = members.iter();
                members.any(|(key, value)| key.looks_at_input() || value.looks_at_input())
            }
            Term::Text(parts, _) => parts.iter().any(|part| match part {
                TextPart::Plain(_) => false,
                TextPart::Node(node) => node.looks_at_input(),
            }),
        }
    }
}

/// A tree is shared between threads.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Arc<Node>>();
};
