//! The HTTP API: what MQTT does, for those who do not speak it, and how the hub is.
//!
//! Addresses are the same in every protocol: `things/{id}/properties/{name}` is found under
//! `/api/`.

mod access; // may she, and why; who sees what about me
mod accounts; // how persons sign in, and what they change of their accounts
mod app; // the app in the browser
mod audit; // who came in, who may, who acted, who was refused
pub(crate) mod cloud_event; // events at the edge
mod conditions; // nothing is overwritten that was not seen
mod credentials; // what opens the door to an element
mod directory; // all Thing Descriptions
mod drafts; // definitions that nobody deployed yet
mod elements; // what an element is, reports and is wanted to do
mod expressions; // jq, tried
mod flows; // processes
mod guard; // who may ask
mod history; // what became otherwise, and by whom
mod inventory; // all elements: found, taken in, given out
mod invitations; // claim codes and fleet keys
mod journeys; // what led to what
mod kinds; // of content: what is wanted, what was sent
mod lines; // what is sent line by line
mod links; // /.well-known/core: what there is, for small devices
mod lists; // sessions and retained messages, to be searched
mod messages; // publish and subscribe
mod news; // which things came, changed and went
mod plans; // pictures of floor plans
mod problem; // refusals, as RFC 9457 says
mod relations; // who is related to what
mod rights; // what each path asks of whoever comes
mod rules; // for devices that announce nothing, and what nothing is about
mod scenarios; // places of files, with what happens in them
mod scim; // people and teams that a directory provisions
mod search; // what a JSONPath finds in all Thing Descriptions
mod serve; // sockets to requests, with or without TLS
mod signals; // what is to be made of what elements report
mod site; // where the hub is reached
mod status; // /healthz and /metrics
mod take; // what a request carries
mod trust; // /ca.crt and /trust: how devices know the hub
mod values; // what elements reported lately
mod ws; // the Web Thing Protocol over WebSocket

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use axum::{
    Json, Router, middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{delete, get, post, put},
};
use parking_lot::Mutex;
use quartet_people::throttle::Throttle;
use tokio::sync::Semaphore;
use utoipa::OpenApi;

pub(crate) use accounts::{Accounts, First, Providers};
pub use guard::is_this_machine;
pub(crate) use news::News;
pub(crate) use serve::Caller;
pub(crate) use serve::{Tls, serve};
pub(crate) use site::{Doors, Web};
pub use status::resident_bytes;

use crate::{
    flow::Who,
    shell::{Control, Identity, jq::Jq},
    views::Views,
};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    control: Control,
    views: Views,
    is_open: bool,
    doors: Doors,
    news: news::News,
    throttle: Arc<Mutex<Throttle>>,
    /// What signing in needs.
    accounts: Arc<Accounts>,
    /// Who the hub is to whoever connects, and who issues certificates to things.
    identity: Arc<Identity>,
    /// How many sockets serve an element, by its key.
    served: Arc<Mutex<HashMap<String, usize>>>,
    /// Who computes expressions that are tried.
    expressions: Arc<Expressions>,
    /// What led to what, as it was put together last.
    journeys: journeys::Known,
    /// Who asks.
    who: Who,
    /// From where.
    from: Option<IpAddr>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quartet",
        description = "One hub for things, people, data and processes.",
        license(name = "Apache-2.0")
    ),
    paths(
        messages::publish,
        messages::subscribe,
        ws::connect,
        lists::sessions,
        lists::session,
        lists::retained,
        directory::well_known,
        links::core,
        directory::list,
        directory::create,
        directory::retrieve,
        directory::replace,
        directory::change,
        directory::remove,
        news::all,
        news::some,
        search::jsonpath,
        inventory::find,
        inventory::export,
        inventory::import,
        elements::describe,
        elements::properties,
        elements::write_properties,
        elements::property,
        elements::observe,
        values::values,
        elements::write,
        elements::twin,
        history::changes,
        journeys::list,
        journeys::show,
        elements::invoke,
        elements::invocations,
        elements::invocation,
        elements::cancel,
        elements::events,
        elements::refused,
        plans::show,
        plans::put,
        plans::remove,
        relations::list,
        relations::put,
        relations::remove,
        relations::import,
        relations::roles,
        relations::role,
        relations::put_role,
        relations::remove_role,
        relations::break_glass,
        access::may,
        access::access,
        access::reach,
        audit::list,
        audit::export,
        credentials::list,
        credentials::issue,
        credentials::grant,
        credentials::revoke,
        credentials::revoke_all,
        invitations::list,
        invitations::create,
        invitations::remove,
        invitations::claim,
        accounts::session::sign_in,
        accounts::session::who,
        accounts::session::sign_out,
        accounts::oidc::list,
        accounts::oidc::begin,
        accounts::oidc::back,
        accounts::passkeys::begin_sign_in,
        accounts::passkeys::sign_in,
        accounts::claim::look,
        accounts::claim::begin_passkey,
        accounts::claim::claim,
        accounts::own::show,
        accounts::own::set_password,
        accounts::own::end_session,
        accounts::own::end_other_sessions,
        accounts::own::create_token,
        accounts::own::revoke_token,
        accounts::codes::begin,
        accounts::codes::confirm,
        accounts::codes::remove,
        accounts::codes::recovery,
        accounts::passkeys::begin_add,
        accounts::passkeys::add,
        accounts::passkeys::remove,
        flows::list,
        flows::deploy,
        flows::show,
        flows::put,
        flows::remove,
        flows::set_state,
        flows::explain,
        signals::list,
        signals::define,
        signals::show,
        signals::remove,
        signals::about,
        rules::list,
        rules::one,
        rules::write,
        rules::remove,
        rules::preview,
        rules::unmapped,
        rules::forget_unmapped,
        scenarios::list,
        scenarios::run,
        scenarios::remove,
        drafts::check,
        drafts::try_one,
        expressions::try_one,
        trust::certificate,
        trust::state::show,
        status::healthz,
        status::metrics
    )
)]
struct Document;

