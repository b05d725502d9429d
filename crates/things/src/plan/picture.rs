//! What bytes are a picture of: found out by the bytes, whatever they are said to be. The pixels are the browser's
//! to read; what is looked at is what it is, how large, and whether it was cut off.

/// How many pixels a side may have: more fills the memory of whoever looks.
const SIDE_MAX: u32 = 8192;
/// How much of a drawing is looked at to find where it begins.
const PROLOGUE_BYTES_MAX: usize = 64 << 10;
/// An SVG has no pixels: its longer side counts as so many at least.
const DRAWN_SIDE: f64 = 1000.0;

/// What a picture is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Portable Network Graphics (ISO/IEC 15948).
    Png,
    /// JFIF or Exif (ISO/IEC 10918-1).
    Jpeg,
    /// WebP (RFC 9649).
    WebP,
    /// Scalable Vector Graphics (W3C).
    Svg,
}

impl Format {
    /// What it is called in `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// What is known of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    /// What it is written as.
    pub format: Format,
    /// How wide, in pixels as they are stored.
    pub width: u32,
    /// How high.
    pub height: u32,
}

/// Why bytes are no picture that can be shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAPicture {
    /// They are nothing, or something else.
    #[error("what was sent is {0}; a floor plan must be a PNG, JPEG, WebP or SVG file")]
    Other(&'static str),
    /// They are the beginning of one.
    #[error("the {0} file is cut off or broken: {1}; send the whole file")]
    Broken(&'static str, &'static str),
    /// A drawing that could be of any size.
    #[error(
        "the drawing does not say how large it is; its <svg> must have a viewBox, or a width and a height"
    )]
    NoSize,
    /// Nobody could look at it.
    #[error("the picture has {0} × {1} pixels; each side must have 1 to {SIDE_MAX}")]
    Size(u32, u32),
}

impl Picture {
    /// Looks what bytes are a picture of.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAPicture> {
        let (format, size) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            (Format::Png, size_of_png(bytes)?)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            (Format::Jpeg, size_of_jpeg(bytes)?)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            (Format::WebP, size_of_webp(bytes)?)
        } else if let Some(root) = root_of_svg(bytes) {
            let (width, height) = size_of_svg(root).ok_or(NotAPicture::NoSize)?;
            return Ok(Self {
                format: Format::Svg,
                width,
                height,
            });
        } else {
            return Err(NotAPicture::Other(looks_like(bytes)));
        };
        let (width, height) = size;
        if ![width, height]
            .iter()
            .all(|side| (1..=SIDE_MAX).contains(side))
        {
            return Err(NotAPicture::Size(width, height));
        }
        Ok(Self {
            format,
            width,
            height,
        })
    }
}

/// What somebody may have taken for a picture.
fn looks_like(bytes: &[u8]) -> &'static str {
    let starts = |with: &[u8]| bytes.starts_with(with);
    let brand = bytes.get(4..12).unwrap_or_default();
    match () {
        () if bytes.is_empty() => "empty",
        () if starts(b"%PDF") => "a PDF document",
        () if starts(b"GIF8") => "a GIF picture",
        () if starts(b"BM") => "a BMP picture",
        () if starts(b"II*\0") || starts(b"MM\0*") => "a TIFF picture",
        () if brand.starts_with(b"ftypavif") => "an AVIF picture",
        () if brand.starts_with(b"ftyphei") || brand.starts_with(b"ftypmif") => "a HEIC picture",
        () if starts(b"AC10") => "a DWG drawing",
        () if starts(b"PK\x03\x04") || starts(b"\x1f\x8b") => "a compressed file",
        () if starts(b"{") || starts(b"[") => "JSON",
        () => "of no kind that is known here",
    }
}

