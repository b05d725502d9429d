use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(url: &str, expected: &str) {
    match url.parse::<Listener>() {
        Ok(listener) => assert_eq!(listener.to_string(), expected, "{url}"),
        Err(error) => panic!("{url}: {error}"),
    }
}

#[track_caller]
fn check_refused(url: &str, what: &str, right: &str) {
    let error = url.parse::<Listener>().expect_err(url);
    assert!(error.what.contains(what), "{url}: {error}");
    assert!(error.right.contains(right), "{url}: {error}");
}

#[test]
fn a_url_without_port_takes_the_one_of_its_scheme() {
    check("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883");
    check("mqtts://0.0.0.0", "mqtts://0.0.0.0:8883");
    check("ws://localhost", "ws://127.0.0.1:8083");
    check("wss://[::]", "wss://[::]:8084");
    check("http://[::1]/", "http://[::1]:8080");
    check("https://192.0.2.7", "https://192.0.2.7:8443");
    check("coap://localhost", "coap://127.0.0.1:5683");
    check("MQTT://LocalHost:0", "mqtt://127.0.0.1:0");
}

#[test]
fn a_unix_socket_speaks_mqtt() {
    check("unix:///run/quartet.sock", "unix:///run/quartet.sock");
    check("mqtt+unix:///run/a%2Cb", "unix:///run/a%2Cb");
    let listener = "unix:///run/a%20b?proxy=v2".parse::<Listener>().unwrap();
    assert_eq!(listener.scheme, Scheme::Mqtt);
    assert_eq!(listener.at, At::Unix("/run/a b".into()));
    assert!(listener.is_local() && listener.proxy_protocol);
}

#[test]
fn a_unix_socket_that_no_system_could_make_is_refused() {
    check_refused(
        "unix://run/q.sock",
        "no absolute path",
        "unix:///run/q.sock",
    );
    check_refused("unix:///run/%zz", "is no path", "%25");
    check_refused("unix:///run/%00", "is no path", "");
    check_refused("unix:///run/%ff", "is no path", "");
    check_refused("unix:///run/", "is a folder", "");
    check_refused(
        &format!("unix:///{}", "x".repeat(200)),
        "201 bytes",
        "at most 103",
    );
}

#[test]
fn what_is_not_encrypted_stays_on_this_machine_unless_told() {
    check_refused(
        "mqtt://0.0.0.0",
        "is not encrypted",
        "use mqtts://, or add ?expose=yes",
    );
    check_refused("ws://[::]", "is not encrypted", "use wss://");
    check_refused("http://192.0.2.7:80", "is not encrypted", "use https://");
    check_refused(
        "coap://0.0.0.0",
        "is not encrypted",
        "listen on 127.0.0.1, or add ?expose=yes",
    );
    check(
        "mqtt://0.0.0.0?expose=yes",
        "mqtt://0.0.0.0:1883?expose=yes",
    );
    check("mqtt://127.8.8.8", "mqtt://127.8.8.8:1883");
    check(
        "mqtt://[::ffff:127.0.0.1]",
        "mqtt://[::ffff:127.0.0.1]:1883",
    );
}

#[test]
fn an_exposed_listener_is_warned_about_and_others_are_not() {
    let warning = |url: &str| url.parse::<Listener>().unwrap().warning();
    let said = warning("mqtt://0.0.0.0?expose=yes").unwrap();
    assert!(
        said.contains("not encrypted") && said.contains("mqtts://"),
        "{said}"
    );
    assert_eq!(warning("mqtts://0.0.0.0?expose=yes"), None);
    assert_eq!(warning("mqtt://127.0.0.1?expose=yes"), None);
    assert_eq!(warning("unix:///run/q?expose=yes"), None);
}

#[test]
fn options_are_read_and_unknown_ones_refused() {
    check(
        "mqtts://0.0.0.0?client-certificates=required&proxy=v2",
        "mqtts://0.0.0.0:8883?proxy=v2&client-certificates=required",
    );
    check_refused(
        "mqtts://[::]?proxy=v1",
        "\"proxy=v1\" is unknown",
        "proxy=v2",
    );
    check_refused(
        "mqtts://[::]?expose=no",
        "\"expose=no\"",
        "expose=yes or leave it out",
    );
    check_refused("mqtts://[::]?", "\"\" is unknown", "a listener takes");
    check_refused(
        "mqtts://[::]?client-certificates=yes",
        "is unknown",
        "=required",
    );
    check_refused("mqtts://[::]?turbo=on", "turbo", "a listener takes");
}