/// Who computes expressions that are tried, and whose turn it is.
struct Expressions {
    jq: Jq,
    turns: Arc<Semaphore>,
}

/// The API as a whole.
pub(crate) fn app(
    control: Control,
    is_open: bool,
    doors: Doors,
    views: Views,
    news: News,
    identity: Arc<Identity>,
    accounts: Arc<Accounts>,
) -> Router {
    let api = Api {
        control,
        views,
        is_open,
        doors,
        news,
        throttle: Arc::default(),
        accounts,
        identity,
        served: Arc::default(),
        journeys: journeys::Known::default(),
        expressions: Arc::new(Expressions {
            jq: Jq::default(),
            turns: Arc::new(Semaphore::new(expressions::WAITING_MAX)),
        }),
        who: Who::Nobody,
        from: None,
    };
    let guarded = middleware::from_fn_with_state(api.clone(), guard::guard);
    let app = Router::new()
        .route("/", get(welcome))
        .route(app::PATH, get(app::begin))
        .route("/app/", get(app::start))
        .route("/app/{*path}", get(app::page))
        .route("/healthz", get(status::healthz))
        .route("/metrics", get(status::metrics))
        .route("/openapi.json", get(document))
        .route("/api/publish/{*topic}", post(messages::publish))
        .route("/api/subscribe", get(messages::subscribe))
        .route("/api/ws", get(ws::connect))
        .route("/api/sessions", get(lists::sessions))
        .route("/api/sessions/{client}", get(lists::session))
        .route("/api/retained", get(lists::retained))
        .route("/api/refused", get(elements::refused))
        .route(
            "/api/unmapped",
            get(rules::unmapped).delete(rules::forget_unmapped),
        )
        .route("/api/flows", get(flows::list).post(flows::deploy))
        .route(
            "/api/flows/{name}",
            get(flows::show).put(flows::put).delete(flows::remove),
        )
        .route("/api/flows/{name}/state", put(flows::set_state))
        .route("/api/flows/{name}/explain", get(flows::explain))
        .route("/api/drafts/check", post(drafts::check))
        .route("/api/drafts/try", post(drafts::try_one))
        .route("/api/expressions", post(expressions::try_one))
        .route("/api/signals", get(signals::list).post(signals::define))
        .route(
            "/api/signals/{name}",
            get(signals::show).delete(signals::remove),
        )
        .route("/api/rules", get(rules::list))
        .route("/api/rules/preview", post(rules::preview))
        .route(
            "/api/rules/{name}",
            get(rules::one).put(rules::write).delete(rules::remove),
        )
        .route(
            "/api/invitations",
            get(invitations::list).post(invitations::create),
        )
        .route("/api/invitations/{invitation}", delete(invitations::remove))
        .route(guard::CLAIM, post(invitations::claim))
        .merge(accounts::routes())
        .merge(scim::routes())
        .route("/trust", get(trust::page))
        .route("/ca.crt", get(trust::certificate))
        .route("/api/trust", get(trust::state::show))
        .route(trust::proof::PATH, get(trust::proof::answer))
        .route("/api/elements", get(inventory::find))
        .route("/api/elements/export", get(inventory::export))
        .route("/api/elements/import", post(inventory::import))
        .route("/api/{kind}/{id}", get(elements::describe))
        .route("/api/{kind}/{id}/twin", get(elements::twin))
        .route("/api/{kind}/{id}/history", get(history::changes))
        .route("/api/{kind}/{id}/signals", get(signals::about))
        .route(
            "/api/{kind}/{id}/properties",
            get(elements::properties).put(elements::write_properties),
        )
        .route(
            "/api/{kind}/{id}/properties/{name}",
            get(elements::property).put(elements::write),
        )
        .route(
            "/api/{kind}/{id}/properties/{name}/observe",
            get(elements::observe),
        )
        .route(
            "/api/{kind}/{id}/properties/{name}/values",
            get(values::values),
        )
        .route("/api/{kind}/{id}/actions", get(elements::invocations))
        .route("/api/{kind}/{id}/actions/{name}", post(elements::invoke))
        .route(
            "/api/{kind}/{id}/actions/{name}/{invocation}",
            get(elements::invocation).delete(elements::cancel),
        )
        .route("/api/{kind}/{id}/events/{name}", get(elements::events))
        .route(
            "/api/{kind}/{id}/credentials",
            get(credentials::list)
                .post(credentials::issue)
                .patch(credentials::grant)
                .delete(credentials::revoke_all),
        )
        .route(
            "/api/{kind}/{id}/credentials/{credential}",
            delete(credentials::revoke),
        )
        .route(
            "/api/{kind}/{id}/relations",
            get(relations::list)
                .put(relations::put)
                .delete(relations::remove),
        )
        .route(
            "/api/{kind}/{id}/plan",
            get(plans::show).put(plans::put).delete(plans::remove),
        )
        .route("/api/{kind}/{id}/glass", post(relations::break_glass))
        .route("/api/{kind}/{id}/access", get(access::access))
        .route("/api/{kind}/{id}/reach", get(access::reach))
        .route("/api/may", get(access::may))
        .route("/api/journeys", get(journeys::list))
        .route("/api/journeys/{event}", get(journeys::show))
        .route("/api/audit", get(audit::list))
        .route("/api/audit/export", get(audit::export))
        .route("/api/relations", post(relations::import))
        .route("/api/roles", get(relations::roles))
        .route(
            "/api/roles/{name}",
            get(relations::role)
                .put(relations::put_role)
                .delete(relations::remove_role),
        )
        .route("/.well-known/wot", get(directory::well_known))
        .route("/.well-known/core", get(links::core))
        .route("/things", get(directory::list).post(directory::create))
        .route(
            "/things/{id}",
            get(directory::retrieve)
                .put(directory::replace)
                .patch(directory::change)
                .delete(directory::remove),
        )
        .route("/events", get(news::all))
        .route("/events/{type}", get(news::some))
        .route("/search/jsonpath", get(search::jsonpath))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::not_allowed)
        .layer(guarded.clone())
        .with_state(api.clone());
    // What asks the rest of the API is no part of what it asks.
    let scenarios = scenarios::routes(app.clone());
    let scenarios = scenarios
        .method_not_allowed_fallback(problem::not_allowed)
        .layer(guarded);
    app.merge(scenarios.with_state(api))
}

/// What a browser sees first.
async fn welcome(api: Api) -> Response {
    if *api.who() == Who::Nobody {
        return Redirect::to("/sign-in").into_response();
    }
    // Where a name is needed, whoever looks is told with its own.
    let login = |before: &str, after: &str| match api.who().holder() {
        Some(holder) => format!("{before}{}{after}", holder.element()),
        None => String::new(),
    };
    let port = match api.doors.mqtt {
        None | Some(1883) => String::new(),
        Some(port) => format!("-p {port} "),
    };
    (
        [
            ("content-type", "text/html; charset=utf-8"),
            (
                "content-security-policy",
                "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
            ),
        ],
        include_str!("welcome.html")
            .replace("{port}", &port)
            .replace("{login}", &login("-u ", " -P … "))
            .replace("{basic}", &login("-u ", ":… ")),
    )
        .into_response()
}

async fn document() -> impl IntoResponse {
    Json(Document::openapi())
}