type Size = (u32, u32);

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// PNG: chunks of a length, a name, that many bytes and a sum, from IHDR to IEND.
fn size_of_png(bytes: &[u8]) -> Result<Size, NotAPicture> {
    let broken = |what| NotAPicture::Broken("PNG", what);
    let mut at = 8;
    let mut size = None;
    loop {
        let cut = || broken("its last part is missing");
        let length = u32_at(bytes, at).ok_or_else(cut)? as usize;
        let end = at.saturating_add(length).saturating_add(12);
        if bytes.len() < end {
            return Err(cut());
        }
        let name = bytes.get(at + 4..at + 8);
        match name {
            Some(b"IHDR") => size = u32_at(bytes, at + 8).zip(u32_at(bytes, at + 12)),
            Some(b"IEND") => return size.ok_or_else(|| broken("it does not say how large it is")),
            _ => {}
        }
        at = end;
    }
}

/// JPEG: segments of a marker and a length until the scan begins, which goes on to the end.
fn size_of_jpeg(bytes: &[u8]) -> Result<Size, NotAPicture> {
    let broken = |what| NotAPicture::Broken("JPEG", what);
    let cut = || broken("its last part is missing");
    let u16_at = |at: usize| {
        let two = bytes.get(at..at + 2)?;
        Some(u16::from_be_bytes(two.try_into().ok()?))
    };
    let mut at = 2;
    let mut size = None;
    loop {
        if bytes.get(at) != Some(&0xFF) {
            return Err(cut());
        }
        let marker = *bytes.get(at + 1).ok_or_else(cut)?;
        match marker {
            0xFF => {
                at += 1; // Filling.
                continue;
            }
            // A frame, and not a table that is numbered like one.
            0xC0..=0xCF if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                let (height, width) = u16_at(at + 5).zip(u16_at(at + 7)).ok_or_else(cut)?;
                size = Some((width.into(), height.into()));
            }
            0xDA => break,
            _ => {}
        }
        at += 2 + usize::from(u16_at(at + 2).ok_or_else(cut)?);
    }
    if !bytes[at..].windows(2).any(|two| two == [0xFF, 0xD9]) {
        return Err(cut());
    }
    size.ok_or_else(|| broken("it does not say how large it is"))
}

