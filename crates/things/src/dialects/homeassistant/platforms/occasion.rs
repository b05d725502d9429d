//! What happens: events, triggers and tags; and what is seen: places and images.

use serde_json::{Value, json};

use crate::{
    dialects::{
        homeassistant::entity::{Entity, Words},
        parts,
    },
    td::Problem,
};

/// An object with the type of the event, and what belongs to it.
pub(super) fn event(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let types = entity.config.texts("event_types")?;
    let mut kind = json!({ "type": "string" });
    if !types.is_empty() {
        kind["enum"] = json!(types);
    }
    let data = json!({ "type": "object", "properties": { "event_type": kind } });
    if let Some(mut form) = entity.occasion("state_topic", "value_template")? {
        form.insert("contentType".to_owned(), "application/json".into());
        entity.add_event("", data, form);
    }
    Ok(())
}

/// A trigger is told as one payload, or as any if none is said.
pub(super) fn device_automation(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let Some(mut form) = entity.occasion("topic", "value_template")? else {
        let what = "is missing; must be the topic at which the trigger is told";
        return Err(config.problem("topic", what));
    };
    let words = ["type", "subtype"].map(|member| config.text(member));
    let [kind, subtype] = words;
    let said = [kind?, subtype?].into_iter().flatten();
    let said = said.collect::<Vec<String>>().join(" ");
    let mut data = json!({ "type": "string" });
    if let Some(payload) = config.text("payload")? {
        // Other payloads at this topic are other triggers.
        form.insert("quartet:values".to_owned(), json!({ &payload: said }));
        data = json!({ "type": "string", "const": said });
    }
    entity.add_event("", data, form);
    Ok(())
}

/// What is scanned.
pub(super) fn tag(entity: &mut Entity<'_>) -> Result<(), Problem> {
    if let Some(form) = entity.occasion("topic", "value_template")? {
        let data = json!({ "type": "string", "title": "Tag" });
        entity.add_event("", data, form);
    }
    Ok(())
}

/// Home, away, or the name of a zone; and where exactly, if that is told.
pub(super) fn device_tracker(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let words: Words = vec![
        (config.text_or("payload_home", "home")?, "home".into()),
        (
            config.text_or("payload_not_home", "not_home")?,
            "not_home".into(),
        ),
    ];
    let usual = words.iter().all(|(word, state)| state == word);
    let places = ["state_topic", "value_template", "", ""];
    let zone = json!({ "type": "string" });
    if usual {
        entity.property("", zone, places)?;
    } else {
        entity.worded_property("", zone, places, [&words, &words])?;
    }
    let location = json!({ "type": "object", "properties": {
        "latitude": { "type": "number", "minimum": -90, "maximum": 90, "unit": "deg" },
        "longitude": { "type": "number", "minimum": -180, "maximum": 180, "unit": "deg" },
        "gps_accuracy": { "type": "number", "minimum": 0, "unit": "m" },
    }});
    let state = entity.state("json_attributes_topic", "json_attributes_template")?;
    let state = state.map(|mut form| {
        form.insert("contentType".to_owned(), "application/json".into());
        form
    });
    entity.add_property("location", location, state, None);
    Ok(())
}

/// An image as bytes, or in Base64 if it says so.
pub(super) fn camera(entity: &mut Entity<'_>) -> Result<(), Problem> {
    image_at(entity, "topic", "image/jpeg")
}

/// An image, or where it is.
pub(super) fn image(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let address = json!({ "type": "string", "format": "uri" });
    entity.property("url", address, ["url_topic", "url_template", "", ""])?;
    let kind = entity.config.text_or("content_type", "image/jpeg")?;
    image_at(entity, "image_topic", &kind)
}

fn image_at(entity: &mut Entity<'_>, topic: &str, kind: &str) -> Result<(), Problem> {
    let Some(topic) = entity.config.filter(topic)? else {
        return Ok(());
    };
    let in_base64 = entity.config.text("image_encoding")?.as_deref() == Some("b64");
    let content = if in_base64 {
        "text/plain"
    } else {
        "application/octet-stream"
    };
    let mut schema = json!({ "type": "string", "contentMediaType": kind });
    if in_base64 {
        schema["contentEncoding"] = Value::from("base64");
    }
    let form = parts::reported(&topic, content);
    entity.add_property("", schema, Some(form), None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, described},
        *,
    };

    #[test]
    fn an_event_says_of_which_type_it_is() {
        let config = json!({ "stat_t": "e", "evt_typ": ["press", "hold"] });
        check(
            "event",
            config.clone(),
            json!({ "it": [{ "filter": "e" }] }),
        );
        let data = &described("event", &config)["events"]["it"]["data"];
        assert_eq!(
            data["properties"]["event_type"]["enum"],
            json!(["press", "hold"])
        );
    }

    #[test]
    fn a_trigger_is_an_event_of_one_payload() {
        check(
            "device_automation",
            json!({
                "atype": "trigger", "t": "b/action", "type": "button_short_press",
                "subtype": "button_1", "pl": "single",
            }),
            json!({ "it": [{
                "filter": "b/action", "values": { "single": "button_short_press button_1" },
            }]}),
        );
    }

    #[test]
    fn a_tag_a_tracker_and_an_image_say_what_they_see() {
        let scanned = json!({ "it": [{ "filter": "t", "path": "/uid" }] });
        check(
            "tag",
            json!({ "t": "t", "val_tpl": "{{ value_json.uid }}" }),
            scanned,
        );
        check(
            "device_tracker",
            json!({ "stat_t": "p", "pl_home": "in", "json_attr_t": "p/at" }),
            json!({
                "it": [{ "filter": "p", "values": { "in": "home", "not_home": "not_home" } }],
                "it_location": [{ "filter": "p/at" }],
            }),
        );
        check(
            "camera",
            json!({ "t": "c" }),
            json!({ "it": [{ "filter": "c" }] }),
        );
        let config = json!({ "img_t": "i", "img_e": "b64", "cont_type": "image/png" });
        let image = &described("image", &config)["properties"]["it"];
        assert_eq!(image["contentMediaType"], "image/png");
        assert_eq!(image["forms"][0]["contentType"], "text/plain");
    }
}
