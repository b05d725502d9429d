//! How endpoints are reached: addresses, authentication, documents elsewhere.

use serde_json::{Map, Value};

use super::{
    Word,
    fields::Fields,
    reader::Reader,
    template::{Expr, Template},
};
use crate::{
    expr::enclosed,
    yaml::{Node, What},
};

/// Where something is reached.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its address: a URI template (RFC 6570) or an expression.
    pub uri: Template,
    /// How to say who asks.
    pub authentication: Option<Authentication>,
}

/// A document somewhere else.
#[derive(Clone, Debug)]
pub struct Resource {
    /// What it is called.
    pub name: Option<String>,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// How to say who asks.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// As `use.authentications` says under this name.
    Use(Word),
    /// By a secret of the hub, in this scheme.
    Secret(Scheme, Word),
    /// User name and password (RFC 7617), or the same by digest (RFC 7616).
    Password {
        /// `basic` or `digest`.
        scheme: Scheme,
        /// The user name.
        username: Template,
        /// The password.
        password: Template,
    },
    /// A token (RFC 6750).
    Bearer(Template),
    /// A token that is asked for first (RFC 6749), `oauth2` or `oidc`.
    OAuth2(Scheme, Box<OAuth2>),
}

/// Schemes of authentication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// RFC 7617.
    Basic,
    /// RFC 6750.
    Bearer,
    /// RFC 7616.
    Digest,
    /// RFC 6749.
    OAuth2,
    /// OpenID Connect 1.0.
    Oidc,
}

/// How a token is asked for.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    /// Of whom.
    pub authority: Template,
    /// By which grant.
    pub grant: &'static str,
    /// All else, as it was written: client, request, issuers, scopes, audiences, user, tokens.
    pub rest: Map<String, Value>,
}

const SCHEMES: [(&str, Scheme); 5] = [
    ("basic", Scheme::Basic),
    ("bearer", Scheme::Bearer),
    ("digest", Scheme::Digest),
    ("oauth2", Scheme::OAuth2),
    ("oidc", Scheme::Oidc),
];

