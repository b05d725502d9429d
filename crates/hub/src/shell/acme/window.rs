//! When the authority suggests to renew a certificate (RFC 9773): so it can take back many of them in good time.

use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier};
use quartet_model::Time;

use super::{
    Issued,
    ask::{Ask, Patience},
    place::Place,
};
use crate::config;

/// From when until when, and when to ask again. An error says why nobody knows.
pub(super) async fn window(
    config: &config::Acme,
    place: &Place,
    issued: &Issued,
) -> Result<(Time, Time, Duration), String> {
    let known = place.account().ok_or("there is no account")?;
    let leaf = issued.key().cert.first().ok_or("there is no certificate")?;
    let id = CertificateIdentifier::try_from(leaf).map_err(|why| why.to_string())?;
    let ask = Ask::new(config.root.as_deref(), Patience::default());
    let ask = ask.map_err(|why| why.to_string())?;
    let account = Account::builder_with_http(Box::new(ask));
    let account = account.from_credentials(known.credentials()).await;
    let account = account.map_err(|why| why.to_string())?;
    let told = account.renewal_info(&id).await;
    let (told, again) = told.map_err(|why| why.to_string())?;
    let at = |s: i64| Time::ZERO.after(Duration::from_secs(u64::try_from(s).unwrap_or_default()));
    let window = told.suggested_window;
    let (from, until) = (window.start.unix_timestamp(), window.end.unix_timestamp());
    Ok((at(from), at(until), again))
}