#[test]
fn no_option_weakens_one_before_it() {
    check_refused(
        "wss://[::]?client-certificates=required&client-certificates=optional",
        "given twice",
        "once",
    );
}

#[test]
fn client_certificates_need_encryption() {
    check_refused(
        "mqtt://127.0.0.1?client-certificates=optional",
        "not encrypted",
        "mqtts://",
    );
    check_refused(
        "unix:///run/q?client-certificates=required",
        "not encrypted",
        "leave",
    );
}

#[test]
fn what_other_brokers_write_is_understood_enough_to_say_it_our_way() {
    check_refused("tcp://127.0.0.1:1883", "no scheme", "did you mean mqtt://?");
    check_refused(
        "ssl://127.0.0.1:1883",
        "no scheme",
        "did you mean mqtts://?",
    );
    check_refused(
        "mqqt://127.0.0.1:1883",
        "no scheme",
        "did you mean mqtt://?",
    );
    check_refused(
        "gopher-over-pigeon://127.0.0.1",
        "no scheme",
        "use mqtt, mqtts",
    );
    check_refused("127.0.0.1:1883", "is no URL", "mqtt://127.0.0.1:1883");
}

#[test]
fn a_host_is_an_address_of_this_machine() {
    check_refused("mqtt://:1883", "names no address", "mqtt://127.0.0.1:1883");
    check_refused("mqtt://*:1883", "names no address", "0.0.0.0");
    check_refused("mqtt://example.org", "is no IP address", "localhost");
    check_refused("mqtt://::1:1883", "without brackets", "[::1]:1883");
    check_refused("mqtt://[::g]", "no IPv6 address", "[::1]");
    check_refused("mqtt://x[::1]", "no IP address", "");
    check_refused("mqtt://127.0.0.1:99999", "\"99999\" is no port", "65535");
    check_refused("mqtt://127.0.0.1:+1", "\"+1\" is no port", "65535");
    check_refused("mqtt://127.0.0.1:", "no port", "65535");
    check_refused("ws://127.0.0.1/mqtt", "more than a host", "ws://127.0.0.1");
    check_refused("mqtt://ana@127.0.0.1", "more than a host", "mqtt://");
}

#[test]
fn coap_comes_in_datagrams_that_nobody_encrypts_yet() {
    let listener = "coap://127.0.0.1".parse::<Listener>().unwrap();
    assert_eq!(listener.at, At::Udp(([127, 0, 0, 1], 5683).into()));
    check_refused("coaps://127.0.0.1", "is not built yet", "coap://");
    check_refused(
        "coap://127.0.0.1?proxy=v2",
        "no connections",
        "leave proxy=v2 out",
    );
    check_refused(
        "coap://127.0.0.1?client-certificates=optional",
        "not encrypted",
        "leave",
    );
}

fn listeners() -> impl Strategy<Value = Listener> {
    let path = "/[^\0]{0,24}[^\0/]".prop_map(|path| At::Unix(path.into()));
    let path = (Just(Scheme::Mqtt), path);
    let scheme = prop::sample::select(Scheme::ALL.to_vec());
    let ip = (scheme, any::<(IpAddr, u16)>()).prop_map(|(scheme, at)| {
        let at = match scheme.is_datagrams() {
            true => At::Udp(at.into()),
            false => At::Tcp(at.into()),
        };
        (scheme, at)
    });
    let certificates = prop::sample::select(vec![
        ClientCertificates::None,
        ClientCertificates::Optional,
        ClientCertificates::Required,
    ]);
    (prop_oneof![path, ip], any::<(bool, bool)>(), certificates).prop_map(
        |((scheme, at), (proxy_protocol, expose), client_certificates)| Listener {
            scheme,
            at,
            proxy_protocol,
            client_certificates,
            expose,
        },
    )
}

proptest! {
    #[test]
    fn a_listener_is_read_back_from_its_url(listener in listeners()) {
        prop_assert_eq!(Listener::read(&listener.to_string()), Ok(listener));
    }

    #[test]
    fn no_text_is_a_panic(text in "(unix|mqtt|wss)?(://)?.*") {
        let _ = text.parse::<Listener>();
    }
}