/// WebP: a RIFF file whose first chunk says how large the picture is (RFC 9649, section 2).
fn size_of_webp(bytes: &[u8]) -> Result<Size, NotAPicture> {
    let broken = |what| NotAPicture::Broken("WebP", what);
    let little = |at: usize, length: usize| {
        let some = bytes.get(at..at + length)?;
        Some(
            some.iter()
                .rev()
                .fold(0, |sum, &byte| sum << 8 | u32::from(byte)),
        )
    };
    let length = little(4, 4).unwrap_or_default() as usize;
    if bytes.len() < length.saturating_add(8) {
        return Err(broken("its last part is missing"));
    }
    let size = match bytes.get(12..16) {
        Some(b"VP8 ") if bytes.get(23..26) == Some(b"\x9d\x01\x2a") => little(26, 2)
            .zip(little(28, 2))
            .map(|(width, height)| (width & 0x3FFF, height & 0x3FFF)),
        Some(b"VP8L") if bytes.get(20) == Some(&0x2F) => {
            little(21, 4).map(|bits| ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        Some(b"VP8X") => little(24, 3)
            .zip(little(27, 3))
            .map(|(width, height)| (width + 1, height + 1)),
        _ => None,
    };
    size.ok_or_else(|| broken("it does not say how large it is"))
}

/// What stands in the tag `<svg …>` if a document begins with it: behind what may stand before a root (XML 1.0,
/// section 2.8).
fn root_of_svg(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        if text.len() - rest.len() > PROLOGUE_BYTES_MAX {
            return None;
        }
        let end = if rest.starts_with("<?") {
            rest.find("?>")? + 2
        } else if rest.starts_with("<!--") {
            rest.find("-->")? + 3
        } else if rest.starts_with("<!DOCTYPE") {
            match (rest.find('['), rest.find('>')?) {
                (Some(subset), end) if subset < end => {
                    let close = subset + rest[subset..].find(']')?;
                    close + rest[close..].find('>')? + 1
                }
                (_, end) => end + 1,
            }
        } else {
            break;
        };
        rest = rest[end..].trim_start();
    }
    let inside = rest.strip_prefix("<svg").or_else(|| {
        let (_, local) = rest.strip_prefix('<')?.split_once(':')?; // With a prefix of its namespace.
        local.strip_prefix("svg")
    })?;
    let tag = &inside[..inside.find('>')?];
    let is_named_so = tag.is_empty() || tag.starts_with(|c: char| c.is_whitespace() || c == '/');
    // It is drawn only if it is whole, and says that it is one.
    let closing = text.rfind("</").map(|at| &text[at + 2..]);
    let closed = closing.and_then(|closing| closing.split_once('>'));
    let is_whole =
        tag.ends_with('/') || closed.is_some_and(|(name, _)| name.trim_end().ends_with("svg"));
    (is_named_so && is_whole && tag.contains("http://www.w3.org/2000/svg")).then_some(tag)
}

fn size_of_svg(tag: &str) -> Option<Size> {
    let sides = [attribute(tag, "width"), attribute(tag, "height")];
    let sides = sides.map(|side| side.and_then(length));
    let (width, height) = match sides {
        [Some(width), Some(height)] => (width, height),
        _ => {
            let numbers: Vec<f64> = attribute(tag, "viewBox")?
                .split([' ', ',', '\n', '\t', '\r'])
                .filter(|part| !part.is_empty())
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            match numbers[..] {
                [_, _, width, height] => (width, height),
                _ => return None,
            }
        }
    };
    let longer = width.max(height);
    let is_size = |side: f64| side.is_finite() && 0.0 < side;
    if !is_size(width) || !is_size(height) {
        return None;
    }
    let scale = (DRAWN_SIDE / longer).max(1.0);
    let side = |side: f64| {
        let side = (side * scale).round();
        (1.0..=1e6).contains(&side).then_some(side as u32)
    };
    side(width).zip(side(height))
}

/// The value of an attribute of a tag.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let (before, behind) = (&rest[..at], &rest[at + name.len()..]);
        let value = behind.trim_start().strip_prefix('=').map(str::trim_start);
        let quote = value.and_then(|value| value.chars().next());
        match (value, quote) {
            (Some(value), Some(quote @ ('"' | '\''))) if before.ends_with(char::is_whitespace) => {
                return value[1..].split(quote).next();
            }
            _ => rest = behind,
        }
    }
}

