//! The picture of a place's floor plan. Its bytes are kept at a topic of the hub's own, and `plan.image` of the
//! place's description names them: nobody but the hub says that member. What is drawn on it (`plan.areas`) is the
//! description's own business.

mod picture; // what bytes are a picture of

pub use picture::{Format, NotAPicture, Picture};

use bytes::Bytes;
use quartet_model::{Event, Said, Time};
use serde_json::{Value, json};

use crate::{
    registration,
    td::{Document, Invalid},
};

/// Where they are kept: below this, at the place's key.
const FOLDER: &str = "$quartet/plans";
/// How long a picture may be.
pub const BYTES_MAX: usize = 4 << 20;
/// The name under which what is kept carries what `plan.image` says.
pub const IMAGE: &str = "image";

/// The topic at which the picture of a place's plan is kept.
pub fn topic_of(place: &str) -> String {
    format!("{FOLDER}/{place}")
}

/// The place whose picture is kept at a topic.
pub fn place_at(topic: &str) -> Option<&str> {
    let place = topic.strip_prefix(FOLDER)?.strip_prefix('/')?;
    place.starts_with("places/").then_some(place)
}

/// What is kept of a picture, but for what [`image`] says.
pub fn kept(place: &str, bytes: Bytes) -> Said {
    Said::kept(topic_of(place), bytes)
}

/// What is said when there is none any more.
pub fn removed(place: &str) -> Said {
    Said::kept(topic_of(place), "")
}

/// What `plan.image` says of a picture whose content has this hash.
pub fn image(picture: &Picture, hash: &str) -> Value {
    json!({
        "hash": hash,
        "type": picture.format.media_type(),
        "width": picture.width,
        "height": picture.height,
    })
}

/// What a description says as `plan.image`, as JSON.
pub fn image_in(description: &[u8]) -> Option<String> {
    let document = Document::parse(description).ok()?;
    image_of(&document)
}

fn image_of(document: &Document) -> Option<String> {
    let plan = Document::parse(document.get("plan")?).ok()?;
    plan.get(IMAGE).map(str::to_owned)
}

/// What is said when a place has another picture, or none any more; nothing if its description says so already.
pub fn described(before: &Event, image: Option<&str>, now: Time) -> Result<Option<Said>, Invalid> {
    let mut document = Document::parse(&before.payload)?;
    if image_of(&document).as_deref() == image {
        return Ok(None);
    }
    set_image(&mut document, image)?;
    registration::amended(before, document, now).map(Some)
}

/// Lets a description name the picture that the one before named, whatever it says itself.
pub(crate) fn keep_image(document: &mut Document, before: Option<&Event>) -> Result<(), Invalid> {
    let image = before.and_then(|before| image_in(&before.payload));
    if image_of(document) == image {
        return Ok(());
    }
    set_image(document, image.as_deref())
}

fn set_image(document: &mut Document, image: Option<&str>) -> Result<(), Invalid> {
    let plan = document.get("plan");
    // What is no object is no plan.
    let plan = plan.and_then(|plan| Document::parse(plan).ok());
    let mut plan = match plan {
        Some(plan) => plan,
        None => Document::parse("{}")?,
    };
    match image {
        Some(image) => plan.set(IMAGE, image)?,
        None => drop(plan.remove(IMAGE)),
    }
    match plan.names().next() {
        Some(_) => document.set("plan", plan.as_str())?,
        None => drop(document.remove("plan")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId};

    use super::*;
    use crate::registration::Registration;

    const NOW: Time = Time::from_micros(1_764_100_800_000_000);

    fn event(said: Said) -> Event {
        let id = EventId { at: NOW, serial: 0 };
        Event::new(id, Actor::Hub, said)
    }

    /// A description with this plan, said after another one.
    fn described_after(before: Option<&Event>, plan: &str) -> Event {
        let text = format!(
            r#"{{"@context":"https://www.w3.org/2022/wot/td/v1.1","title":"Ward","plan":{plan},
            "securityDefinitions":{{"none":{{"scheme":"nosec"}}}},"security":"none"}}"#
        );
        let registration = Registration::at("places/ward", text.as_bytes()).unwrap();
        event(registration.said(before, NOW).unwrap())
    }

    fn plan_of(event: &Event) -> Value {
        let td: Value = serde_json::from_slice(&event.payload).unwrap();
        td["plan"].clone()
    }

    #[test]
    fn nobody_but_the_hub_says_which_picture_a_place_has() {
        let drawn = r#"{"width":12.50,"image":{"hash":"forged"},"areas":[]}"#;
        let first = described_after(None, drawn);
        assert_eq!(plan_of(&first), json!({ "width": 12.5, "areas": [] }));
        let image = r#"{"hash":"blake3-1"}"#;
        let said = described(&first, Some(image), NOW).unwrap().unwrap();
        let pictured = event(said);
        let text = String::from_utf8_lossy(&pictured.payload);
        let plan = r#""plan":{"width":12.50,"areas":[],"image":{"hash":"blake3-1"}}"#;
        assert!(text.contains(plan), "{text}");
        assert!(described(&pictured, Some(image), NOW).unwrap().is_none());
        for plan in ["null", "7", "{}", drawn] {
            let again = described_after(Some(&pictured), plan);
            assert_eq!(plan_of(&again)["image"]["hash"], "blake3-1", "{plan}");
        }
        let gone = described(&pictured, None, NOW).unwrap().unwrap();
        assert_eq!(plan_of(&event(gone)), json!({ "width": 12.5, "areas": [] }));
    }

    #[test]
    fn a_plan_that_has_nothing_but_a_picture_goes_with_it() {
        let bare = described_after(None, r#"{"image":1}"#);
        assert_eq!(plan_of(&bare), Value::Null);
        let pictured = event(described(&bare, Some("{}"), NOW).unwrap().unwrap());
        assert_eq!(plan_of(&pictured), json!({ "image": {} }));
        let gone = event(described(&pictured, None, NOW).unwrap().unwrap());
        assert_eq!(plan_of(&gone), Value::Null);
    }

    #[test]
    fn a_picture_belongs_to_a_place() {
        assert_eq!(place_at(&topic_of("places/ward")), Some("places/ward"));
        assert_eq!(place_at("$quartet/plans/things/lamp"), None);
        assert_eq!(place_at("places/ward"), None);
    }
}
