//! `quartet replay`: a series of a file, said as a thing says it, as fast as one wants.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use quartet_fabric::mqtt::{Login, Publish};
use quartet_model::{Qos, Time};
use quartet_scenario::series::{Columns, Point, Series};
use quartet_things::{CONNECTIVITY, dialects::units::Conversion};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{
    hub::{HubOptions, text},
    out::say,
};
use crate::{
    client::{Asker, Client, ConnectOptions, Endpoint, clock},
    scenario::Sockets,
};

/// Bad lines that are told one by one.
const TOLD_MAX: usize = 20;
/// The longest that is waited at once: then it is looked whether it is to end.
const SLICE: Duration = Duration::from_millis(200);

/// The slowest and the fastest that a series is said.
const SPEED_MIN: f64 = 0.01;
const SPEED_MAX: f64 = 1e9;

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok();
    let speed = speed.filter(|speed| (SPEED_MIN..=SPEED_MAX).contains(speed));
    speed
        .ok_or_else(|| format!("a speed is a number from {SPEED_MIN} to {SPEED_MAX}, such as 3600"))
}

/// Arguments of `quartet replay`.
#[derive(Args, Debug)]
#[command(after_help = "\
Lines have a time (2026-01-19T08:00:00Z, or 2026-01-19 08:00:00 in UTC) and a value (a number, or true or false). Each value is
said as the thing would say it, with a credential that is made for that and taken back. Lines that cannot be used are named
and left out; then it ends with exit code 1.

Examples:
  quartet replay temperatures.csv --as things/cellar/temperature --speed 3600
  quartet replay old.csv --as things/cellar --column reading --from-unit °F")]
pub struct ReplayArgs {
    /// The file, or - for standard input
    file: PathBuf,
    /// As which thing, and which of its properties: things/ID or things/ID/PROPERTY
    #[arg(long = "as", value_name = "THING")]
    thing: String,
    /// How many times as fast as it happened
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// The column with the values: its name in the first line, or its number from 1
    #[arg(long, value_name = "COLUMN", default_value = "2")]
    column: String,
    /// The column with the times
    #[arg(long, value_name = "COLUMN", default_value = "1")]
    time: String,
    /// The unit of the values, if it is not that of the property: they are converted
    #[arg(long, value_name = "UNIT")]
    from_unit: Option<String>,
    /// Where the hub listens for MQTT; unless given, where it says that it does
    #[arg(long, env = "QUARTET_URL", value_name = "URL")]
    url: Option<Endpoint>,
    #[command(flatten)]
    hub: HubOptions,
}

/// The property that values are said of.
struct Target {
    element: String,
    property: String,
    unit: Option<String>,
}

/// What was done.
#[derive(Default)]
struct Done {
    said: u64,
    bad: usize,
    first: Option<Time>,
    last: Option<Time>,
}