/// A length in pixels (CSS Values 4, section 6.2); none of what depends on where it is shown.
fn length(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit_at = text
        .find(|c: char| c.is_ascii_alphabetic() && c != 'e' || c == '%')
        .unwrap_or(text.len());
    let number: f64 = text[..unit_at].trim().parse().ok()?;
    let pixels = match &text[unit_at..] {
        "" | "px" => 1.0,
        "in" => 96.0,
        "cm" => 96.0 / 2.54,
        "mm" => 96.0 / 25.4,
        "Q" => 96.0 / 101.6,
        "pt" => 96.0 / 72.0,
        "pc" => 16.0,
        _ => return None,
    };
    Some(number * pixels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |name: &[u8], data: &[u8]| {
            bytes.extend((data.len() as u32).to_be_bytes());
            bytes.extend([name, data, &[0; 4]].concat());
        };
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        chunk(b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
        chunk(b"IDAT", &[1, 2, 3]);
        chunk(b"IEND", &[]);
        bytes
    }

    /// A table, the frame, and a scan.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xdb\x00\x04\x00\x00\xff\xff\xc2\x00\x0b\x08".to_vec();
        bytes.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
        bytes.extend(b"\x01\x01\x11\x00\xff\xda\x00\x02\x12\x34\xff\xd9");
        bytes
    }

    fn webp(chunk: &[u8]) -> Vec<u8> {
        let length = (4 + chunk.len()) as u32;
        [b"RIFF", &length.to_le_bytes()[..], b"WEBP", chunk].concat()
    }

    fn svg(attributes: &str) -> Vec<u8> {
        format!("\u{feff}<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C\" [<!ENTITY a \"b>\">]>\n<!-- a > b -->\n<svg xmlns=\"http://www.w3.org/2000/svg\" {attributes}><rect/></svg>\n").into_bytes()
    }

    #[track_caller]
    fn check(bytes: &[u8], format: Format, size: Size) {
        let (width, height) = size;
        let expected = Picture {
            format,
            width,
            height,
        };
        assert_eq!(Picture::read(bytes), Ok(expected));
    }

    #[test]
    fn a_picture_is_known_by_its_bytes_and_says_how_large_it_is() {
        check(&png(640, 480), Format::Png, (640, 480));
        check(&jpeg(4000, 3000), Format::Jpeg, (4000, 3000));
        let lossy = b"VP8 \x0a\0\0\0\x30\x01\0\x9d\x01\x2a\x90\x01\x2c\x81";
        check(&webp(lossy), Format::WebP, (400, 300));
        let lossless = b"VP8L\x05\0\0\0\x2f\x8f\xc1\x4a\0";
        check(&webp(lossless), Format::WebP, (400, 300));
        let extended = b"VP8X\x0a\0\0\0\0\0\0\0\x8f\x01\0\x2b\x01\0";
        check(&webp(extended), Format::WebP, (400, 300));
        check(&svg("viewBox='0 0 1.2 0.8'"), Format::Svg, (1000, 667));
        check(
            &svg("stroke-width=\"9\" width=\"297mm\" height = '210mm'"),
            Format::Svg,
            (1123, 794),
        );
        let relative = svg("width=\"100%\" height=\"100%\" viewBox=\"0,0 2000,1500\"");
        check(&relative, Format::Svg, (2000, 1500));
    }

    #[test]
    fn what_is_cut_off_is_no_picture() {
        let lossy = webp(b"VP8 \x0a\0\0\0\x30\x01\0\x9d\x01\x2a\x90\x01\x2c\x81");
        for whole in [png(640, 480), jpeg(40, 30), lossy, svg("viewBox='0 0 4 3'")] {
            Picture::read(&whole).unwrap();
            for end in 0..whole.len() - 2 {
                assert!(Picture::read(&whole[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn what_is_something_else_is_told_so() {
        let said = |bytes: &[u8]| Picture::read(bytes).unwrap_err().to_string();
        assert!(said(b"%PDF-1.7").contains("is a PDF document"));
        assert!(said(b"\0\0\0\x18ftypheic").contains("is a HEIC picture"));
        assert!(said(b"").contains("is empty"));
        assert!(said(b"<html><svg></svg></html>").contains("of no kind that is known here"));
        assert!(said(b"<svgx xmlns='http://www.w3.org/2000/svg'></svgx>").contains("of no kind"));
        assert!(said(&svg("width=\"100%\"")).contains("viewBox"));
        assert!(said(&svg("viewBox='0 0 0 3'")).contains("viewBox"));
        assert!(said(&png(30_000, 2)).contains("30000 × 2 pixels"));
        assert!(said(&png(0, 2)).contains("0 × 2 pixels"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_picture_or_told_why_not(
            of in 0_usize..5, more in prop::collection::vec(any::<u8>(), 0..200), text in "[<>!\\[\\]?a-z =\"':/%0-9-]{0,80}",
        ) {
            let beginnings: [&[u8]; 5] = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBPVP8", b"<!DOCTYPE"];
            for rest in [&more[..], text.as_bytes()] {
                if let Ok(picture) = Picture::read(&[beginnings[of], rest].concat()) {
                    prop_assert!(picture.width > 0 && picture.height > 0);
                }
            }
            let tag = format!("<svg xmlns='http://www.w3.org/2000/svg' {text}/>");
            if let Ok(picture) = Picture::read(tag.as_bytes()) {
                prop_assert!(picture.width > 0 && picture.height > 0);
            }
        }
    }
}
