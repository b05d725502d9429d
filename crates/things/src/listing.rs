//! What of a description lists and searches need: names, types, labels, relations, place.

use quartet_model::{Address, Time};
use serde_json::Value;

use crate::identity::{id_of, key_of};

/// What can be searched for.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    /// The first two levels of the element's address.
    pub key: String,
    /// Its identifier, a URI.
    pub id: String,
    /// Its title in the default language.
    pub title: String,
    /// All that a person might search for, in lower case.
    pub text: String,
    /// Its semantic types, without the prefix of the vocabulary.
    pub types: Vec<String>,
    /// `quartet:labels`, as (name, value).
    pub labels: Vec<(String, String)>,
    /// Its links to other elements.
    pub relations: Vec<Relation>,
    /// `quartet:position`, as latitude and longitude in degrees (WGS 84).
    pub position: Option<(f64, f64)>,
}

/// A tie to another element: a link of the description.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    /// What ties them, such as `in` or `carriedBy`.
    pub rel: String,
    /// The key of the other one.
    pub target: String,
    /// From when on.
    pub from: Time,
    /// Until when.
    pub until: Time,
}

impl Listing {
    /// What the description says that is retained at an element's address.
    pub fn of(key: &str, description: &[u8]) -> Option<Self> {
        let td: Value = serde_json::from_slice(description).ok()?;
        let id = id_of(key);
        let title = td["title"].as_str().unwrap_or_default().to_owned();
        let titles = td["titles"].as_object().into_iter().flatten();
        let descriptions = td["descriptions"].as_object().into_iter().flatten();
        let said = titles
            .chain(descriptions)
            .filter_map(|(_, text)| text.as_str());
        let text: Vec<&str> = [
            &*id,
            &*title,
            td["description"].as_str().unwrap_or_default(),
        ]
        .into_iter()
        .chain(said)
        .collect();
        let labels = td["quartet:labels"].as_object().into_iter().flatten();
        let links = td["links"].as_array().into_iter().flatten();
        Some(Self {
            text: text.join("\n").to_lowercase(),
            types: strings(&td["@type"]).map(local_name).collect(),
            labels: labels
                .map(|(name, value)| {
                    let text = value.as_str().map(str::to_owned);
                    (name.clone(), text.unwrap_or_else(|| value.to_string()))
                })
                .collect(),
            relations: links.filter_map(Relation::of).collect(),
            position: position(&td["quartet:position"]),
            key: key.to_owned(),
            id,
            title,
        })
    }
}

impl Relation {
    fn of(link: &Value) -> Option<Self> {
        let time = |name: &str| link[name].as_str().and_then(Time::of_rfc3339);
        let rel = link["rel"].as_str()?;
        let target = key_of(link["href"].as_str()?).ok()?;
        // A link to something that is no element leads out of the hub.
        let is_element =
            id_of(&target).starts_with("urn:") && Address::element_of(&target).is_some();
        is_element.then(|| Self {
            rel: rel.to_owned(),
            target,
            from: time("quartet:from").unwrap_or(Time::ZERO),
            until: time("quartet:until").unwrap_or(Time::NEVER),
        })
    }

    /// The link that says it.
    pub fn to_link(&self) -> Value {
        let mut link = serde_json::json!({ "rel": self.rel, "href": id_of(&self.target) });
        if self.from != Time::ZERO {
            link["quartet:from"] = self.from.rfc3339().into();
        }
        if self.until != Time::NEVER {
            link["quartet:until"] = self.until.rfc3339().into();
        }
        link
    }
}

/// A position as elements report it: latitude and longitude in degrees, as an object with these
/// members (or `lat` and `lon`), or as a point of GeoJSON (RFC 7946).
pub fn position(value: &Value) -> Option<(f64, f64)> {
    let number = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_f64());
    let said = match (number(["latitude", "lat"]), number(["longitude", "lon"])) {
        (Some(latitude), Some(longitude)) => (latitude, longitude),
        _ if value["type"] == "Point" => {
            let place = &value["coordinates"];
            (place[1].as_f64()?, place[0].as_f64()?)
        }
        _ => return None,
    };
    let is_on_earth = said.0.abs() <= 90.0 && said.1.abs() <= 180.0;
    is_on_earth.then_some(said)
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().into_iter().flatten();
    many.filter_map(Value::as_str).chain(value.as_str())
}

/// `Lamp` of `saref:Lamp` and of `https://saref.etsi.org/core/Lamp`.
fn local_name(name: &str) -> String {
    let last = name.rsplit(['#', '/', ':']).next();
    last.filter(|last| !last.is_empty())
        .unwrap_or(name)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_searched_for_is_found_in_a_description() {
        let td = json!({
            "title": "Fridge 7", "titles": { "de": "Kühlschrank 7" }, "@type": ["saref:Refrigerator", "Thing"],
            "quartet:labels": { "floor": "3", "critical": true },
            "quartet:position": { "latitude": 52.5, "longitude": 13.4 },
            "links": [
                { "rel": "in", "href": "urn:quartet:places:ward-3", "quartet:until": "2026-12-01T00:00:00Z" },
                { "rel": "icon", "href": "https://a.example/icon.png" },
            ],
        });
        let listing = Listing::of("things/fridge-7", td.to_string().as_bytes()).unwrap();
        assert_eq!(listing.id, "urn:quartet:things:fridge-7");
        assert!(listing.text.contains("kühlschrank 7"));
        assert_eq!(listing.types, ["Refrigerator", "Thing"]);
        assert_eq!(
            listing.labels,
            [("critical", "true"), ("floor", "3")].map(|(n, v)| (n.into(), v.into()))
        );
        assert_eq!(listing.position, Some((52.5, 13.4)));
        let [relation] = &listing.relations[..] else {
            panic!("{:?}", listing.relations);
        };
        assert_eq!(relation.target, "places/ward-3");
        assert_eq!(&relation.to_link(), &td["links"][0]);
    }

    #[test]
    fn a_position_is_understood_in_the_forms_that_occur() {
        let berlin = Some((52.5, 13.4));
        assert_eq!(position(&json!({ "lat": 52.5, "lon": 13.4 })), berlin);
        let point = json!({ "type": "Point", "coordinates": [13.4, 52.5] });
        assert_eq!(position(&point), berlin);
        assert_eq!(position(&json!({ "lat": 152.5, "lon": 13.4 })), None);
        assert_eq!(position(&json!("here")), None);
    }
}
