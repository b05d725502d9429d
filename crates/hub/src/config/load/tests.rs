use proptest::prelude::*;

use super::*;
use crate::config::{ClientCertificates, Limits, Listener};

fn origin() -> Option<&'static Path> {
    Some(Path::new("quartet.toml"))
}

fn no_env(_: &str) -> Option<String> {
    None
}

/// Checks the errors of a text as they are shown, without their excerpts.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let errors = parse(text, origin()).err().unwrap_or_default();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let shown: Vec<&str> = shown
        .iter()
        .filter_map(|shown| shown.lines().next())
        .collect();
    assert_eq!(shown, expected, "{text}");
}

#[test]
fn an_error_shows_the_line_and_points_at_the_mistake() {
    let text = "lanes = 2\n[limits]\n  queue_messages_max = \"many\"\n";
    let errors = parse(text, origin()).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "quartet.toml:3:24: limits.queue_messages_max is \"many\", a text; \
         expected a whole number from 1 to 4294967295 [Q0104]\n\
         3 |   queue_messages_max = \"many\"\n  \
           |                        ^^^^^^"
    );
    assert_eq!(errors.len(), 1);
}

#[test]
fn all_mistakes_are_reported_together_from_top_to_bottom() {
    check(
        "lanes = -1\nlissteners = []\nopen = \"yes\"\n[limits]\ninflight_max = 0\nreceive_maximum = 70_000\n[lmits]\na = 1\n",
        &[
            "quartet.toml:1:9: lanes is -1, a whole number; expected a whole number from 1 to 1024, or 0 for one per core [Q0104]",
            "quartet.toml:2:1: there is no key \"lissteners\"; did you mean listeners? [Q0103]",
            "quartet.toml:3:8: open is \"yes\", a text; expected true or false [Q0104]",
            "quartet.toml:5:16: limits.inflight_max is 0, a whole number; expected a whole number from 1 to 65535 [Q0104]",
            "quartet.toml:6:19: limits.receive_maximum is 70000, a whole number; expected a whole number from 1 to 65535 [Q0104]",
            "quartet.toml:7:2: there is no key \"lmits\"; did you mean limits? [Q0103]",
        ],
    );
}

#[test]
fn broken_syntax_does_not_hide_other_mistakes() {
    let text = "data = \"unclosed\n[limits]\ninflight_max = \"x\"\nlanes == 2\n";
    let errors = parse(text, origin()).unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.line, error.code))
        .collect();
    assert!(found.contains(&(1, Code::Syntax)), "{found:?}");
    assert!(found.contains(&(3, Code::WrongValue)), "{found:?}");
    assert!(found.contains(&(4, Code::Syntax)), "{found:?}");
}

#[test]
fn a_key_in_the_wrong_table_is_shown_its_place() {
    check(
        "inflight_max = 1\n[limits]\nlanes = 2\nclient_ca = \"x\"\nwheelbarrow = 1\n",
        &[
            "quartet.toml:1:1: there is no key \"inflight_max\"; did you mean limits.inflight_max? [Q0103]",
            "quartet.toml:3:1: there is no key \"limits.lanes\"; did you mean lanes, above the first [table]? [Q0103]",
            "quartet.toml:4:1: there is no key \"limits.client_ca\"; did you mean tls.client_ca? [Q0103]",
            "quartet.toml:5:1: there is no key \"limits.wheelbarrow\"; docs/configuration.md lists all keys [Q0103]",
        ],
    );
}

#[test]
fn wrong_types_are_named() {
    check(
        "data = 7",
        &["quartet.toml:1:8: data is 7, a whole number; expected a path, as a text [Q0104]"],
    );
    check(
        "limits = 1.5",
        &["quartet.toml:1:10: limits is 1.5, a fraction; expected a table: [limits] [Q0104]"],
    );
    check(
        "lanes = 1979-05-27",
        &[
            "quartet.toml:1:9: lanes is 1979-05-27, a time; expected a whole number from 1 to 1024, or 0 for one per core [Q0104]",
        ],
    );
    check(
        "log = \"inof\"",
        &[
            "quartet.toml:1:7: log is \"inof\", a text; expected a level (off, error, warn, info, debug or trace), also by module as in \"info,quartet_fabric=debug\" [Q0104]",
        ],
    );
    check(
        "listeners = \"mqtt://127.0.0.1\"",
        &[
            "quartet.toml:1:13: listeners is \"mqtt://127.0.0.1\", a text; expected a list of URLs, like [\"mqtt://127.0.0.1:1883\"] [Q0104]",
        ],
    );
    check(
        "[websocket]\norigins = [\"app.example\", \"https://app.example/x\", \"*\", 1]",
        &[
            "quartet.toml:2:12: websocket.origins is \"app.example\", a text; expected scheme, host and maybe port of a page, like \"https://app.example:8443\" [Q0104]",
            "quartet.toml:2:27: websocket.origins is \"https://app.example/x\", a text; expected scheme, host and maybe port of a page, like \"https://app.example:8443\" [Q0104]",
            "quartet.toml:2:52: websocket.origins is \"*\", a text; expected scheme, host and maybe port of a page, like \"https://app.example:8443\" [Q0104]",
            "quartet.toml:2:57: websocket.origins is 1, a whole number; expected scheme, host and maybe port of a page, like \"https://app.example:8443\" [Q0104]",
        ],
    );
}

