//! What somebody looks with, and what is to be done there.

/// A kind of device, or a browser that decides for itself whom it trusts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Platform {
    IPhone,
    Android,
    Windows,
    Mac,
    Firefox,
    Linux,
    Programs,
}

/// How a platform is told to trust the hub.
pub(super) struct Howto {
    pub(super) platform: Platform,
    pub(super) name: &'static str,
    /// HTML with the places `title` and `commands`.
    pub(super) steps: &'static str,
}

/// All of them, as they stand on the page.
pub(super) const HOWTOS: [Howto; 7] = [
    howto(
        Platform::IPhone,
        "iPhone and iPad",
        include_str!("iphone.html"),
    ),
    howto(Platform::Android, "Android", include_str!("android.html")),
    howto(Platform::Windows, "Windows", include_str!("windows.html")),
    howto(Platform::Mac, "Mac", include_str!("mac.html")),
    howto(
        Platform::Firefox,
        "Firefox on a computer",
        include_str!("firefox.html"),
    ),
    howto(Platform::Linux, "Linux", include_str!("linux.html")),
    howto(
        Platform::Programs,
        "Programs",
        include_str!("programs.html"),
    ),
];

const fn howto(platform: Platform, name: &'static str, steps: &'static str) -> Howto {
    Howto {
        platform,
        name,
        steps,
    }
}

impl Platform {
    /// As a browser says it (`User-Agent`). What says nothing known is a program.
    pub(super) fn of(agent: &str) -> Self {
        let has = |word| agent.contains(word);
        match () {
            // Others than Safari call themselves so there, too, and trust whom the device trusts.
            () if has("iPhone") || has("iPad") => Self::IPhone,
            () if has("Android") => Self::Android,
            () if has("Firefox/") => Self::Firefox,
            () if has("Windows") => Self::Windows,
            () if has("Macintosh") => Self::Mac,
            () if has("Linux") || has("CrOS") => Self::Linux,
            () => Self::Programs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(agent: &str, expected: Platform) {
        assert_eq!(Platform::of(agent), expected, "{agent}");
    }

    #[test]
    fn a_browser_says_where_it_runs() {
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            Platform::IPhone,
        );
        check(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
            Platform::Android,
        );
        check(
            "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
            Platform::Android,
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0",
            Platform::Windows,
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
            Platform::Firefox,
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            Platform::Mac,
        );
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            Platform::Linux,
        );
        check("curl/8.14.1", Platform::Programs);
        check("", Platform::Programs);
    }
}
