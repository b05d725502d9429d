//! Texts of others in our messages, and which known word somebody meant.

/// Characters of a foreign text that a message shows.
const SHOWN_MAX: usize = 60;

/// Names longer than this are not compared.
const COMPARED_MAX: usize = 64;

/// A text in quotes, without anything that could steer a terminal, and not too long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// The known word that was likely meant: the nearest by insertions, deletions, changes and
/// swaps, if it is near at all.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let count = word.chars().count();
    if count > COMPARED_MAX {
        return None;
    }
    let near = known
        .into_iter()
        .map(|known| (distance(word, known), known))
        .min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= 1 + count / 4)
        .map(|(_, known)| known)
}

/// Optimal string alignment distance, by the table of Wagner and Fischer.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let change = last[j] + usize::from(a[i] != b[j]);
            let mut least = change.min(last[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_each_slip_once() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("abc", "abd", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["data", "listeners", "lanes", "log"];
        assert_eq!(nearest("listners", known), Some("listeners"));
        assert_eq!(nearest("lane", known), Some("lanes"));
        assert_eq!(nearest("wheelbarrow", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn foreign_text_is_clipped_and_cannot_steer_a_terminal() {
        assert_eq!(quoted("a\u{1b}[2J"), r#""a\u{1b}[2J""#);
        assert!(quoted(&"ä".repeat(1_000)).chars().count() < 70);
    }
}