#[test]
fn amounts_may_name_their_unit() {
    let text = "[limits]\npacket_bytes_max = \"2 MiB\"\nkeep_alive_s_max = \"2 h\"\nsession_expiry_s_max = \"1 day\"\nmemory_bytes_max = \"2 GiB\"\n";
    let limits = parse(text, None).unwrap().limits;
    assert_eq!(limits.packet_bytes_max, 2 << 20);
    assert_eq!(limits.keep_alive_s_max, 7_200);
    assert_eq!(limits.session_expiry_s_max, 86_400);
    assert_eq!(limits.memory_bytes_max, 2 << 30);
    check(
        "[limits]\nkeep_alive_s_max = \"7 days\"",
        &[
            "quartet.toml:2:20: limits.keep_alive_s_max is \"7 days\", a text; expected seconds, as a whole number or a text like \"10 s\", from 1 to 65535, or 0 for no limit [Q0104]",
        ],
    );
}

#[test]
fn the_first_packet_is_never_allowed_more_than_the_others() {
    let limits = parse("limits.packet_bytes_max = 1024", None)
        .unwrap()
        .limits;
    assert_eq!(limits.first_packet_bytes_max, 1024);
}

#[test]
fn an_empty_or_zeroed_file_is_an_error_and_not_a_default() {
    for text in ["", " \n\t\n", "\u{feff}", "\0\0\0\0", "lanes = 1\n\0"] {
        let errors = parse(text, origin()).unwrap_err();
        assert_eq!(errors.len(), 1, "{text:?}");
        assert_eq!(errors[0].code, Code::Unreadable, "{text:?}");
        assert_eq!(errors[0].line, 0, "{text:?}");
    }
    assert!(parse("# nothing to say\n", origin()).is_ok());
}

#[test]
fn no_file_that_was_cut_short_opens_the_hub() {
    let whole = "open = false\nlisteners = [\"mqtts://0.0.0.0?client-certificates=required\"]\n[tls]\nclient_ca = \"ca.pem\"\n";
    for end in 0..whole.len() {
        if let Ok(config) = parse(&whole[..end], origin()) {
            assert!(!config.open, "{}", &whole[..end]);
            let fits = |listener: &Listener| {
                listener.is_local() || listener.client_certificates == ClientCertificates::Required
            };
            assert!(config.listeners.iter().all(fits), "{}", &whole[..end]);
        }
    }
}

#[test]
fn listeners_are_urls_or_tables() {
    let text = "listeners = [\"mqtt://127.0.0.1\"]\n";
    assert_eq!(parse(text, None).unwrap().listeners.len(), 1);
    let text = "[[listeners]]\nurl = \"mqtt://0.0.0.0\"\nexpose = true\n\
                [[listeners]]\nurl = \"mqtts://0.0.0.0\"\nproxy_protocol = true\nclient_certificates = \"optional\"\n\
                [tls]\nclient_ca = \"ca.pem\"\n";
    let shown: Vec<_> = parse(text, None)
        .unwrap()
        .listeners
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            "mqtt://0.0.0.0:1883?expose=yes",
            "mqtts://0.0.0.0:8883?proxy=v2&client-certificates=optional"
        ]
    );
}

#[test]
fn mistakes_in_listeners_are_found_one_by_one() {
    check(
        "listeners = [\n\"mqtt://0.0.0.0\",\n7,\n{ expose = true },\n{ url = \"ws://0.0.0.0\", expoze = true },\n{ url = \"mqtt://0.0.0.0?expose=yes\", expose = false },\n{ url = \"tcp://[::1]\", expose = 1 },\n]\n",
        &[
            "quartet.toml:2:1: mqtt://0.0.0.0:1883 could be reached from other machines, and mqtt:// is not encrypted; use mqtts://, or add ?expose=yes if the network is trusted [Q0106]",
            "quartet.toml:3:1: listeners is 7, a whole number; expected a URL, or a table with url [Q0104]",
            "quartet.toml:4:1: a listener has no url that is a text; write url = \"mqtts://0.0.0.0:8883\" [Q0104]",
            "quartet.toml:5:25: there is no key \"expoze\" of a listener; did you mean expose? [Q0103]",
            "quartet.toml:6:47: expose is false, a yes or no, but the url says otherwise; say it once [Q0105]",
            "quartet.toml:7:9: \"tcp\" is no scheme of a listener; did you mean mqtt://? [Q0106]",
            "quartet.toml:7:33: listeners.expose is 1, a whole number; expected true or false [Q0104]",
        ],
    );
    check(
        "listeners = []",
        &[
            "quartet.toml:1:13: listeners has 0 entries; write 1 to 256, or leave the key out for the default ones [Q0106]",
        ],
    );
}

