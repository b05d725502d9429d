use std::{fs, process::Command};

use crate::support::{Everywhere, Program, succeed};

/// How a client comes in: what it adds to its command line.
struct Way<'h> {
    name: String,
    version: &'static str,
    arguments: Vec<String>,
    everywhere: &'h Everywhere,
}

/// Both versions, over TCP, TLS and a Unix socket.
fn each_way(check: impl Fn(&Way<'_>)) {
    let everywhere = &Everywhere::start();
    let hub = &everywhere.hub;
    let tcp = |scheme| {
        let port = hub.port(scheme).to_string();
        ["-h", "127.0.0.1", "-p", &port].map(str::to_owned).to_vec()
    };
    let mut tls = tcp("mqtts");
    let authority = everywhere.authority.file.display().to_string();
    tls.extend(["--cafile".to_owned(), authority]);
    let socket = everywhere.socket.display().to_string();
    let unix = vec!["--unix".to_owned(), socket];
    for version in ["311", "5"] {
        let ways = [
            ("tcp", tcp("mqtt")),
            ("tls", tls.clone()),
            ("unix", unix.clone()),
        ];
        for (way, arguments) in ways {
            check(&Way {
                name: format!("{way}-{version}"),
                version,
                arguments,
                everywhere,
            });
        }
    }
}

impl Way<'_> {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        // Line by line: these programs keep their last words while nobody watches.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", program, "-V", self.version]);
        command.args(&self.arguments).args(arguments);
        command
    }

    #[track_caller]
    fn publish(&self, topic: &str, arguments: &[&str]) {
        let mut command = self.command("mosquitto_pub", &["-t", topic]);
        succeed(command.args(arguments));
    }

    /// A subscriber that has subscribed.
    #[track_caller]
    fn subscriber(&self, arguments: &[&str]) -> Program {
        let mut command = self.command("mosquitto_sub", &["-d", "-F", "GOT %t %q %r %x"]);
        let mut program = Program::start(command.args(arguments));
        program.says("Subscribed (mid");
        program
    }

    /// A topic of this way's own.
    fn topic(&self, name: &str) -> String {
        format!("{name}/{}", self.name)
    }
}

/// What came, as `topic qos retain payload-in-hex`, in any order.
fn got(program: &Program) -> Vec<String> {
    let out = program.out();
    let lines = out.iter().filter_map(|line| line.strip_prefix("GOT "));
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn messages_arrive_exactly_as_sent_at_each_qos() {
    each_way(|way| {
        let topic = way.topic("exact");
        let mut subscriber = way.subscriber(&["-q", "2", "-t", &topic, "-C", "3"]);
        let mut expected = Vec::new();
        for qos in ["0", "1", "2"] {
            let payload: Vec<u8> = (0..=255).cycle().take(20_000 + expected.len()).collect();
            let file = way.everywhere.hub.folder().join("payload");
            fs::write(&file, &payload).unwrap();
            let file = file.display().to_string();
            way.publish(&topic, &["-q", qos, "-f", &file]);
            expected.push(format!("{topic} {qos} 0 {}", hex(&payload)));
        }
        assert!(subscriber.ended().success());
        assert!(got(&subscriber) == expected, "{}", way.name);
    });
}

#[test]
fn a_retained_message_stands_until_it_is_cleared() {
    each_way(|way| {
        let (kept, cleared) = (way.topic("kept"), way.topic("cleared"));
        for topic in [&kept, &cleared] {
            way.publish(topic, &["-r", "-q", "1", "-m", "stands"]);
        }
        way.publish(&cleared, &["-r", "-q", "1", "-n"]);
        let end = way.topic("end");
        let mut subscriber = way.subscriber(&["-q", "1", "-t", &kept, "-t", &cleared, "-t", &end]);
        way.publish(&end, &["-q", "1", "-m", "x"]);
        subscriber.says(&format!("GOT {end}"));
        let stands = format!("{kept} 1 1 {}", hex(b"stands"));
        assert_eq!(got(&subscriber), [format!("{end} 1 0 78"), stands]);
    });
}

#[test]
fn a_will_is_published_when_its_client_is_gone_and_not_when_it_leaves() {
    each_way(|way| {
        let topic = way.topic("will");
        let mut watcher = way.subscriber(&["-q", "2", "-t", &topic]);
        let will = ["--will-topic", &topic, "--will-qos", "1", "--will-payload"];
        let dying = [&will[..], &["gone", "-t", "unused"]].concat();
        way.subscriber(&dying).kill();
        watcher.says(&format!("GOT {topic}"));
        let leaving = [&will[..], &["left", "-t", &topic, "-C", "1"]].concat();
        let mut leaving = way.subscriber(&leaving);
        way.publish(&topic, &["-q", "1", "-m", "end"]);
        assert!(leaving.ended().success());
        way.publish(&topic, &["-q", "1", "-m", "really"]);
        watcher.says(&format!("GOT {topic} 1 0 {}", hex(b"really")));
        let expected = ["end", "gone", "really"];
        assert_eq!(
            got(&watcher),
            expected.map(|said| format!("{topic} 1 0 {}", hex(said.as_bytes())))
        );
    });
}

#[test]
fn what_was_missed_waits_in_the_session() {
    each_way(|way| {
        let topic = way.topic("missed");
        let id = way.topic("id");
        let mut session = vec!["-c", "-i", &id, "-q", "2", "-t", &topic];
        if way.version == "5" {
            session.extend(["-x", "300"]);
        }
        let mut command = way.command("mosquitto_sub", &session);
        succeed(command.arg("-E"));
        let mut expected = Vec::new();
        for (qos, payload) in [("1", "a"), ("2", "b"), ("1", "c"), ("2", "d")] {
            way.publish(&topic, &["-q", qos, "-m", payload]);
            expected.push(format!("{topic} {qos} {payload}"));
        }
        let mut command = way.command("mosquitto_sub", &session);
        let mut out = succeed(command.args(["-C", "4", "-F", "%t %q %p"]));
        // At QoS 2 a client has a message only when it is released, after others perhaps.
        out.sort();
        expected.sort();
        assert_eq!(out, expected);
    });
}

#[test]
fn a_request_gets_its_response() {
    each_way(|way| {
        let (asked, answered) = (way.topic("asked"), way.topic("answered"));
        let mut responder = way.subscriber(&["-q", "1", "-t", &asked]);
        let request = ["-q", "1", "-t", &asked, "-e", &answered, "-m", "how"];
        let mut requester = Program::start(&mut way.command("mosquitto_rr", &request));
        responder.says(&format!("GOT {asked}"));
        way.publish(&answered, &["-q", "1", "-m", "so"]);
        assert!(requester.ended().success());
        assert_eq!(requester.out(), ["so"]);
    });
}
