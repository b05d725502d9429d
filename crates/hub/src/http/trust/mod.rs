//! How devices get to know the hub: its authority's certificate at `/ca.crt`, and the page `/trust`, which says what to do with it.

mod platform; // what somebody looks with
pub(super) mod proof; // what an authority finds that looks whether a domain is the hub's
pub(super) mod state; // which certificates there are, for those who look after the hub

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use qrcode::{QrCode, render::svg};

use self::platform::{HOWTOS, Platform};
use super::{Api, accounts::pages, problem::Problem, site::Site};
use crate::{
    config::{Listener, Scheme},
    shell::{Notice, Public, Shown},
    trust::{Way, urls},
};

/// What the file is called where it is kept. Not `attachment`: phones and Firefox then take it for what it is.
const FILE: &str = r#"inline; filename="quartet-ca.crt""#;

/// The certificate of the hub's own authority.
#[utoipa::path(
    get,
    path = "/ca.crt",
    responses(
        (status = 200, description = "The certificate of the authority that vouches for the hub, in PEM", content_type = "application/x-x509-ca-cert"),
        (status = 404, description = "The hub shows a certificate of its administrator, or none"),
    )
)]
pub(super) async fn certificate(api: Api) -> Result<Response, Problem> {
    let notice = api.identity.notice();
    let missing = |what: String| Err(Problem::new(StatusCode::NOT_FOUND, what));
    match &notice.shown {
        Shown::Own(own) => {
            let headers = [
                (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
                (header::CONTENT_DISPOSITION, FILE),
                (header::CACHE_CONTROL, "no-cache"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            Ok((headers, own.certificate.clone()).into_response())
        }
        Shown::Given => missing(
            "this hub shows a certificate of its administrator (tls.certificate), so there is none of its own to trust; the administrator knows who signed it".to_owned(),
        ),
        Shown::Nothing => missing(format!(
            "no listener of this hub is encrypted, so it has no certificate; begin it as `{}`",
            command(&notice)
        )),
    }
}

/// What to do with it, for whoever looks with this.
pub(super) async fn page(api: Api, site: Site, headers: HeaderMap) -> Response {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let platform = Platform::of(agent.unwrap_or_default());
    let notice = api.identity.notice();
    let body = match &notice.shown {
        Shown::Own(_) if is_known(&api, &site) => include_str!("given.html").to_owned(),
        Shown::Own(own) => of_own(own, &notice, platform),
        Shown::Given => include_str!("given.html").to_owned(),
        Shown::Nothing => {
            let command = in_lines(&command(&notice));
            fill(include_str!("nothing.html"), &[("command", &command)])
        }
    };
    let text = fill(include_str!("page.html"), &[("body", &body)]);
    ([(header::VARY, "user-agent")], pages::page(text)).into_response()
}

/// Whether whoever came this way came by a domain whose certificate is issued by an authority that devices know.
fn is_known(api: &Api, site: &Site) -> bool {
    let shown = api.identity.acme().and_then(|acme| acme.state().shown);
    let now = api.control.clock().wall();
    let is_good = |until| now < until;
    shown.is_some_and(|issued| {
        is_good(issued.term().until) && issued.names().iter().any(|name| name == site.name())
    })
}

fn of_own(own: &Public, notice: &Notice, platform: Platform) -> String {
    let title = escaped(&own.title);
    let commands = commands(notice);
    let said = [("title", &*title), ("commands", &commands)];
    let mut howtos: Vec<_> = HOWTOS.iter().collect();
    howtos.sort_by_key(|howto| howto.platform != platform); // Stable: the others stay as they are.
    let steps = howtos.iter().enumerate().map(|(at, howto)| {
        let open = if at == 0 { " open" } else { "" };
        let steps = fill(howto.steps, &said);
        let name = howto.name;
        format!("<details{open}><summary>{name}</summary>\n{steps}</details>\n")
    });
    let until = own.until.rfc3339();
    let (phone, way) = way(notice, platform);
    fill(
        include_str!("own.html"),
        &[
            ("title", &title),
            // A line may end after each colon.
            ("fingerprint", &own.fingerprint.replace(':', ":<wbr>")),
            ("steps", &steps.collect::<String>()),
            ("links", &links(notice)),
            ("scope", &escaped(&own.scope)),
            ("until", until.split('T').next().unwrap_or_default()),
            ("phone", phone),
            ("way", &way),
        ],
    )
}

/// How others get here, with a picture for their cameras.
fn way(notice: &Notice, platform: Platform) -> (&'static str, String) {
    let phone = match platform {
        Platform::IPhone | Platform::Android => "On another phone",
        _ => "On your phone",
    };
    let picture = |url: &str| {
        let code = QrCode::new(url).map(|code| code.render::<svg::Color>().build());
        let code = code.unwrap_or_default(); // No address is too long for one.
        let code = code.split_once("?>").map_or("", |(_, svg)| svg);
        format!(
            "<div class=\"picture\" role=\"img\" aria-label=\"The address below, for the camera of your phone\">{code}</div>\n<p>Point its camera here, or open <a href=\"{url}\">{url}</a></p>"
        )
    };
    let at = |url: &str| picture(&escaped(&format!("{url}/trust")));
    let command = |command: &str| format!("<pre>{}</pre>", in_lines(command));
    match Way::to(&notice.listeners, &notice.called) {
        Way::Encrypted(url) => (
            phone,
            at(&url)
                + "<p class=\"hint\">It warns you this once, since it does not know the hub yet: go on, and compare the fingerprint.</p>",
        ),
        Way::Plain(url, begin) => (
            phone,
            at(&url)
                + "<p class=\"hint\">Phones reach this hub without encryption only, so trust does not help them yet. Begin it like this:</p>"
                + &command(&begin),
        ),
        Way::None(begin) => (
            "Other devices",
            "<p>Their browsers cannot reach this hub yet. Begin it like this:</p>".to_owned()
                + &command(&begin)
                + "<p class=\"hint\">Or put the last address among the <code>listeners</code> of its configuration file.</p>",
        ),
    }
}

/// Where the hub is found once it is trusted.
fn links(notice: &Notice) -> String {
    let https = https(notice);
    let all = https.map_or_else(Vec::new, |https| urls(https, &notice.called));
    if all.is_empty() {
        return "<p>Programs that speak MQTT find it by its name or address, with the certificate as <code>--cafile</code>. There is no listener for <code>https</code>.</p>".to_owned();
    }
    // A browser has passkeys for names only.
    let is_address = |url: &&String| {
        let host = url.split_once("://").map_or("", |(_, host)| host);
        host.starts_with(|c: char| c.is_ascii_digit() || c == '[')
    };
    let (addresses, names): (Vec<_>, Vec<_>) = all.iter().partition(is_address);
    let items = names.into_iter().chain(addresses).map(|url| {
        let url = escaped(url);
        format!("<li><a href=\"{url}/\">{url}</a></li>\n")
    });
    format!(
        "<p>No warning any more? Then it is done. Passkeys need a name, so choose one that works for all your devices, and keep to it.</p>\n<ul class=\"links\">\n{}</ul>",
        items.collect::<String>()
    )
}

fn https(notice: &Notice) -> Option<&Listener> {
    of_scheme(notice, Scheme::Https)
}

fn of_scheme(notice: &Notice, scheme: Scheme) -> Option<&Listener> {
    let mut listeners = notice.listeners.iter();
    listeners.find(|listener| listener.scheme == scheme)
}

/// What programs are told, for the listeners that there are.
fn commands(notice: &Notice) -> String {
    let at = |scheme| {
        let url = urls(of_scheme(notice, scheme)?, &notice.called);
        url.into_iter().next()
    };
    let mut lines = Vec::new();
    if let Some(url) = at(Scheme::Mqtts) {
        let place = url.trim_start_matches("mqtts://");
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "8883"));
        let host = host.trim_matches(['[', ']']);
        lines.push(format!(
            "quartet sub --url {url} --cafile quartet-ca.crt '#'"
        ));
        lines.push(format!(
            "mosquitto_sub -h {host} -p {port} --cafile quartet-ca.crt -t '#'"
        ));
    }
    if let Some(url) = at(Scheme::Https) {
        lines.push(format!("curl --cacert quartet-ca.crt {url}/healthz"));
    }
    escaped(&lines.join("\n"))
}

/// How the hub is begun so that it is encrypted for others.
fn command(notice: &Notice) -> String {
    match Way::to(&notice.listeners, &notice.called) {
        Way::Plain(_, command) | Way::None(command) => command,
        Way::Encrypted(_) => "quartet run --listen https://0.0.0.0:8443".to_owned(),
    }
}

/// A command as HTML, with a line for each listener.
fn in_lines(command: &str) -> String {
    escaped(&command.replace(" --listen ", " \\\n  --listen "))
}

/// Puts values, which are HTML, in the places of a text.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    // What is put in is not looked at again.
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let place = after.split_once('}');
        let value = place.and_then(|(name, _)| values.iter().find(|(known, _)| *known == name));
        match (place, value) {
            (Some((_, after)), Some((_, value))) => {
                filled += value;
                rest = after;
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use quartet_model::Time;

    use super::*;
    use crate::{config::parse, trust::Called};

    fn own(title: &str, listeners: &[&str], platform: Platform) -> String {
        let public = Public {
            certificate: String::new(),
            fingerprint: "AA:BB".to_owned(),
            title: title.to_owned(),
            scope: "localhost".to_owned(),
            until: Time::ZERO,
        };
        let addresses: [IpAddr; 1] = [[192, 168, 0, 7].into()];
        let config = parse(&format!("listeners = {listeners:?}"), None).unwrap();
        let notice = Notice {
            shown: Shown::Own(public.clone()),
            called: Called::of("kitchen", &[], &addresses),
            listeners: config.listeners,
        };
        of_own(&public, &notice, platform)
    }

    #[test]
    fn each_place_of_the_page_is_filled_and_nothing_is_taken_for_html() {
        let page = own("<b>{title}", &["https://0.0.0.0:8443"], Platform::Windows);
        assert!(page.contains("&lt;b&gt;{title}"), "{page}");
        for place in [
            "{fingerprint}",
            "{steps}",
            "{links}",
            "{scope}",
            "{until}",
            "{way}",
            "{commands}",
        ] {
            assert!(!page.contains(place), "{place}");
        }
    }

    #[test]
    fn the_steps_for_the_device_that_looks_come_first_and_are_unfolded() {
        for howto in &HOWTOS {
            let page = own("Hub", &["https://0.0.0.0:8443"], howto.platform);
            let first = format!("<details open><summary>{}</summary>", howto.name);
            assert!(page.contains(&first), "{first}");
            assert_eq!(page.matches("<details open>").count(), 1);
            assert_eq!(page.matches("<details").count(), HOWTOS.len());
        }
    }

    #[test]
    fn programs_are_told_what_works_for_the_listeners_that_there_are() {
        let page = own("Hub", &["mqtts://0.0.0.0:18883"], Platform::Programs);
        assert!(
            page.contains("mosquitto_sub -h 192.168.0.7 -p 18883 --cafile"),
            "{page}"
        );
        assert!(!page.contains("curl"), "{page}");
    }

    #[test]
    fn a_phone_is_shown_the_way_and_a_hub_that_has_none_says_how_it_gets_one() {
        let page = own("Hub", &["https://0.0.0.0:8443"], Platform::Mac);
        assert!(
            page.contains("<svg xmlns") && page.contains("\"https://192.168.0.7:8443/trust\""),
            "{page}"
        );
        assert!(
            page.contains("<a href=\"https://quartet-kitchen.local:8443/\">"),
            "{page}"
        );
        let page = own("Hub", &["https://127.0.0.1:8443"], Platform::Mac);
        assert!(
            page.contains("<pre>quartet run \\\n  --listen https://0.0.0.0:8443</pre>"),
            "{page}"
        );
    }
}