#[test]
fn what_cannot_be_meant_together_is_refused() {
    check(
        "tls.key = \"k.pem\"",
        &[
            "quartet.toml:1:11: tls.key is given without tls.certificate; give both, or none to let the hub make a certificate [Q0105]",
        ],
    );
    check(
        "tls.certificate = \"c.pem\"",
        &[
            "quartet.toml:1:19: tls.certificate is given without tls.key; give both, or none to let the hub make a certificate [Q0105]",
        ],
    );
    check(
        "listeners = [\"mqtt://127.0.0.1\", \"ws://localhost:1883\"]",
        &[
            "quartet.toml:1:34: ws://127.0.0.1:1883 has the address of another listener; give each its own port or path [Q0105]",
        ],
    );
    check(
        "listeners = [\"mqtt://127.0.0.1:0\", \"mqtt://localhost:0\"]",
        &[],
    );
    check(
        "open = true\nlisteners = [\"mqtts://0.0.0.0\"]",
        &[
            "quartet.toml:1:8: open lets everybody do everything, and mqtts://0.0.0.0:8883 can be reached from other machines; leave open out and make accounts, or listen on 127.0.0.1 only [Q0105]",
        ],
    );
    check(
        "open = true\nlisteners = [\"unix:///run/q\", \"mqtt://[::1]\"]",
        &[],
    );
}

#[test]
fn what_is_said_later_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    fs::write(&path, "lanes = 1\nlog = \"warn\"\ndata = \"kept\"\n[limits]\ninflight_max = 7\nreceive_maximum = 8\n").unwrap();
    let env = |name: &str| match name {
        "QUARTET_LANES" => Some("2".to_owned()),
        "QUARTET_LIMITS_INFLIGHT_MAX" => Some("9".to_owned()),
        "QUARTET_LIMITS_PACKET_BYTES_MAX" => Some("2 MiB".to_owned()),
        "QUARTET_LISTEN" => Some("mqtt://127.0.0.1:1, unix:///run/a%2Cb".to_owned()),
        "QUARTET_LOG" => Some(String::new()),
        _ => None,
    };
    let config = load(Some(&path), None, env, &Overrides::default()).unwrap();
    assert_eq!((config.lanes, config.log.as_str()), (2, "warn"));
    assert_eq!(config.data, folder.path().join("kept"));
    assert_eq!(config.origin.as_deref(), Some(path.as_path()));
    let shown: Vec<_> = config.listeners.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["mqtt://127.0.0.1:1", "unix:///run/a%2Cb"]);
    let expected = Limits {
        inflight_max: 9,
        receive_maximum: 8,
        packet_bytes_max: 2 << 20,
        ..Limits::default()
    };
    assert_eq!(config.limits, expected);

    let overrides = Overrides {
        data: Some("elsewhere".into()),
        listeners: vec!["mqtt://127.0.0.1:2".to_owned()],
        open: Some(true),
        lanes: Some(3),
        log: Some("debug".to_owned()),
    };
    let config = load(Some(&path), None, env, &overrides).unwrap();
    assert_eq!(
        (config.lanes, config.log.as_str(), config.open),
        (3, "debug", true)
    );
    assert_eq!(config.data, Path::new("elsewhere"));
    assert_eq!(config.listeners[0].to_string(), "mqtt://127.0.0.1:2");
}

#[test]
fn errors_outside_of_the_file_name_their_variable_or_option() {
    let env = |name: &str| match name {
        "QUARTET_LANES" => Some("many".to_owned()),
        "QUARTET_OPEN" => Some("yes".to_owned()),
        _ => None,
    };
    let overrides = Overrides {
        listeners: vec!["mqtt://0.0.0.0".to_owned(), "mqtts://0.0.0.0".to_owned()],
        ..Overrides::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let errors = load(None, Some(folder.path()), env, &overrides).unwrap_err();
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "QUARTET_LANES: lanes is \"many\", a text; expected a whole number from 1 to 1024, or 0 for one per core [Q0104]",
            "--listen: mqtt://0.0.0.0:1883 could be reached from other machines, and mqtt:// is not encrypted; use mqtts://, or add ?expose=yes if the network is trusted [Q0106]",
            "QUARTET_OPEN: open lets everybody do everything, and mqtts://0.0.0.0:8883 can be reached from other machines; leave open out and make accounts, or listen on 127.0.0.1 only [Q0105]",
        ]
    );
}

