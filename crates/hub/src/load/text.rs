//! Figures as people read them.

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if 0 < i && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds in the unit that suits them.
pub(crate) fn ns(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e4 => format!("{:.2} us", ns / 1e3),
        ..1e6 => format!("{:.0} us", ns / 1e3),
        ..1e7 => format!("{:.2} ms", ns / 1e6),
        ..1e9 => format!("{:.0} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

/// Bytes in the unit that suits them.
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        ..1e4 => format!("{bytes:.0} B"),
        ..1e6 => format!("{:.1} kB", bytes / 1e3),
        ..1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(n), expected);
        }
    }

    #[test]
    fn a_figure_has_the_unit_that_suits_it() {
        assert_eq!(ns(850.0), "850 ns");
        assert_eq!(ns(8_500.0), "8.50 us");
        assert_eq!(ns(850_000.0), "850 us");
        assert_eq!(ns(2_345_678.0), "2.35 ms");
        assert_eq!(ns(3.2e9), "3.20 s");
        assert_eq!(bytes(4_096.0), "4096 B");
        assert_eq!(bytes(9_800_000.0), "9.8 MB");
    }
}
