use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Hub, Program, Raw, quartet, wait_for};

/// Says something until it is heard: who has just come back may still be subscribing.
#[track_caller]
fn say_until_heard(socket: &std::path::Path, listener: &Program, text: &str) {
    let mut speaker = Raw::unix(socket, 5, "speaker");
    wait_for(text, || {
        speaker.publish("said", text.as_bytes());
        listener.out().iter().any(|line| line == text).then_some(())
    });
}

#[test]
fn a_subscriber_comes_back_when_the_hub_does() {
    let sockets = TempDir::new().unwrap();
    let socket = sockets.path().join("mqtt.sock");
    let url = format!("unix://{}", socket.display());
    let mut hub = Hub::start(&[&url]);
    let mut command = quartet();
    command.args(["sub", "--url", &url, "--output", "raw", "said"]);
    let listener = Program::start(&mut command);
    say_until_heard(&socket, &listener, "before");
    hub.signal(Signal::TERM);
    hub.ended();
    listener.complains("trying again");
    let _hub = Hub::start(&[&url]);
    listener.complains("connected again");
    say_until_heard(&socket, &listener, "after");
}

#[test]
fn a_subscriber_that_is_to_end_with_its_connection_does() {
    let sockets = TempDir::new().unwrap();
    let socket = sockets.path().join("mqtt.sock");
    let url = format!("unix://{}", socket.display());
    let hub = Hub::start(&[&url]);
    let mut command = quartet();
    command.args(["sub", "--url", &url, "--output", "raw", "--once", "said"]);
    let mut listener = Program::start(&mut command);
    say_until_heard(&socket, &listener, "before");
    hub.signal(Signal::TERM);
    assert!(!listener.ended().success());
    assert!(!listener.err().contains("trying again"));
}