impl ReplayArgs {
    /// Says all of it.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let name = self.file.display().to_string();
        let file: Box<dyn Read> = match name.as_str() {
            "-" => Box::new(io::stdin().lock()),
            _ => Box::new(File::open(&self.file).with_context(|| format!("cannot read {name}"))?),
        };
        let columns = Columns {
            time: self.time.clone(),
            value: self.column.clone(),
        };
        let series = Series::new(BufReader::new(file), &columns);
        let series = series.map_err(|bad| anyhow::anyhow!("{name}, {bad}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        let hub = self.hub.asker();
        let target = self.target(&hub)?;
        let conversion = match &self.from_unit {
            None => None,
            Some(from) => {
                let Some(to) = &target.unit else {
                    bail!(
                        "`{}` of {} has no unit; leave --from-unit out, or describe the property with one",
                        target.property,
                        target.element
                    );
                };
                let found = Conversion::find(Some(from), to);
                let Ok(found) = found else {
                    bail!(
                        "`{from}` cannot be told in `{to}`, the unit of the property; write units as UCUM does (`[degF]`, `kW.h`) or as people do (`°F`, `kWh`)"
                    );
                };
                Some(found)
            }
        };
        let sockets = Sockets::of(&hub, self.url.as_ref())?;
        let credentials = format!("/api/{}/credentials", target.element);
        let wanted = json!({ "name": "replay", "expiry_s": 30 * 24 * 3600 });
        let issued = hub
            .ask("POST", &credentials, Some(wanted.to_string()))
            .with_context(|| format!("nothing can be said as {}", target.element))?
            .body;
        let result = self.say_all(series, &target, conversion, &sockets, &issued, &stop);
        hub.remove(&format!("{credentials}/{}", text(&issued["id"])))?;
        let done = result?;
        self.tell(&name, &target, &done)
    }

    /// Which property is meant, and its unit.
    fn target(&self, hub: &Asker) -> anyhow::Result<Target> {
        let mut levels = self.thing.splitn(3, '/');
        let (Some(kind), Some(id)) = (levels.next(), levels.next().filter(|id| !id.is_empty()))
        else {
            bail!(
                "`{}` is no thing; write things/ID or things/ID/PROPERTY",
                self.thing
            );
        };
        let element = format!("{kind}/{id}");
        let Some(td) = hub.find(&format!("/api/{element}"))? else {
            bail!(
                "there is no element `{element}`; describe it first, or look at /things for those that there are"
            );
        };
        let properties = td["properties"].as_object().cloned().unwrap_or_default();
        let mut names = properties.keys().filter(|name| *name != CONNECTIVITY);
        let property = match levels.next().filter(|name| !name.is_empty()) {
            Some(name) if properties.contains_key(name) => name.to_owned(),
            Some(name) => {
                let known: Vec<&str> = names.map(String::as_str).collect();
                bail!(
                    "{element} has no property `{name}`; it has {}",
                    match known.is_empty() {
                        true => "none".to_owned(),
                        false => known.join(", "),
                    }
                );
            }
            None => match (names.next(), names.next()) {
                (Some(only), None) => only.clone(),
                (None, _) => bail!("{element} has no properties; values cannot be said of it"),
                (Some(one), Some(_)) => bail!(
                    "{element} has several properties; say which is meant, like --as {element}/{one}"
                ),
            },
        };
        let unit = properties[&property]["unit"].as_str().map(str::to_owned);
        Ok(Target {
            element,
            property,
            unit,
        })
    }

    fn say_all(
        &self,
        series: Series<impl Read>,
        target: &Target,
        conversion: Option<Conversion>,
        sockets: &Sockets,
        issued: &Value,
        stop: &AtomicBool,
    ) -> anyhow::Result<Done> {
        let options = ConnectOptions {
            login: Login {
                user_name: Some(text(&issued["user"]).into()),
                password: Some(text(&issued["password"]).to_owned().into()),
            },
            trust: sockets.trust.clone(),
            ..ConnectOptions::default()
        };
        let mut client = Client::connect(&sockets.url, options)?;
        let topic = format!("{}/properties/{}", target.element, target.property);
        let mut done = Done::default();
        let begun = clock::now();
        for point in series {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let converted = point.and_then(|point| converted(point, conversion));
            let point = match converted {
                Ok(point) => point,
                Err(bad) => {
                    done.bad += 1;
                    match done.bad {
                        1..=TOLD_MAX => eprintln!("quartet: {}, {bad}", self.file.display()),
                        n if n == TOLD_MAX + 1 => eprintln!("quartet: … and more such lines"),
                        _ => {}
                    }
                    continue;
                }
            };
            let first = *done.first.get_or_insert(point.at);
            let due = begun + point.at.since(first).div_f64(self.speed);
            while let Some(rest) = due.checked_duration_since(clock::now())
                && !rest.is_zero()
                && !stop.load(Ordering::Relaxed)
            {
                client.receive(rest.min(SLICE))?; // Keeps the connection alive; nothing comes.
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            client.publish(message(&topic, &point.value))?;
            done.said += 1;
            done.last = Some(point.at);
        }
        client.disconnect()?;
        Ok(done)
    }

    fn tell(&self, name: &str, target: &Target, done: &Done) -> anyhow::Result<()> {
        let at = |time: Option<Time>| time.unwrap_or_default().rfc3339();
        let unit = match (&self.from_unit, &target.unit) {
            (Some(from), Some(to)) => format!(", converted from {from} to {to}"),
            _ => String::new(),
        };
        let told = match done.said {
            0 => format!("Nothing of {name} was said.\n"),
            count => format!(
                "{count} values of {name}, from {} to {}, were said as {}/properties/{} at {} times their speed{unit}.\n",
                at(done.first),
                at(done.last),
                target.element,
                target.property,
                self.speed
            ),
        };
        say(told.as_bytes())?;
        match done.bad {
            0 => Ok(()),
            1 => bail!("one line was left out"),
            n => bail!("{n} lines were left out"),
        }
    }
}

/// A point in the unit of the property.
fn converted(
    mut point: Point,
    conversion: Option<Conversion>,
) -> Result<Point, quartet_scenario::series::BadLine> {
    if let Some(conversion) = conversion {
        let value = conversion.apply(&point.value);
        point.value = value.ok_or_else(|| quartet_scenario::series::BadLine {
            line: point.line,
            what: format!("`{}` is no number, and cannot be converted", point.value),
        })?;
    }
    Ok(point)
}

fn message(topic: &str, value: &Value) -> Publish {
    Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic: topic.into(),
        packet_id: 0,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: value.to_string().into(),
    }
}
