//! The load generator: publishers and subscribers of one scenario in one thread, and the sampling
//! of the server's CPU time around it.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::process;
use crate::relay::{self, FRAME, PUBLISH, SUBSCRIBE};
use crate::scenario::{Rate, Scenario, Shape};

struct Publisher {
    stream: TcpStream,
    fan_out: u64,
    sent: u64,
    received_bytes: u64,
}

impl Publisher {
    fn under_way(&self) -> u64 {
        self.sent - self.received_bytes / (FRAME as u64 * self.fan_out)
    }
}

struct Load {
    scenario: Scenario,
    poll: Poll,
    events: Events,
    publishers: Vec<Publisher>,
    /// With the number of its publisher, which is the topic as well.
    subscribers: Vec<(mio::net::TcpStream, usize)>,
    start: Instant,
    latencies: Vec<u64>,
    buffer: Vec<u8>,
}

/// Prints `key=value` pairs on one line.
pub fn load(port: u16, server: i32, what: Scenario, seconds: f64) -> Result<(), Box<dyn Error>> {
    if what.shape == Shape::Idle {
        return idle(port, server, what.count);
    }
    let mut load = Load::connect(port, what)?;
    let mut control = connect(port)?;
    load.phase(Duration::from_millis(400))?;
    load.latencies.clear();
    let sends = ask_sends(&mut control)?;
    let delivered = load.delivered();
    let ticks = process::user_and_system_ticks(server)?;
    let cpu = process::cpu_time(server)?;
    let start = Instant::now();

    load.phase(Duration::from_secs_f64(seconds))?;

    let elapsed = start.elapsed();
    let cpu = process::cpu_time(server)? - cpu;
    let ticks_after = process::user_and_system_ticks(server)?;
    let delivered = load.delivered() - delivered;
    let sends = ask_sends(&mut control)? - sends;
    let user = (ticks_after.0 - ticks.0) as f64;
    let system = (ticks_after.1 - ticks.1) as f64;
    load.latencies.sort_unstable();
    let middle = load.latencies.get(load.latencies.len() / 2).unwrap_or(&0);
    println!(
        "cpu_us={} frames_per_send={} per_second={} system_share={} latency_us={} rss_kib={}",
        cpu.as_secs_f64() * 1e6 / delivered as f64,
        // The answer to the first question is counted, too.
        delivered as f64 / (sends - 1) as f64,
        delivered as f64 / elapsed.as_secs_f64(),
        system / (user + system).max(1.0),
        *middle as f64 / 1e3,
        process::resident_kib(server)?,
    );
    Ok(())
}

