//! Scenarios that are part of the program: listed, run by the hub itself, and taken out without a trace.
//!
//! All is done as whoever asks, by the same API that programs use, without a way over the network; the simulated things come
//! in over sockets like any other. What runs ends with the hub.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use axum::{
    Extension, Json, Router,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, header},
    routing::{get, post},
};
use quartet_scenario::{Package, Parameters, Wrong, built_in};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Api,
    credentials::read,
    problem::Problem,
    serve::Caller,
    site::Site,
    take::{Body, Path},
};
use crate::{
    client::{Asker, Endpoint, Inside},
    scenario::{self, Invited, Run},
};

/// The slowest and the fastest clock of a scenario.
const SPEED_MIN: f64 = 0.01;
const SPEED_MAX: f64 = 100_000.0;
/// Headers that say who asks, and from which page.
const SHOWN: [header::HeaderName; 4] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
];

/// What runs in this hub.
pub(super) struct Stage {
    /// The API without this part of it.
    app: Router,
    running: Mutex<BTreeMap<String, Running>>,
}

/// A scenario that runs in a thread.
struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    speed: f64,
    /// Why it ended, or what failed last.
    trouble: Arc<Mutex<Option<String>>>,
}

/// The paths of this part; `app` is all the rest.
pub(super) fn routes(app: Router) -> Router<Api> {
    let stage = Stage {
        app,
        running: Mutex::default(),
    };
    Router::new()
        .route("/api/scenarios", get(list))
        .route("/api/scenarios/{name}", post(run).delete(remove))
        .layer(Extension(Arc::new(stage)))
}

/// The scenarios that there are.
#[utoipa::path(
    get,
    path = "/api/scenarios",
    responses((status = 200, description = "`scenarios`: of each its `name`, `title`, `description`, `version`, `parameters` with what holds if nothing is said, whether it `isThere` and `isRunning` in this hub, and of one that runs its `speed` and what `trouble` it has"))
)]
pub(super) async fn list(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Extension(stage): Extension<Arc<Stage>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    drop(api);
    let asker = stage.asker(&site, &caller, &headers)?;
    let told = blocking(move || {
        let mut all = Vec::new();
        for name in built_in::names() {
            let package = package(name, &Parameters::default())?;
            let is_there = scenario::is_there(&asker, name).map_err(told)?;
            let settings = package.settings.iter();
            let settings = settings.map(|(name, setting)| {
                json!({ "name": name, "title": setting.title, "default": setting.default })
            });
            let mut one = json!({
                "name": name,
                "title": package.title,
                "description": package.description.trim(),
                "version": package.version,
                "parameters": settings.collect::<Vec<_>>(),
                "isThere": is_there,
                "isRunning": false,
            });
            let running = stage.running();
            if let Some(running) = running.get(name) {
                one["isRunning"] = (!running.thread.is_finished()).into();
                one["speed"] = running.speed.into();
                let trouble = running.trouble.lock();
                let trouble = trouble.unwrap_or_else(PoisonError::into_inner);
                one["trouble"] = trouble.clone().into();
            }
            all.push(one);
        }
        Ok(all)
    });
    Ok(Json(json!({ "scenarios": told.await? })))
}

/// How a scenario is run.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    speed: f64,
    set: BTreeMap<String, Value>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            speed: 1.0,
            set: BTreeMap::new(),
        }
    }
}

/// Puts a scenario into this hub and simulates its things, until it is removed or the hub ends.
#[utoipa::path(
    post,
    path = "/api/scenarios/{name}",
    params(("name" = String, Path)),
    request_body(content = Vec<u8>, description = "Empty, or an object with `speed`, how many times as fast as ours its clock goes, and `set`, values of parameters by name"),
    responses(
        (status = 201, description = "All of it is there, and is simulated. `lookAt`: elements and what is to be seen there; `invited`: people, each with a `link` to open its account"),
        (status = 400, description = "It cannot be run so, with the reason"),
        (status = 404, description = "There is no such scenario"),
        (status = 409, description = "Something of somebody else has one of its names, or it cannot be simulated here"),
    )
)]
pub(super) async fn run(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Extension(stage): Extension<Arc<Stage>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wanted = match &body[..] {
        [] => Wanted::default(),
        body => read::<Wanted>(body, "speed and set")?,
    };
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    if !(SPEED_MIN..=SPEED_MAX).contains(&wanted.speed) {
        let speed = wanted.speed;
        return Err(bad(format!(
            "speed is {speed}; must be from {SPEED_MIN} to {SPEED_MAX}"
        )));
    }
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let said = Parameters {
        speed: wanted.speed,
        said: wanted
            .set
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect(),
    };
    let package = package(&name, &said)?;
    let Some(port) = api.doors.mqtt else {
        let what = "this hub has no listener mqtt://, by which simulated things come in";
        return Err(Problem::new(StatusCode::CONFLICT, what));
    };
    let url = Endpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let asker = stage.asker(&site, &caller, &headers)?;
    let look_at: Vec<Value> = package
        .look_at
        .iter()
        .map(|look| json!({ "element": look.element, "says": look.says }))
        .collect();
    let title = package.title.clone();
    let invited = blocking(move || {
        stage.stop(&name);
        let (up, is_up) = oneshot::channel();
        let running = start(&name, package, said.speed, asker, url, up)?;
        stage.running().insert(name, running);
        let invited = is_up.blocking_recv();
        invited
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it ended at once")))
            .map_err(told)
    })
    .await?;
    let invited: Vec<Value> = invited
        .into_iter()
        .map(|one| json!({ "title": one.title, "description": one.description, "link": one.link }))
        .collect();
    let answer = json!({ "title": title, "lookAt": look_at, "invited": invited });
    Ok((StatusCode::CREATED, Json(answer)))
}

