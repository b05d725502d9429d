//! The whole comparison: every round measures each scenario on each engine in turn, with a new
//! server each time, and rotates which engine goes first.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

type Values = HashMap<String, f64>;
type Fallible<T> = Result<T, Box<dyn Error>>;

const ENGINES: [&str; 3] = ["epoll", "tokio", "uring"];
const IDLE: &str = "idle-4000";
const SCENARIOS: [(&str, &str); 10] = [
    ("fan-1-low", "1 -> 1, low rate"),
    ("fan-100-low", "1 -> 100, low rate"),
    ("fan-1000-low", "1 -> 1000, low rate"),
    ("pairs-200-low", "200 pairs, low rate"),
    ("pairs-200-single", "200 pairs, one frame each under way"),
    ("fan-1-full", "1 -> 1, flat out"),
    ("fan-100-full", "1 -> 100, flat out"),
    ("fan-1000-full", "1 -> 1000, flat out"),
    ("pairs-200-full", "200 pairs, flat out"),
    (IDLE, "4,000 idle connections"),
];

/// The results of all rounds, per scenario and engine.
type Results = HashMap<(&'static str, &'static str), Vec<Values>>;

/// Ends the server when the measurement is over, in whatever way.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run(options: &[&str]) -> Fallible<()> {
    let (mut rounds, mut seconds) = (11, 1.5);
    for option in options.chunks(2) {
        match *option {
            ["--rounds", value] => rounds = value.parse()?,
            ["--seconds", value] => seconds = value.parse()?,
            _ => return Err(format!("unknown option {option:?}").into()),
        }
    }
    let mut results = Results::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (scenario, _) in SCENARIOS {
            for place in 0..ENGINES.len() {
                let engine = ENGINES[(round + place) % ENGINES.len()];
                let values = measure(engine, scenario, seconds)?;
                results.entry((scenario, engine)).or_default().push(values);
            }
        }
    }
    print(&results, rounds, seconds);
    Ok(())
}

fn measure(engine: &str, scenario: &str, seconds: f64) -> Fallible<Values> {
    let program = std::env::current_exe()?;
    // A port that is free now; the listener closes at the end of the statement.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let server = Command::new(&program)
        .args(["serve", engine, &port.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let server = Server(server);
    let give_up = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > give_up {
            return Err(format!("the {engine} server does not answer").into());
        }
        sleep(Duration::from_millis(10));
    }
    let output = Command::new(&program)
        .args(["load", &port.to_string(), &server.0.id().to_string()])
        .args([scenario, &seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("load {scenario} on {engine} failed").into());
    }
    let text = String::from_utf8(output.stdout)?;
    let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
    let mut values = Values::new();
    for (key, value) in pairs {
        values.insert(key.to_owned(), value.parse()?);
    }
    Ok(values)
}

fn print(results: &Results, rounds: usize, seconds: f64) {
    let median = |scenario, engine, key: &str| {
        let runs = &results[&(scenario, engine)];
        quantile(runs.iter().map(|values| values[key]).collect(), 0.5)
    };
    println!("Medians of {rounds} rounds of {seconds} s each.\n");
    println!("Server CPU per delivered frame; in brackets the median of the rounds' ratios to");
    println!("epoll and the quartiles of these ratios.\n");
    println!("| Scenario | epoll (mio) | tokio | io_uring |");
    println!("|---|---|---|---|");
    let loaded = || SCENARIOS.into_iter().filter(|(name, _)| *name != IDLE);
    for (scenario, title) in loaded() {
        let base = &results[&(scenario, ENGINES[0])];
        let cells = ENGINES.map(|engine| {
            let cost = median(scenario, engine, "cpu_us");
            if engine == ENGINES[0] {
                return format!("{cost:.2} us");
            }
            let runs = &results[&(scenario, engine)];
            let ratios = runs.iter().zip(base);
            let ratios: Vec<f64> = ratios
                .map(|(it, base)| it["cpu_us"] / base["cpu_us"])
                .collect();
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|at| quantile(ratios.clone(), at));
            format!("{cost:.2} us ({middle:.2}; {low:.2}-{high:.2})")
        });
        println!("| {title} | {} |", cells.join(" | "));
    }
    println!("\nWhat explains it (epoll / tokio / io_uring).\n");
    println!(
        "| Scenario | frames per send | share of CPU in kernel | delivered per s | median latency |"
    );
    println!("|---|---|---|---|---|");
    for (scenario, title) in loaded() {
        let all = |key: &str, scale: f64, digits: usize, unit: &str| {
            let cell = ENGINES
                .map(|engine| format!("{:.digits$}", median(scenario, engine, key) * scale))
                .join(" / ");
            format!("{cell}{unit}")
        };
        let low = scenario.ends_with("low");
        println!(
            "| {title} | {} | {} | {} | {} |",
            all("frames_per_send", 1.0, 1, ""),
            // At the low rate too few ticks of 10 ms come together to divide them.
            if low {
                "-".to_owned()
            } else {
                all("system_share", 100.0, 0, " %")
            },
            all("per_second", 1e-3, if low { 1 } else { 0 }, " k"),
            if low {
                all("latency_us", 1.0, 0, " us")
            } else {
                "-".to_owned()
            },
        );
    }
    println!("\nMemory.\n");
    println!("| | epoll (mio) | tokio | io_uring |");
    println!("|---|---|---|---|");
    for (key, title, unit) in [
        ("base_kib", "Resident with 500 connections", "KiB"),
        ("per_connection", "Resident per idle connection", "B"),
        (
            "slab_per_connection",
            "Kernel slab per idle connection, both ends",
            "B",
        ),
    ] {
        let cells = ENGINES.map(|engine| format!("{:.0} {unit}", median(IDLE, engine, key)));
        println!("| {title} | {} |", cells.join(" | "));
    }
}

fn quantile(mut values: Vec<f64>, at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = at * (values.len() - 1) as f64;
    let (low, high) = (
        values[place.floor() as usize],
        values[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}
