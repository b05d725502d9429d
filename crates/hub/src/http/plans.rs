//! Pictures of floor plans: whoever may describe a place puts one there, and whoever sees what its plan is sees it.
//!
//! What a picture is, its bytes say. A browser shows it, and runs nothing that is in it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytestring::ByteString;
use quartet_fabric::mqtt::Property;
use quartet_model::{Event, Said, Time};
use quartet_things::plan::{self, NotAPicture, Picture};
use serde_json::Value;

use super::{
    Api,
    conditions::{Etag, if_match},
    elements::{key_of, nobody},
    problem::Problem,
    take::{Most, Path},
};
use crate::flow::{Flow, plan_image};

/// So much is taken. Photos are longer: whoever sends one as it is hears that it is too long.
const MOST: Most = Most {
    taken: plan::BYTES_MAX,
    read: 64 << 20,
};
/// A drawing may have styles. No script runs in it, and it loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// The picture of a place's floor plan.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/plan",
    params(
        ("kind" = String, Path, description = "places"), ("id" = String, Path),
        ("If-None-Match" = Option<String>, Header, description = "Not if it is the one with this ETag"),
    ),
    responses(
        (status = 200, description = "The picture as it was put there: PNG, JPEG, WebP or SVG", content_type = "image/*"),
        (status = 304, description = "It is the one that is known"),
        (status = 404, description = "There is no such place, or it has no picture"),
    )
)]
pub(super) async fn show(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = place_of(&kind, &id)?;
    let seen = api.seen_at(&place).await?.ok_or_else(|| nobody(&place))?;
    // Whoever does not see what the plan is does not see its picture.
    plan::image_in(&seen.payload).ok_or_else(|| unpictured(&place))?;
    let kept = api.said_at(&plan::topic_of(&place)).await?;
    let (etag, kind, kept) = kept
        .and_then(|kept| {
            let (etag, kind) = named(&kept)?;
            Some((etag, kind, kept))
        })
        .ok_or_else(|| unpictured(&place))?;
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|known| known.to_str().ok()).unwrap_or("");
    let mut known = known.split(',').map(str::trim);
    let etag = etag.to_string();
    let is_known = known.any(|known| known == "*" || known.trim_start_matches("W/") == etag);
    let headers = [
        (header::ETAG, etag),
        // Who may see it may change, so it is asked for again each time.
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let kind = [(header::CONTENT_TYPE, kind)];
    Ok((headers, kind, kept.payload).into_response())
}

/// Gives a place the picture of its floor plan, in place of one that it has. Its description names the picture as
/// `plan.image`.
#[utoipa::path(
    put,
    path = "/api/{kind}/{id}/plan",
    params(
        ("kind" = String, Path, description = "places"), ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "Only in place of the one with this ETag"),
    ),
    request_body(content = Vec<u8>, description = "A PNG, JPEG, WebP or SVG file of 4 MiB at most, and 8192 pixels on each side", content_type = "image/*"),
    responses(
        (status = 201, description = "It is safe that the place has this picture; it had none"),
        (status = 204, description = "It is safe that the place has this picture"),
        (status = 400, description = "The picture is cut off, or too large to be shown"),
        (status = 404, description = "There is no such place"),
        (status = 412, description = "It has another picture meanwhile"),
        (status = 413, description = "It is too long"),
        (status = 415, description = "It is no such picture"),
    )
)]
pub(super) async fn put(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let place = place_of(&kind, &id)?;
    let expected = if_match(&headers)?;
    let bytes = MOST.of(request).await?;
    let picture = Picture::read(&bytes).map_err(refused)?;
    let hash = format!("blake3-{}", blake3::hash(&bytes).to_hex());
    let etag = [(header::ETAG, Etag::of_content(&hash).to_string())];
    let image = plan::image(&picture, &hash).to_string();
    let said = with_image(plan::kept(&place, bytes), &image);
    let was_there = Arc::new(AtomicBool::new(false));
    let found_there = Arc::clone(&was_there);
    let make = move |flow: &mut Flow, now: Time, place: &str| {
        if !flow.elements().has(place) {
            return Err(nobody(place));
        }
        let before = kept_etag(flow, place, now);
        found_there.store(before.is_some(), Ordering::Relaxed);
        if let Some(expected) = &expected {
            expected.check(&before.unwrap_or_else(Etag::of_nothing))?;
        }
        Ok(said.clone())
    };
    api.say_to(&place, true, api.as_hub(), make).await?;
    // Whoever hears of it finds it in the description.
    api.control.settle(&place).await?;
    let status = match was_there.load(Ordering::Relaxed) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::CREATED,
    };
    Ok((status, etag).into_response())
}

/// Takes the picture of a place's floor plan away. What is drawn on it stays.
#[utoipa::path(
    delete,
    path = "/api/{kind}/{id}/plan",
    params(
        ("kind" = String, Path, description = "places"), ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "Only the one with this ETag"),
    ),
    responses(
        (status = 204, description = "It is safe that the place has no picture"),
        (status = 404, description = "There is no such place, or it has no picture"),
        (status = 412, description = "It has another picture meanwhile"),
    )
)]
pub(super) async fn remove(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let place = place_of(&kind, &id)?;
    let expected = if_match(&headers)?;
    let make = move |flow: &mut Flow, now: Time, place: &str| {
        if !flow.elements().has(place) {
            return Err(nobody(place));
        }
        let before = kept_etag(flow, place, now).ok_or_else(|| unpictured(place))?;
        if let Some(expected) = &expected {
            expected.check(&before)?;
        }
        Ok(plan::removed(place))
    };
    api.say_to(&place, true, api.as_hub(), make).await?;
    api.control.settle(&place).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key of a place: nothing else has a floor plan.
fn place_of(kind: &str, id: &str) -> Result<String, Problem> {
    let key = key_of(kind, id)?;
    match kind {
        "places" => Ok(key),
        _ => {
            let what = format!("`{key}` has no floor plan; only places have");
            Err(Problem::new(StatusCode::NOT_FOUND, what))
        }
    }
}

fn unpictured(place: &str) -> Problem {
    let what = format!("`{place}` has no picture of its floor plan; PUT one here");
    Problem::new(StatusCode::NOT_FOUND, what)
}

fn refused(why: NotAPicture) -> Problem {
    let status = match why {
        NotAPicture::Other(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, why.to_string())
}

/// The same with what a description says of it.
fn with_image(mut said: Said, image: &str) -> Said {
    let mut properties = Vec::new();
    Property::UserProperty(plan::IMAGE.into(), ByteString::from(image)).write(&mut properties);
    said.properties = properties.into();
    said
}

/// The ETag of what is kept, and what it is.
fn named(kept: &Event) -> Option<(Etag, String)> {
    let image: Value = serde_json::from_str(&plan_image(kept)?).ok()?;
    let etag = Etag::of_content(image["hash"].as_str()?);
    Some((etag, image["type"].as_str()?.to_owned()))
}

fn kept_etag(flow: &Flow, place: &str, now: Time) -> Option<Etag> {
    let kept = flow.said_at(&plan::topic_of(place), now)?;
    named(&kept).map(|(etag, _)| etag)
}
