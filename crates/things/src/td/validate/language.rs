use serde_json::Value;

use super::{forms::affordances, members};
use crate::td::problem::Problem;

/// The names in texts of several languages are language tags [TD 1.1, section 5.3.1.7].
pub(super) fn check(document: &Value, problems: &mut Vec<Problem>) {
    for (field, texts) in texts(document) {
        for (tag, _) in texts.as_object().into_iter().flatten() {
            if !is_tag(tag) {
                let says = "is no language tag; it must be one of BCP 47, such as `en` or `de-CH`";
                problems.push(Problem::new(format!("{field}.{tag}"), says));
            }
        }
    }
}

/// All `titles` and `descriptions` of the thing and its affordances, each with its field.
pub(super) fn texts(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    holders(document).flat_map(|(prefix, holder)| {
        ["titles", "descriptions"]
            .into_iter()
            .filter_map(move |name| {
                let texts = holder.get(name)?;
                Some((format!("{prefix}{name}"), texts))
            })
    })
}

/// The thing and its affordances, each with what stands before the field of a member.
pub(super) fn holders(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let affordances = affordances(document).map(|(field, value)| (format!("{field}."), value));
    let schemes = members(document, "securityDefinitions");
    let schemes = schemes.map(|(name, value)| (format!("securityDefinitions.{name}."), value));
    std::iter::once((String::new(), document))
        .chain(affordances)
        .chain(schemes)
}

/// Tags that are older than their grammar and end in what it does not allow [RFC 5646 section 2.1].
const IRREGULAR: [&str; 17] = [
    "en-gb-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-be-fr",
    "sgn-be-nl",
    "sgn-ch-de",
];

/// Whether a text is well-formed as a language tag [BCP 47, RFC 5646 section 2.1].
fn is_tag(text: &str) -> bool {
    let tag = text.to_ascii_lowercase();
    if IRREGULAR.contains(&tag.as_str()) {
        return true;
    }
    let is_subtag = |subtag: &str| {
        matches!(subtag.len(), 1..=8) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !tag.split('-').all(is_subtag) {
        return false;
    }
    let mut subtags = tag.split('-').peekable();
    let language = subtags.next().unwrap_or_default();
    if language == "x" {
        return subtags.peek().is_some();
    }
    if !is_alphabetic(language, 2..=8) {
        return false;
    }
    for _ in 0..3 {
        subtags.next_if(|subtag| language.len() < 4 && is_alphabetic(subtag, 3..=3));
    }
    subtags.next_if(|script| is_alphabetic(script, 4..=4));
    subtags.next_if(|region| is_alphabetic(region, 2..=2) || is_numeric(region));
    while subtags.next_if(|variant| is_variant(variant)).is_some() {}
    // Extensions are a letter or digit and what belongs to it; `x` begins what is private.
    let mut rest: Vec<&str> = subtags.collect();
    if let Some(at) = rest.iter().position(|&subtag| subtag == "x") {
        if at + 1 == rest.len() {
            return false;
        }
        rest.truncate(at);
    }
    rest.first().is_none_or(|first| first.len() == 1)
        && rest.last().is_none_or(|last| last.len() > 1)
        && rest
            .windows(2)
            .all(|pair| pair[0].len() > 1 || pair[1].len() > 1)
}

fn is_alphabetic(subtag: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_numeric(subtag: &str) -> bool {
    subtag.len() == 3 && subtag.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_variant(subtag: &str) -> bool {
    subtag.len() >= 5 || subtag.len() == 4 && subtag.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_of_rfc_5646_appendix_a() {
        let tags = [
            "de",
            "fr",
            "ja",
            "i-enochian",
            "zh-Hant",
            "zh-Hans",
            "sr-Cyrl",
            "zh-cmn-Hans-CN",
            "cmn-Hans-CN",
            "zh-yue-HK",
            "sr-Latn-RS",
            "sl-rozaj",
            "sl-rozaj-biske",
            "sl-nedis",
            "de-CH-1901",
            "sl-IT-nedis",
            "hy-Latn-IT-arevela",
            "de-DE",
            "en-US",
            "es-419",
            "de-CH-x-phonebk",
            "az-Arab-x-AZE-derbend",
            "x-whatever",
            "qaa-Qaaa-QM-x-southern",
            "en-US-u-islamcal",
            "zh-CN-a-myext-x-private",
            "en-a-myext-b-another",
            "zh-min-nan",
            "art-lojban",
            "en-GB-oed",
        ];
        for tag in tags {
            assert!(is_tag(tag), "{tag}");
        }
        let others = [
            "",
            "e",
            "english language",
            "de_CH",
            "a-DE",
            "de-419-DE",
            "en-",
            "en--US",
            "x",
            "en-x",
            "en-u",
            "en-a-b-cc",
            "ar-a",
            "en-12",
            "überlang",
            "en-toolongsubtag",
        ];
        for text in others {
            assert!(!is_tag(text), "{text}");
        }
    }
}