fn idle(port: u16, server: i32, count: usize) -> Result<(), Box<dyn Error>> {
    let settled = Duration::from_millis(200);
    let mut streams = Vec::new();
    let mut subscribe = |count: usize| -> Result<(), Box<dyn Error>> {
        for _ in 0..count {
            let mut stream = connect(port)?;
            let request = relay::frame(SUBSCRIBE, streams.len() as u32, 0);
            exchange(&mut stream, request)?;
            streams.push(stream);
        }
        sleep(settled);
        Ok(())
    };
    // The first ones make the server touch what it needs however many connections there are, such
    // as all receive buffers of a fixed set.
    subscribe(500)?;
    let before = process::resident_kib(server)?;
    let slab = process::kernel_slab_kib()?;
    subscribe(count)?;
    let after = process::resident_kib(server)?;
    let slab_after = process::kernel_slab_kib()?;
    let per_connection = |kib: f64| kib * 1024.0 / count as f64;
    println!(
        "base_kib={before} per_connection={} slab_per_connection={}",
        per_connection(after as f64 - before as f64),
        per_connection(slab_after as f64 - slab as f64),
    );
    Ok(())
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, request: [u8; FRAME]) -> std::io::Result<[u8; FRAME]> {
    let mut answer = [0; FRAME];
    stream.write_all(&request)?;
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn ask_sends(control: &mut TcpStream) -> std::io::Result<u64> {
    let answer = exchange(control, relay::frame(relay::STATS, 0, 0))?;
    Ok(relay::number_of(&answer))
}

impl Load {
    fn connect(port: u16, scenario: Scenario) -> std::io::Result<Self> {
        let (publishers, fan_out) = match scenario.shape {
            Shape::Fan => (1, scenario.count),
            Shape::Pairs | Shape::Idle => (scenario.count, 1),
        };
        let mut load = Self {
            scenario,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            start: Instant::now(),
            latencies: Vec::new(),
            buffer: vec![0; 1 << 18],
        };
        for publisher in 0..publishers {
            for _ in 0..fan_out {
                let mut stream = connect(port)?;
                exchange(&mut stream, relay::frame(SUBSCRIBE, publisher as u32, 0))?;
                stream.set_nonblocking(true)?;
                let mut stream = mio::net::TcpStream::from_std(stream);
                let token = Token(load.subscribers.len());
                let registry = load.poll.registry();
                registry.register(&mut stream, token, Interest::READABLE)?;
                load.subscribers.push((stream, publisher));
            }
            load.publishers.push(Publisher {
                stream: connect(port)?,
                fan_out: fan_out as u64,
                sent: 0,
                received_bytes: 0,
            });
        }
        Ok(load)
    }

    fn delivered(&self) -> u64 {
        let bytes: u64 = self.publishers.iter().map(|p| p.received_bytes).sum();
        bytes / FRAME as u64
    }

    /// Publishes for the given time, then waits until everything has arrived.
    fn phase(&mut self, time: Duration) -> std::io::Result<()> {
        let end = Instant::now() + time;
        let (mut due, mut turn) = (Instant::now(), 0);
        loop {
            let now = Instant::now();
            let mut wait = Duration::from_secs(5);
            if now < end
                && let Rate::Window(window) = self.scenario.rate
            {
                for publisher in 0..self.publishers.len() {
                    let credit = window - self.publishers[publisher].under_way();
                    // No crumbs: how finely one engine answers is not to shape the input.
                    if credit >= window.div_ceil(4) {
                        self.publish(publisher, credit)?;
                    }
                }
            } else if now < end
                && let Rate::Every(interval) = self.scenario.rate
            {
                if now >= due {
                    self.publish(turn % self.publishers.len(), 1)?;
                    turn += 1;
                    due += interval;
                }
                wait = due.saturating_duration_since(Instant::now());
            } else if self.publishers.iter().all(|p| p.under_way() == 0) {
                return Ok(());
            }
            self.receive(wait)?;
        }
    }

    fn publish(&mut self, publisher: usize, frames: u64) -> std::io::Result<()> {
        let now = self.start.elapsed().as_nanos() as u64;
        let frame = relay::frame(PUBLISH, publisher as u32, now);
        let to = &mut self.publishers[publisher];
        to.sent += frames;
        to.stream.write_all(&frame.repeat(frames as usize))
    }

    fn receive(&mut self, wait: Duration) -> std::io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if self.events.is_empty() && wait > Duration::from_secs(1) {
            return Err(std::io::Error::other("the server stopped delivering"));
        }
        let low_rate = matches!(self.scenario.rate, Rate::Every(_));
        for event in &self.events {
            let (stream, publisher) = &mut self.subscribers[event.token().0];
            let length = loop {
                match stream.read(&mut self.buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(length) if length < self.buffer.len() => break length,
                    Ok(length) => self.publishers[*publisher].received_bytes += length as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break 0,
                    Err(error) => return Err(error),
                }
            };
            self.publishers[*publisher].received_bytes += length as u64;
            if low_rate && length >= FRAME {
                let sent = relay::number_of(&self.buffer[..FRAME]);
                let now = self.start.elapsed().as_nanos() as u64;
                self.latencies.push(now.saturating_sub(sent));
            }
        }
        Ok(())
    }
}