type Up = oneshot::Sender<anyhow::Result<Vec<Invited>>>;

/// Runs a package in a thread of its own; tells once whether all of it is there.
fn start(
    name: &str,
    package: Package,
    speed: f64,
    asker: Asker,
    url: Endpoint,
    up: Up,
) -> Result<Running, Problem> {
    let stop = Arc::new(AtomicBool::new(false));
    let trouble = Arc::new(Mutex::new(None));
    let (is_over, note) = (Arc::clone(&stop), Arc::clone(&trouble));
    let run = move || {
        let mut up = Some(up);
        let run = Run {
            hub: &asker,
            package: &package,
            speed,
            url: Some(&url),
            stop: &is_over,
        };
        let say = |what: String| {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        };
        let result = run.run(
            &mut |invited| {
                if let Some(up) = up.take() {
                    let _ = up.send(Ok(invited)); // Whoever asked may be gone.
                }
                Ok(())
            },
            &mut |failure| say(format!("in the simulation of {failure}")),
        );
        if let Err(why) = result {
            say(format!("{why:#}"));
            if let Some(up) = up.take() {
                let _ = up.send(Err(why));
            }
        }
    };
    let thread = thread::Builder::new()
        .name(format!("scenario-{name}"))
        .spawn(run)
        .map_err(|error| {
            let what = format!("there is no thread for it: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
        })?;
    Ok(Running {
        stop,
        thread,
        speed,
        trouble,
    })
}

/// Takes a scenario out of this hub: nothing of it stays.
#[utoipa::path(
    delete,
    path = "/api/scenarios/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "It is gone, and is simulated no more"),
        (status = 404, description = "It is not in this hub"),
    )
)]
pub(super) async fn remove(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Extension(stage): Extension<Arc<Stage>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    drop(api);
    let asker = stage.asker(&site, &caller, &headers)?;
    let gone = blocking(move || {
        stage.stop(&name);
        let gone = scenario::remove(&asker, &name).map_err(told)?;
        gone.map(|_| ()).ok_or_else(|| {
            let what = format!("the scenario `{name}` is not in this hub");
            Problem::new(StatusCode::NOT_FOUND, what)
        })
    });
    gone.await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Stage {
    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ran of this name ends, in order.
    fn stop(&self, name: &str) {
        let running = self.running().remove(name);
        if let Some(running) = running {
            running.stop.store(true, Ordering::Relaxed);
            let _ = running.thread.join(); // What it had to say it has said.
        }
    }

    /// Asks the API as whoever asks now.
    fn asker(&self, site: &Site, caller: &Caller, headers: &HeaderMap) -> Result<Asker, Problem> {
        let mut shown = HeaderMap::new();
        for name in SHOWN {
            if let Some(value) = headers.get(&name) {
                shown.insert(name, value.clone());
            }
        }
        let inside = Inside::new(self.app.clone(), shown, caller.clone());
        Asker::inside(&site.origin(), inside).map_err(|why| {
            let what = format!("the request names no host that can be asked: {why}");
            Problem::new(StatusCode::BAD_REQUEST, what)
        })
    }
}

/// A package that is part of the program.
fn package(name: &str, said: &Parameters) -> Result<Package, Problem> {
    let Some(files) = built_in::files(name) else {
        let known: Vec<&str> = built_in::names().collect();
        let what = format!(
            "there is no scenario `{name}`; there is {}",
            known.join(", ")
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, what));
    };
    Package::read(&files, said).map_err(|wrongs| {
        let told: Vec<String> = wrongs.iter().map(Wrong::to_string).collect();
        Problem::new(StatusCode::BAD_REQUEST, told.join("; "))
    })
}

/// What waits for answers of the API does so where nobody else waits.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(what).await {
        Ok(done) => done,
        Err(_) => {
            let what = "the hub ends";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, what))
        }
    }
}

/// A refusal on the way is a conflict with what is there.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what errors are mapped by"
)]
fn told(why: anyhow::Error) -> Problem {
    Problem::new(StatusCode::CONFLICT, format!("{why:#}"))
}
