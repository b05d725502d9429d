use std::sync::LazyLock;

use regex_lite::Regex;

/// The longest template.
const SOURCE_BYTES_MAX: usize = 8 << 10;
/// The longest text that may come about on the way.
const TEXT_BYTES_MAX: f64 = (16 << 20) as f64;

/// How many bytes a payload may have so that a template cannot use much memory, or why it may not
/// be used at all.
///
/// Texts only grow by operators, since filters are ours: by `~` and `+` with each variable that is
/// set, and by `*`, which repeats. What stands in quotes counts, too: that is too careful, but
/// simple. Loops must not set what grows, and nothing may catch what a loop says.
pub(super) fn check(source: &str) -> Result<usize, String> {
    if SOURCE_BYTES_MAX < source.len() {
        return Err(format!("has {} bytes; too many", source.len()));
    }
    let tags: Vec<&str> = TAG
        .captures_iter(source)
        .filter_map(|tag| Some(tag.get(1)?.as_str()))
        .collect();
    if let Some(tag) = tags.iter().find(|tag| !TAGS.contains(tag)) {
        return Err(format!("has {{% {tag} %}}, which is not known here"));
    }
    let sets = tags.iter().filter(|tag| **tag == "set").count();
    if SET.find_iter(source).count() < sets {
        return Err("sets a variable without `=`".to_owned());
    }
    let sums = source.matches(['~', '+']).count();
    if 0 < sums && 0 < sets && tags.contains(&"for") {
        return Err("puts texts together, and has a loop and variables".to_owned());
    }
    // The most that `sums` can do with `sets` variables: each doubles, or more, the one before.
    let (sets, sums) = ((1 + sets) as f64, sums as f64);
    let growth = (1.0 + sums / sets).powf(sets) * factor(source)?;
    if TEXT_BYTES_MAX < growth * source.len() as f64 {
        return Err("could grow too long".to_owned());
    }
    Ok((TEXT_BYTES_MAX / growth) as usize)
}

const TAGS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "set"];

static TAG: LazyLock<Regex> = LazyLock::new(|| regex(r"\{%[-+]?\s*(\w*)"));
static SET: LazyLock<Regex> = LazyLock::new(|| regex(r"\{%[-+]?\s*set\s+\w+\s*="));
/// A number, and nothing that makes another of it.
static NUMBER_AFTER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*(\d+(?:\.\d+)?)(?:\s*\|\s*(?:round|int|float|abs)\b|\s*[^\w\s.|(\[*]|\s+(?:if|else|and|or)\b)",
    )
});
/// The same, and nothing that takes it away from what follows.
static NUMBER_BEFORE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:^|[^\w.\])*/%\s])\s*(\d+(?:\.\d+)?)\s*$"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is well-formed")
}

/// What values are multiplied with, all in all.
fn factor(source: &str) -> Result<f64, String> {
    let mut factor = 1.0_f64;
    for (at, _) in source.match_indices('*') {
        let (before, after) = (&source[..at], &source[at + 1..]);
        // `.*` is a part of a regular expression.
        if before.ends_with('.') {
            continue;
        }
        let number = NUMBER_AFTER
            .captures(after)
            .or_else(|| NUMBER_BEFORE.captures(before));
        let number = number.and_then(|number| number.get(1)?.as_str().parse::<f64>().ok());
        factor *= number
            .ok_or("multiplies with what is not a number written out")?
            .max(1.0);
    }
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_that(source: &str, is_allowed: bool) {
        assert_eq!(
            check(source).is_ok(),
            is_allowed,
            "{source}: {:?}",
            check(source)
        );
    }

    #[test]
    fn what_devices_compute_is_let_through() {
        check_that("{{ (value_json.t * 1.8 + 32) | round(1) }}", true);
        check_that("{{ 1000 * value_json.t }}", true);
        check_that("{{ value * 100 | round(1) }}", true);
        check_that(
            "{% set t = value_json.t %}{% if t %}{{ t ~ ' s' }}{% endif %}",
            true,
        );
        check_that(
            r#"{"state": "ON", "brightness": {{ value * 100 }}, "x": 1}"#,
            true,
        );
        check_that("{{ value | regex_replace('(.*)a', '') }}", true);
    }

    #[test]
    fn what_can_grow_is_not() {
        check_that(&"{% set a = a ~ a %}".repeat(30), false);
        check_that(
            "{% for i in range(99) %}{% set a = a ~ a %}{% endfor %}",
            false,
        );
        check_that(
            "{% set a %}{% for i in range(9999) %}xx{% endfor %}{% endset %}",
            false,
        );
        check_that("{% set a | upper %}x{% endset %}", false);
        check_that("{{ 'x' * 99999999 }}", false);
        check_that("{{ value * value_json.n }}", false);
        check_that("{{ value * 10 ** 9 }}", false);
        check_that("{{ value * a9 }}", false);
        check_that("{{ value * 1e9 }}", false);
        check_that("{{ value * 3 | multiply(999999999) }}", false);
        check_that("{{ value_json.a * 3 * value_json.b }}", false);
        check_that("{{ value_json.a / 3 * value_json.b }}", false);
        check_that("{{ 'x' * 1000 * 1000 * 1000 }}", false);
        check_that("{% filter upper %}x{% endfilter %}", false);
    }
}
