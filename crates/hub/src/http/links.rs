//! What there is, in CoRE link format (RFC 6690): where small devices begin to explore.

use axum::{extract::RawQuery, http::header, response::IntoResponse};
use quartet_things::identity;

use super::{Api, problem::Problem};

/// Elements in one answer; more are in the directory.
const ELEMENTS_MAX: usize = 1000;
/// Elements that a filter looks at.
const LOOKED_AT_MAX: usize = 10_000;

/// A link and its attributes.
struct Link {
    href: String,
    attributes: Vec<(&'static str, String)>,
}

/// What there is: the directory and the description of each element.
#[utoipa::path(
    get,
    path = "/.well-known/core",
    params(
        ("rt" = Option<String>, Query, description = "Only what is of this type: `wot.thing`, `wot.directory`"),
        ("href" = Option<String>, Query, description = "Only what is there; any attribute may end in `*`"),
    ),
    responses((status = 200, description = "Links to at most 1000 elements, of the first 10000", content_type = "application/link-format"))
)]
pub(super) async fn core(
    api: Api,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let filters: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let td = || ("ct", "432 50".to_owned());
    let directory = Link {
        href: "/.well-known/wot".to_owned(),
        attributes: vec![("rt", "wot.directory".to_owned()), td()],
    };
    let (ids, _, _) = api.ids(LOOKED_AT_MAX).await?;
    let elements = ids.iter().map(|id| Link {
        href: identity::path_of(id),
        attributes: vec![("rt", "wot.thing".to_owned()), td()],
    });
    let links = std::iter::once(directory).chain(elements);
    let links = links.filter(|link| filters.iter().all(|(name, value)| link.has(name, value)));
    let links: Vec<String> = links
        .take(ELEMENTS_MAX + 1)
        .map(|link| link.print())
        .collect();
    let kind = [(header::CONTENT_TYPE, "application/link-format")];
    Ok((kind, links.join(",")))
}

impl Link {
    /// Whether a filter lets it through (RFC 6690, section 4.1): one of the values of the
    /// attribute is this one, or begins like it.
    fn has(&self, name: &str, value: &str) -> bool {
        let is_it = |found: &str| match value.strip_suffix('*') {
            Some(start) => found.starts_with(start),
            None => found == value,
        };
        if name == "href" {
            return is_it(&self.href);
        }
        let mut attributes = self.attributes.iter().filter(|(known, _)| *known == name);
        attributes.any(|(_, values)| values.split(' ').any(is_it))
    }

    fn print(&self) -> String {
        let attributes = self.attributes.iter();
        let attributes: String = attributes
            .map(|(name, value)| format!(";{name}=\"{value}\""))
            .collect();
        format!("<{}>{attributes}", self.href)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_knows_whole_values_and_how_they_begin() {
        let link = Link {
            href: "/things/urn:a".to_owned(),
            attributes: vec![("rt", "wot.thing x.lamp".to_owned())],
        };
        for (name, value, expected) in [
            ("rt", "wot.thing", true),
            ("rt", "x.*", true),
            ("rt", "wot", false),
            ("href", "/things/*", true),
            ("href", "/things", false),
            ("if", "*", false),
        ] {
            assert_eq!(link.has(name, value), expected, "{name}={value}");
        }
        assert_eq!(link.print(), "</things/urn:a>;rt=\"wot.thing x.lamp\"");
    }
}