#[test]
fn the_file_in_the_data_folder_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let load = || load(None, Some(data), no_env, &Overrides::default());
    let config = load().unwrap();
    assert_eq!((config.data.as_path(), config.origin), (data, None));

    let path = data.join(FILE_NAME);
    fs::write(&path, "lanes = 4\n").unwrap();
    let config = load().unwrap();
    assert_eq!((config.data.as_path(), config.lanes), (data, 4));
    assert_eq!(config.origin, Some(path.clone()));

    fs::write(&path, "data = \".\"\n").unwrap();
    assert_eq!(load().unwrap().data, data);
    fs::write(&path, "data = \"other\"\n").unwrap();
    assert_eq!(load().unwrap_err()[0].code, Code::Contradiction);
}

#[test]
fn a_file_that_is_there_but_cannot_be_read_refuses_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let refused = |path| {
        let errors = load(path, Some(folder.path()), no_env, &Overrides::default()).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].code, Code::Unreadable);
    };
    refused(Some(path.as_path()));
    fs::create_dir(&path).unwrap();
    refused(None);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"log = \"\xff\"").unwrap();
    refused(None);
    fs::write(&path, vec![b' '; 2 << 20]).unwrap();
    refused(None);
    fs::write(&path, b"").unwrap();
    refused(None);
}

#[test]
fn a_file_full_of_mistakes_is_reported_in_part() {
    let text = (0..10_000)
        .map(|n| format!("k{n} = {n}\n"))
        .collect::<String>();
    assert_eq!(parse(&text, None).unwrap_err().len(), 100);
    assert_eq!(parse(&"= ".repeat(500_000), None).unwrap_err().len(), 1);
    assert!(parse(&"[".repeat(100_000), None).is_err());
    assert!(parse(&format!("a = {}", "[".repeat(100_000)), None).is_err());
}

/// Text that is nearly a configuration.
fn almost() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "listeners",
        "limits",
        "limits.inflight_max",
        "tls.key",
        "open",
        "data",
        "log",
        "url",
        "websocket.origins",
        "[[listeners]]",
        "[limits]",
        "=",
        " = ",
        "\n",
        "\n",
        "\"",
        "'",
        "true",
        "\"mqtt://127.0.0.1\"",
        "[",
        "]",
        "{",
        "}",
        ",",
        "1",
        "-9_9",
        "\"1 MiB\"",
        "ä",
        "\r\n",
        "\t",
        "#",
        ".",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in prop_oneof![any::<String>(), "(?s).{0,200}", almost()]) {
        if let Err(errors) = parse(&text, origin()) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn names_are_those_that_a_certificate_can_hold() {
    let right = "expected a name like \"hub.lan\" or an address like \"192.168.0.7\", without scheme, port and `*`; names with other letters than a to z as \"xn--…\" [Q0104]";
    check(
        "[tls]\nnames = [\"https://hub\", \"*.lan\", 1, \"hub.lan\", \"fd00::7\"]",
        &[
            &format!("quartet.toml:2:10: tls.names is \"https://hub\", a text; {right}"),
            &format!("quartet.toml:2:25: tls.names is \"*.lan\", a text; {right}"),
            &format!("quartet.toml:2:34: tls.names is 1, a whole number; {right}"),
        ],
    );
    check(
        "tls.names = \"hub.lan\"",
        &[
            "quartet.toml:1:13: tls.names is \"hub.lan\", a text; expected a list of texts, like [\"hub.lan\"] [Q0104]",
        ],
    );
}

#[test]
fn broken_syntax_is_said_in_plain_words_once_per_line() {
    check(
        "lanes == 2",
        &["quartet.toml:1:8: extra `=`; leave it out [Q0102]"],
    );
    check(
        "lanes = ",
        &["quartet.toml:1:9: the value is missing; write one [Q0102]"],
    );
    check(
        "log = debug",
        &["quartet.toml:1:7: string values must be quoted; write \"…\" around it [Q0102]"],
    );
    check(
        "lanes = 1\nlanes = 2\n",
        &["quartet.toml:2:1: the key is here a second time; write it once [Q0102]"],
    );
    check(
        "[limits\ninflight_max = 1",
        &["quartet.toml:1:8: unclosed table; expected `]` [Q0102]"],
    );
}