const GRANTS: [&str; 5] = [
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

/// Reads an endpoint: an expression, a URI, or an object that has one.
pub(super) fn endpoint(reader: &mut Reader, node: &Node) -> Option<Endpoint> {
    match &node.what {
        What::Map(_) => {
            let mut fields = reader.object(node, "an endpoint")?;
            let uri = fields
                .need(reader, "uri")
                .and_then(|node| uri(reader, node));
            let authentication = fields.take("authentication");
            let authentication = authentication.and_then(|node| authenticate(reader, node));
            fields.end(reader);
            Some(Endpoint {
                uri: uri?,
                authentication,
            })
        }
        _ => Some(Endpoint {
            uri: uri(reader, node)?,
            authentication: None,
        }),
    }
}

/// Reads an address: a URI template or an expression.
pub(super) fn uri(reader: &mut Reader, node: &Node) -> Option<Template> {
    let text = &reader.text(node)?.text;
    if enclosed(text).is_some() {
        return reader.enclosed(node).map(Template::Expr);
    }
    if text.is_empty() || text.contains(char::is_whitespace) || text.trim_start().starts_with("${")
    {
        let what = format!(
            "`{text}` is no URI; write one like 'https://example.org/a', or an expression in '${{ … }}'"
        );
        reader.wrong(node.place, what);
        return None;
    }
    Some(Template::Fixed(text.clone().into()))
}

pub(super) fn resource(reader: &mut Reader, node: &Node) -> Option<Resource> {
    let mut fields = reader.object(node, "a resource")?;
    let name = fields.take("name").and_then(|node| reader.string(node));
    let there = fields.need(reader, "endpoint");
    let there = there.and_then(|node| endpoint(reader, node));
    fields.end(reader);
    Some(Resource {
        name,
        endpoint: there?,
    })
}

/// Reads how to say who asks, or under which name that is defined.
pub(super) fn authenticate(reader: &mut Reader, node: &Node) -> Option<Authentication> {
    let fields = reader.object(node, "authentication")?;
    if fields.map().get("use").is_some() {
        let mut fields = fields;
        let named = fields.take("use").and_then(|node| name(reader, node));
        fields.end(reader);
        return named.map(Authentication::Use);
    }
    policy(reader, node)
}

/// Reads how to say who asks.
pub(super) fn policy(reader: &mut Reader, node: &Node) -> Option<Authentication> {
    let mut fields = reader.object(node, "authentication")?;
    let said: Vec<_> = SCHEMES
        .into_iter()
        .filter_map(|(word, scheme)| Some((word, scheme, fields.take(word)?)))
        .collect();
    let place = fields.place;
    fields.end(reader);
    let [(word, scheme, node)] = said[..] else {
        let what = "authentication is exactly one of `basic`, `bearer`, `digest`, `oauth2`, `oidc`";
        reader.wrong(place, what);
        return None;
    };
    let mut fields = reader.object(node, &format!("`{word}`"))?;
    if fields.map().get("use").is_some() {
        let named = fields.take("use").and_then(|node| name(reader, node));
        fields.end(reader);
        return named.map(|name| Authentication::Secret(scheme, name));
    }
    match scheme {
        Scheme::Basic | Scheme::Digest => {
            let username = template(reader, &mut fields, "username");
            let password = template(reader, &mut fields, "password");
            fields.end(reader);
            Some(Authentication::Password {
                scheme,
                username: username?,
                password: password?,
            })
        }
        Scheme::Bearer => {
            let token = template(reader, &mut fields, "token");
            fields.end(reader);
            token.map(Authentication::Bearer)
        }
        Scheme::OAuth2 | Scheme::Oidc => oauth2(reader, fields, scheme),
    }
}

fn oauth2(reader: &mut Reader, mut fields: Fields<'_>, scheme: Scheme) -> Option<Authentication> {
    let authority = fields.need(reader, "authority");
    let authority = authority.and_then(|node| {
        if reader
            .text(node)
            .is_some_and(|text| enclosed(&text.text).is_some())
        {
            reader.wrong(node.place, "the authority is a URI, and no expression");
            return None;
        }
        uri(reader, node)
    });
    let grant = fields.need(reader, "grant");
    let grant = grant.and_then(|node| reader.one_of(node, &GRANTS));
    for name in ["username", "password"] {
        fields.take(name).and_then(|node| reader.text(node));
    }
    for name in ["issuers", "scopes", "audiences"] {
        fields.take(name).and_then(|node| reader.strings(node));
    }
    if let Some(node) = fields.take("client") {
        strings(
            reader,
            node,
            "`client`",
            &["id", "secret", "assertion"],
            &[(
                "authentication",
                &[
                    "client_secret_basic",
                    "client_secret_post",
                    "client_secret_jwt",
                    "private_key_jwt",
                    "none",
                ],
            )],
        );
    }
    for name in ["subject", "actor"] {
        if let Some(node) = fields.take(name) {
            let mut fields = reader.object(node, &format!("`{name}`"))?;
            for name in ["token", "type"] {
                fields.need(reader, name).and_then(|node| reader.text(node));
            }
            fields.end(reader);
        }
    }
    if let Some(node) = fields.take("request") {
        let mut fields = reader.object(node, "`request`")?;
        let encodings = ["application/x-www-form-urlencoded", "application/json"];
        fields
            .take("encoding")
            .and_then(|node| reader.one_of(node, &encodings));
    }
    if scheme == Scheme::OAuth2
        && let Some(node) = fields.take("endpoints")
    {
        let mut fields = reader.object(node, "`endpoints`")?;
        for name in ["token", "revocation", "introspection"] {
            fields.take(name).and_then(|node| reader.text(node));
        }
    }
    let rest = fields.map().to_json();
    fields.end(reader);
    Some(Authentication::OAuth2(
        scheme,
        Box::new(OAuth2 {
            authority: authority?,
            grant: grant?,
            rest,
        }),
    ))
}

/// An object of texts, some of which are one of few words.
fn strings(
    reader: &mut Reader,
    node: &Node,
    what: &str,
    names: &[&'static str],
    words: &[(&'static str, &[&'static str])],
) {
    let Some(mut fields) = reader.object(node, what) else {
        return;
    };
    for name in names {
        fields.take(name).and_then(|node| reader.text(node));
    }
    for (name, words) in words {
        fields
            .take(name)
            .and_then(|node| reader.one_of(node, words));
    }
    fields.end(reader);
}

fn template(reader: &mut Reader, fields: &mut Fields<'_>, name: &'static str) -> Option<Template> {
    let node = fields.need(reader, name)?;
    reader.text(node)?;
    reader.template(node)
}

/// A name under which something is defined.
fn name(reader: &mut Reader, node: &Node) -> Option<Word> {
    let word = reader.word(node)?;
    if word.text.is_empty() {
        reader.wrong(word.place, "a name is expected here; this is empty");
        return None;
    }
    Some(word)
}

/// A header or query: texts by name, or an expression that gives them.
#[derive(Clone, Debug)]
pub enum Pairs {
    /// By name.
    Each(Vec<(String, Template)>),
    /// All at once.
    Expr(Expr),
}

pub(super) fn pairs(reader: &mut Reader, node: &Node) -> Option<Pairs> {
    match node.what {
        What::Map(_) => reader.string_map(node).map(Pairs::Each),
        _ => reader.enclosed(node).map(Pairs::Expr),
    }
}
