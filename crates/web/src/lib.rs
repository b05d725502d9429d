//! The app in the browser, as it is built in: its files by their paths.
//!
//! What it is made of lies beside this file (Svelte, TypeScript) and is built into `dist`, which is part of the
//! repository, so that building the hub takes no Node. Here nothing is served and nothing is decided about who may see
//! it: the files hold nothing that is anybody's. `file` gives the same for the same path, always.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{LazyLock, OnceLock},
};

use flate2::{Compression, write::GzEncoder};

/// The names that the build wrote, with what is in them.
const BUILT: &[(&str, &[u8])] = include!("../dist/files.rs");

static FILES: LazyLock<BTreeMap<&str, File>> = LazyLock::new(|| {
    let files = BUILT.iter();
    files
        .map(|&(name, bytes)| (name, File::new(name, bytes)))
        .collect()
});

/// A file of the app.
#[derive(Debug)]
pub struct File {
    /// What is in it.
    pub bytes: &'static [u8],
    /// Its media type.
    pub kind: &'static str,
    /// The hash of what is in it, in quotes, as an `ETag` is written (RFC 9110, section 8.8.3).
    pub etag: String,
    packed: OnceLock<Option<Vec<u8>>>,
}

impl File {
    fn new(name: &str, bytes: &'static [u8]) -> Self {
        let hash = blake3::hash(bytes).to_hex();
        Self {
            bytes,
            kind: kind(name),
            etag: format!("\"{}\"", &hash[..32]),
            packed: OnceLock::new(),
        }
    }

    /// The same in gzip (RFC 1952), made once; `None` if that would not be smaller.
    pub fn packed(&self) -> Option<&[u8]> {
        let packed = self.packed.get_or_init(|| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            let packed = packer.write_all(self.bytes).and_then(|()| packer.finish());
            packed.ok().filter(|packed| packed.len() < self.bytes.len())
        });
        packed.as_deref()
    }
}

/// The file at a path below that of the app, such as `assets/index.js`.
pub fn file(path: &str) -> Option<&'static File> {
    FILES.get(path)
}

/// What the browser gets at a path: the file that is there, or else the app itself, which knows its own pages. `None`
/// for files that are not there: a script that is missing is no page.
pub fn page(path: &str) -> Option<&'static File> {
    file(path).or_else(|| {
        let is_page = !path.starts_with("assets/");
        is_page.then(|| file("index.html")).flatten()
    })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn pages_of_the_app_are_the_app_and_missing_scripts_are_missing() {
        let app = file("index.html").expect("there is an app").etag.as_str();
        for path in [
            "",
            "places",
            "things/urn:dev:ops:7",
            "processes/office.wall-switch",
        ] {
            assert_eq!(page(path).map(|file| &*file.etag), Some(app), "{path}");
        }
        assert!(page("assets/nothing.js").is_none());
        assert!(file("places").is_none());
    }

    #[test]
    fn every_file_has_a_media_type_and_packs_to_the_same() {
        for (name, file) in FILES.iter() {
            assert_ne!(file.kind, "application/octet-stream", "{name}");
            if let Some(packed) = file.packed() {
                let mut whole = Vec::new();
                let mut unpacked = flate2::read::GzDecoder::new(packed);
                unpacked.read_to_end(&mut whole).unwrap();
                assert!(whole == file.bytes, "{name}");
            }
        }
    }

    /// The policy of the pages allows no scripts and styles but those in files.
    #[test]
    fn the_page_has_no_script_and_no_style_in_it() {
        let page = String::from_utf8_lossy(file("index.html").unwrap().bytes);
        for script in page.split("<script").skip(1) {
            let (head, rest) = script.split_once('>').unwrap();
            assert!(
                head.contains("src=\"/app/") && rest.starts_with("</script>"),
                "{script}"
            );
        }
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
    }

    /// What is named in the page is there: the app comes up.
    #[test]
    fn what_the_page_names_is_there() {
        let page = String::from_utf8_lossy(file("index.html").unwrap().bytes);
        for name in page.split("\"/app/").skip(1) {
            let (name, _) = name.split_once('"').unwrap();
            assert!(file(name).is_some(), "{name}");
        }
    }
}
