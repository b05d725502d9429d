use serde_json::Value;

use super::{
    Beyond, Names, NotJq,
    functions::{self, Function, Over},
    lex::{Piece, Spanned, Token, lex},
    regex::{Regex, is_regex},
    term::{Compare, Math, Node, Term, TextPart},
};
use crate::language::fields::nearest;

/// Expressions nest no deeper: each bracket counts for what may stand in it.
const DEPTH_MAX: usize = 192;

/// Why a text is no expression of the total part.
#[derive(Debug)]
pub(super) enum Stop {
    Wrong(Wrong),
    Beyond(Beyond),
}

/// A text that is no jq, as far as we can tell.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) error: NotJq,
    /// A name that is not there: that is known for sure.
    pub(super) is_name: bool,
}

impl Wrong {
    pub(super) fn new(error: NotJq) -> Self {
        Self {
            error,
            is_name: false,
        }
    }
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// Words that look at what is outside.
pub(super) const OUTSIDE: [&str; 12] = [
    "env",
    "input",
    "inputs",
    "debug",
    "stderr",
    "halt",
    "halt_error",
    "input_filename",
    "input_line_number",
    "get_search_list",
    "repl",
    "getpwuid",
];

/// Words that may give no value, many, or never end.
const BEYOND: [(&str, &str); 14] = [
    (
        "def",
        "`def` defines functions, which may call themselves for ever",
    ),
    ("reduce", "`reduce` goes through many values"),
    ("foreach", "`foreach` goes through many values"),
    ("try", "`try` may give no value"),
    ("label", "`label` and `break` leave a computation"),
    ("import", "modules are not there"),
    ("include", "modules are not there"),
    ("empty", "`empty` gives no value"),
    (
        "select",
        "`select` may give no value; inside `map( )` it may stand by itself",
    ),
    ("range", "`range` may give many values"),
    ("recurse", "`recurse` may give many values"),
    ("limit", "`limit` is for many values"),
    ("until", "`until` may never end"),
    ("repeat", "`repeat` never ends"),
];

pub(super) fn parse(text: &str, names: &Names) -> Result<Node, Stop> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        end: text.len(),
        names,
        locals: Vec::new(),
        depth: 0,
        offset: 0,
    };
    let node = parser.pipe()?;
    if let Some(left) = parser.peek() {
        return Err(parser.unexpected(left.clone(), "the expression could end here"));
    }
    node.has_values(false)?;
    Ok(node)
}

struct Parser<'n> {
    tokens: Vec<Spanned>,
    at: usize,
    end: usize,
    names: &'n Names,
    /// Names that `as` bound, and functions would hide.
    locals: Vec<String>,
    depth: usize,
    /// Where the text begins in the whole, if it stands in another text.
    offset: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Spanned> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Spanned> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn start(&self) -> usize {
        self.offset + self.peek().map_or(self.end, |token| token.start)
    }

    fn last_end(&self) -> usize {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        self.offset + before.map_or(0, |token| token.end)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Spanned { token: Token::Sign(found), .. }) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Spanned { token: Token::Word(found), .. }) if found == word)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        self.at += usize::from(is);
        is
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn wrong(&self, offset: usize, what: impl Into<String>) -> Stop {
        Stop::Wrong(Wrong::new(NotJq {
            offset,
            what: what.into(),
        }))
    }

    fn beyond(&self, offset: usize, what: impl Into<String>) -> Stop {
        Stop::Beyond(Beyond {
            offset,
            what: what.into(),
        })
    }

    fn unexpected(&self, token: Spanned, expected: &str) -> Stop {
        let offset = self.offset + token.start;
        let found = match &token.token {
            Token::Sign(sign) => format!("`{sign}`"),
            Token::Word(word) => format!("`{word}`"),
            Token::Variable(name) => format!("`${name}`"),
            Token::Field(name) => format!("`.{name}`"),
            Token::Format(name) => format!("`@{name}`"),
            Token::Number(number) => format!("`{number}`"),
            Token::Text(_) => "text".to_owned(),
        };
        match &token.token {
            Token::Sign("|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=" | "=") => self.beyond(
                offset,
                format!("{found} changes what it points to, which may be much"),
            ),
            Token::Sign(",") => self.beyond(offset, "`,` gives many values; put them in [ ]"),
            _ => self.wrong(offset, format!("{found} is not expected here; {expected}")),
        }
    }

    fn expect(&mut self, sign: &str, opened: Option<usize>) -> Result<(), Stop> {
        if self.eat(sign) {
            return Ok(());
        }
        let hint = match opened {
            Some(opened) => format!(
                "`{sign}` is missing for what was opened at character {}",
                opened + 1
            ),
            None => format!("`{sign}` is expected"),
        };
        match self.peek().cloned() {
            Some(token) => Err(self.unexpected(token, &hint)),
            None => Err(self.wrong(self.offset + self.end, hint)),
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        self.depth += 1;
        if DEPTH_MAX < self.depth {
            let what = format!("brackets nest at most {} deep", DEPTH_MAX / 3);
            return Err(self.wrong(self.start(), what));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// The loosest: `a | b`, and `a as $x | b`.
    fn pipe(&mut self) -> Result<Node, Stop> {
        self.deeper(|parser| {
            let start = parser.start();
            let left = parser.alternative()?;
            if parser.eat("|") {
                let right = parser.pipe()?;
                return Ok(parser.node(start, Term::Pipe(Box::new(left), Box::new(right))));
            }
            Ok(left)
        })
    }

    fn node(&self, start: usize, term: Term) -> Node {
        Node {
            span: start..self.last_end(),
            term,
        }
    }

    /// `a // b`, which binds to the right.
    fn alternative(&mut self) -> Result<Node, Stop> {
        self.deeper(|parser| {
            let start = parser.start();
            let left = parser.or()?;
            if !parser.eat("//") {
                return Ok(left);
            }
            let right = parser.alternative()?;
            Ok(parser.node(start, Term::Else(Box::new(left), Box::new(right))))
        })
    }

    fn or(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let mut left = self.and()?;
        while self.eat_word("or") {
            let right = self.and()?;
            left = self.node(start, Term::Or(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let mut left = self.comparison()?;
        while self.eat_word("and") {
            let right = self.comparison()?;
            left = self.node(start, Term::And(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Node, Stop> {
        const SIGNS: [(&str, Compare); 6] = [
            ("==", Compare::Equal),
            ("!=", Compare::Unequal),
            ("<=", Compare::LessEqual),
            (">=", Compare::GreaterEqual),
            ("<", Compare::Less),
            (">", Compare::Greater),
        ];
        let start = self.start();
        let left = self.sum()?;
        let Some((_, compare)) = SIGNS.into_iter().find(|(sign, _)| self.is_sign(sign)) else {
            return Ok(left);
        };
        self.at += 1;
        let right = self.sum()?;
        let node = self.node(
            start,
            Term::Compare(compare, Box::new(left), Box::new(right)),
        );
        if SIGNS.iter().any(|(sign, _)| self.is_sign(sign)) {
            let what = "comparisons do not follow each other; put the first in ( )";
            return Err(self.wrong(self.start(), what));
        }
        Ok(node)
    }

    fn sum(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let mut left = self.product()?;
        loop {
            let math = match () {
                () if self.eat("+") => Math::Add,
                () if self.eat("-") => Math::Subtract,
                () => return Ok(left),
            };
            let right = self.product()?;
            left = self.node(start, Term::Math(math, Box::new(left), Box::new(right)));
        }
    }

    fn product(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let mut left = self.unary()?;
        loop {
            let math = match () {
                () if self.eat("*") => Math::Multiply,
                () if self.eat("/") => Math::Divide,
                () if self.eat("%") => Math::Remainder,
                () => return Ok(left),
            };
            let right = self.unary()?;
            left = self.node(start, Term::Math(math, Box::new(left), Box::new(right)));
        }
    }

    fn unary(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        if self.eat("-") {
            let inner = self.deeper(Self::unary)?;
            return Ok(self.node(start, Term::Minus(Box::new(inner))));
        }
        let node = self.postfix()?;
        if !self.eat_word("as") {
            return Ok(node);
        }
        let Some(Spanned {
            token: Token::Variable(name),
            ..
        }) = self.next()
        else {
            self.at -= 1;
            return Err(self.beyond(self.start(), "patterns after `as` may give many values"));
        };
        if self.is_sign("?//") {
            return Err(self.beyond(self.start(), "`?//` tries several patterns"));
        }
        self.expect("|", None)?;
        self.locals.push(name);
        let body = self.pipe();
        self.locals.pop();
        Ok(self.node(start, Term::As(Box::new(node), Box::new(body?))))
    }

    /// A term and what follows it: `.a`, `[0]`, `[1:2]`, `?`.
    fn postfix(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let mut node = self.term()?;
        loop {
            if let Some(Spanned {
                token: Token::Field(name),
                ..
            }) = self.peek()
            {
                let name = name.clone();
                self.at += 1;
                let part = match node.term {
                    Term::Variable(of) => self.names.part(of, &name),
                    _ => None,
                };
                let field = match part {
                    Some(part) => Term::Variable(part),
                    None => Term::Field(Box::new(node), name),
                };
                node = self.node(start, field);
            } else if self.is_sign("[") {
                node = self.index(start, node)?;
            } else if self.is_sign(".")
                && matches!(
                    self.tokens.get(self.at + 1).map(|next| &next.token),
                    Some(Token::Text(_) | Token::Sign("["))
                )
            {
                self.at += 1;
                if self.is_sign("[") {
                    node = self.index(start, node)?;
                } else {
                    let key = self.text(functions::Format::Text)?;
                    node = self.node(start, Term::Index(Box::new(node), Box::new(key)));
                }
            } else if self.eat("?") {
                node = self.node(start, Term::Optional(Box::new(node)));
            } else {
                return Ok(node);
            }
        }
    }

    fn index(&mut self, start: usize, of: Node) -> Result<Node, Stop> {
        let opened = self.start();
        self.expect("[", None)?;
        if self.is_sign("]") {
            let what = "`.[]` gives many values; `map( )`, `any( )` and `all( )` go through them";
            return Err(self.beyond(opened, what));
        }
        let of = Box::new(of);
        if self.eat(":") {
            let to = Box::new(self.pipe()?);
            self.expect("]", Some(opened))?;
            return Ok(self.node(start, Term::Slice(of, None, Some(to))));
        }
        let at = Box::new(self.pipe()?);
        let term = if self.eat(":") {
            let to = match self.is_sign("]") {
                true => None,
                false => Some(Box::new(self.pipe()?)),
            };
            Term::Slice(of, Some(at), to)
        } else {
            Term::Index(of, at)
        };
        self.expect("]", Some(opened))?;
        Ok(self.node(start, term))
    }

    fn term(&mut self) -> Result<Node, Stop> {
        let start = self.start();
        let Some(token) = self.next() else {
            return Err(self.wrong(self.offset + self.end, "a value is missing at the end"));
        };
        let term = match token.token {
            Token::Number(number) => Term::Literal(functions::parse_number(&number)),
            Token::Text(_) => {
                self.at -= 1;
                return self.text(functions::Format::Text);
            }
            Token::Format(name) => {
                let Some(format) = functions::Format::of(&name) else {
                    return Err(self.unknown(start, &format!("@{name}"), functions::Format::NAMES));
                };
                if let Some(Spanned {
                    token: Token::Text(_),
                    ..
                }) = self.peek()
                {
                    return self.text(format);
                }
                Term::Format(format)
            }
            Token::Variable(name) => self.variable(start, &name)?,
            Token::Field(name) => {
                let input = Node {
                    span: start..start + 1,
                    term: Term::Input,
                };
                Term::Field(Box::new(input), name)
            }
            Token::Sign(".") => match self.peek().map(|next| &next.token) {
                Some(Token::Text(_)) => {
                    let input = Node {
                        span: start..start + 1,
                        term: Term::Input,
                    };
                    let key = self.text(functions::Format::Text)?;
                    Term::Index(Box::new(input), Box::new(key))
                }
                _ => Term::Input,
            },
            Token::Sign("..") => {
                return Err(self.beyond(start, "`..` gives many values"));
            }
            Token::Sign("(") => {
                let inner = self.deeper(Self::pipe)?;
                self.expect(")", Some(start))?;
                return Ok(Node {
                    span: start..self.last_end(),
                    ..inner
                });
            }
            Token::Sign("[") => self.array(start)?,
            Token::Sign("{") => self.object(start)?,
            Token::Sign("-") => {
                let inner = self.deeper(Self::postfix)?;
                Term::Minus(Box::new(inner))
            }
            Token::Word(word) => return self.word(start, &word),
            Token::Sign(_) => {
                self.at -= 1;
                return Err(self.unexpected(token, "a value is"));
            }
        };
        Ok(self.node(start, term))
    }

    fn array(&mut self, opened: usize) -> Result<Term, Stop> {
        let mut members = Vec::new();
        if self.eat("]") {
            return Ok(Term::Array(members));
        }
        loop {
            members.push(self.deeper(Self::alternative)?);
            if self.is_sign("|") {
                // `[a, b | f]`: what stands before the bar are many values.
                match members.len() {
                    1 => {
                        let left = members.remove(0);
                        self.at += 1;
                        let right = self.pipe()?;
                        let start = left.span.start;
                        let pipe = Term::Pipe(Box::new(left), Box::new(right));
                        members.push(self.node(start, pipe));
                    }
                    _ => {
                        let what = "many values go through `|` here; put each in [ ] or ( )";
                        return Err(self.beyond(self.start(), what));
                    }
                }
            }
            if !self.eat(",") {
                break;
            }
        }
        self.expect("]", Some(opened))?;
        Ok(Term::Array(members))
    }

    fn object(&mut self, opened: usize) -> Result<Term, Stop> {
        let mut members = Vec::new();
        if self.eat("}") {
            return Ok(Term::Object(members));
        }
        loop {
            members.push(self.member()?);
            if !self.eat(",") || self.is_sign("}") {
                break;
            }
        }
        self.expect("}", Some(opened))?;
        Ok(Term::Object(members))
    }

    fn member(&mut self) -> Result<(Node, Node), Stop> {
        let start = self.start();
        let Some(token) = self.next() else {
            return Err(self.wrong(
                self.offset + self.end,
                "a name is missing: `{` is not closed",
            ));
        };
        let literal = |parser: &Self, text: &str| {
            parser.node(start, Term::Literal(Value::String(text.to_owned())))
        };
        let input = || Node {
            span: start..start,
            term: Term::Input,
        };
        let (key, short) = match token.token {
            Token::Word(word) => {
                let short = self.node(start, Term::Field(Box::new(input()), word.clone()));
                (literal(self, &word), Some(short))
            }
            Token::Variable(name) => {
                let variable = self.variable(start, &name)?;
                (literal(self, &name), Some(self.node(start, variable)))
            }
            Token::Number(number) => (literal(self, &number), None),
            Token::Text(_) | Token::Format(_) => {
                self.at -= 1;
                let format = match &self.tokens[self.at].token {
                    Token::Format(name) => {
                        let format = functions::Format::of(name).unwrap_or(functions::Format::Text);
                        self.at += 1;
                        format
                    }
                    _ => functions::Format::Text,
                };
                let at = self.at;
                let key = self.text(format)?;
                // `{"a"}` is `{"a": .a}`.
                self.at = at;
                let again = self.text(format)?;
                let short = Term::Index(Box::new(input()), Box::new(again));
                (key, Some(self.node(start, short)))
            }
            Token::Sign("(") => {
                let key = self.deeper(Self::pipe)?;
                self.expect(")", Some(start))?;
                (key, None)
            }
            _ => {
                self.at -= 1;
                return Err(self.unexpected(token, "a name is: `{ name: value }`"));
            }
        };
        if !self.eat(":") {
            if let Some(short) = short {
                return Ok((key, short));
            }
            return Err(self.wrong(
                self.start(),
                "a `:` and a value are expected after this name",
            ));
        }
        // Values have no commas and bars of their own.
        let start = self.start();
        let mut value = self.deeper(Self::alternative)?;
        if self.is_sign("|") {
            self.at += 1;
            let right = self.deeper(Self::alternative)?;
            value = self.node(start, Term::Pipe(Box::new(value), Box::new(right)));
        }
        Ok((key, value))
    }

    fn text(&mut self, format: functions::Format) -> Result<Node, Stop> {
        let start = self.start();
        let Some(Spanned {
            token: Token::Text(pieces),
            ..
        }) = self.next()
        else {
            return Err(self.wrong(start, "text is expected here"));
        };
        if let [Piece::Plain(plain)] = &pieces[..] {
            let value = Value::String(plain.clone());
            return Ok(self.node(start, Term::Literal(value)));
        }
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                Piece::Plain(plain) => TextPart::Plain(plain),
                Piece::Expression(offset, text) => {
                    let offset = self.offset + offset;
                    let shifted = |mut wrong: Wrong| {
                        wrong.error.offset += offset;
                        Stop::Wrong(wrong)
                    };
                    let mut inner = Parser {
                        tokens: lex(&text).map_err(shifted)?,
                        at: 0,
                        end: text.len(),
                        names: self.names,
                        locals: self.locals.clone(),
                        depth: self.depth + 1,
                        offset,
                    };
                    let node = inner.deeper(Self::pipe_of)?;
                    if let Some(left) = inner.peek().cloned() {
                        return Err(inner.unexpected(left, "`)` is"));
                    }
                    TextPart::Node(node)
                }
            });
        }
        Ok(self.node(start, Term::Text(parts, format)))
    }

    fn pipe_of(parser: &mut Parser<'_>) -> Result<Node, Stop> {
        parser.pipe()
    }

    fn variable(&self, offset: usize, name: &str) -> Result<Term, Stop> {
        if let Some(at) = self.locals.iter().rposition(|local| local == name) {
            return Ok(Term::Local(self.locals.len() - 1 - at));
        }
        if let Some(position) = self.names.position(name) {
            return Ok(Term::Variable(position));
        }
        if name == "ENV" || name == "__loc__" {
            let what = format!("`${name}` is not for expressions: they see nothing of the program");
            return Err(self.unknown_name(offset, what));
        }
        let known: Vec<&str> = self
            .names
            .all()
            .chain(self.locals.iter().map(String::as_str))
            .collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `${near}`?"),
            None => {
                let known: Vec<String> = known.iter().map(|name| format!("${name}")).collect();
                format!("there are {}", known.join(", "))
            }
        };
        Err(self.unknown_name(offset, format!("there is no `${name}` here; {hint}")))
    }

    fn unknown_name(&self, offset: usize, what: String) -> Stop {
        Stop::Wrong(Wrong {
            error: NotJq { offset, what },
            is_name: true,
        })
    }

    fn unknown(&self, offset: usize, name: &str, known: &[&str]) -> Stop {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        Stop::Wrong(Wrong::new(NotJq {
            offset,
            what: format!("jq has no `{name}`{hint}"),
        }))
    }

    fn word(&mut self, start: usize, word: &str) -> Result<Node, Stop> {
        let literal = match word {
            "null" => Some(Value::Null),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        };
        if let Some(literal) = literal {
            return Ok(self.node(start, Term::Literal(literal)));
        }
        if word == "if" {
            let term = self.condition(start)?;
            return Ok(self.node(start, term));
        }
        if matches!(word, "and" | "or" | "then" | "elif" | "else" | "end" | "as") {
            return Err(self.wrong(start, format!("a value is expected before `{word}`")));
        }
        if OUTSIDE.contains(&word) {
            let what = format!("`{word}` is not for expressions: they see nothing of the program");
            return Err(self.unknown_name(start, what));
        }
        if let Some((_, why)) = BEYOND.iter().find(|(name, _)| *name == word) {
            return Err(self.beyond(start, *why));
        }
        self.call(start, word)
    }

    fn condition(&mut self, opened: usize) -> Result<Term, Stop> {
        let mut cases = Vec::new();
        loop {
            let condition = self.deeper(Self::pipe)?;
            if !self.eat_word("then") {
                return Err(self.missing("then", opened));
            }
            let value = self.deeper(Self::pipe)?;
            cases.push((condition, value));
            if !self.eat_word("elif") {
                break;
            }
        }
        let other = match self.eat_word("else") {
            true => Some(Box::new(self.deeper(Self::pipe)?)),
            false => None,
        };
        if !self.eat_word("end") {
            return Err(self.missing("end", opened));
        }
        Ok(Term::If(cases, other))
    }

    fn missing(&self, word: &str, opened: usize) -> Stop {
        let what = format!(
            "`{word}` is missing for the `if` at character {}",
            opened + 1
        );
        match self.peek().cloned() {
            Some(token) => self.unexpected(token, &what),
            None => self.wrong(self.offset + self.end, what),
        }
    }

    fn call(&mut self, start: usize, name: &str) -> Result<Node, Stop> {
        let mut arguments = Vec::new();
        let opened = self.start();
        if self.eat("(") {
            loop {
                // `map(select(f))` leaves some out.
                if name == "map" && arguments.is_empty() && self.is_word("select") {
                    let at = self.at;
                    self.at += 1;
                    let opened = self.start();
                    self.expect("(", None)?;
                    let condition = self.deeper(Self::pipe)?;
                    self.expect(")", Some(opened))?;
                    if self.eat(")") {
                        let term = Term::Over(Over::Select, Box::new(condition));
                        return Ok(self.node(start, term));
                    }
                    self.at = at;
                }
                arguments.push(self.deeper(Self::pipe)?);
                if !self.eat(";") {
                    break;
                }
            }
            self.expect(")", Some(opened))?;
        }
        let count = arguments.len();
        let term = match (name, count) {
            ("not", 0) => Term::Not,
            ("now", 0) => Term::Now,
            (_, 1) if let Some(over) = Over::of(name) => {
                Term::Over(over, Box::new(arguments.remove(0)))
            }
            (_, 1..=3) if is_regex(name) => self.regex(start, name, arguments)?,
            _ => match Function::of(name, count) {
                Some(function) => Term::Call(function, arguments),
                None => return Err(self.no_function(start, name, count)),
            },
        };
        Ok(self.node(start, term))
    }

    fn regex(&self, start: usize, name: &str, mut arguments: Vec<Node>) -> Result<Term, Stop> {
        let fixed = |node: &Node| match &node.term {
            Term::Literal(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        let is_test = name == "test";
        let flags_at = if is_test { 1 } else { 2 };
        if !is_test && arguments.len() < 2 {
            return Err(self.no_function(start, name, arguments.len()));
        }
        if is_test && 2 < arguments.len() {
            return Err(self.no_function(start, name, arguments.len()));
        }
        let flags = match arguments.get(flags_at) {
            None => Some(String::new()),
            Some(node) => fixed(node),
        };
        let (Some(pattern), Some(flags)) = (fixed(&arguments[0]), flags) else {
            let what =
                format!("the pattern of `{name}` is computed, so it must be read anew each time");
            return Err(self.beyond(start, what));
        };
        let pattern_at = arguments[0].span.start;
        let regex = Regex::new(name, &pattern, &flags);
        let regex = regex.map_err(|what| self.unknown_name(pattern_at, what))?;
        let by = (!is_test).then(|| Box::new(arguments.remove(1)));
        Ok(Term::Regex(Box::new(regex), by))
    }

    fn no_function(&self, start: usize, name: &str, count: usize) -> Stop {
        let counts: Vec<String> = functions::counts(name)
            .into_iter()
            .map(|count| count.to_string())
            .collect();
        if !counts.is_empty() {
            let what = format!(
                "`{name}` takes {} arguments, not {count}; they are divided by `;`",
                counts.join(" or ")
            );
            return self.wrong(start, what);
        }
        if functions::WHOLE.contains(&name) {
            return self.beyond(
                start,
                format!("`{name}` is more of jq than the part that is known to end"),
            );
        }
        self.unknown(start, name, functions::NAMES)
    }
}
