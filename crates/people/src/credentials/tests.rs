use super::*;

const NOW: Time = Time::from_micros(1_000_000);
const LATER: Time = Time::from_micros(2_000_000);

fn shown(secret: &str) -> Proof {
    Proof::Secret(secret::hash(secret))
}

fn credential(id: &str, secret: &str, issued_at: Time) -> Credential {
    Credential {
        id: id.to_owned(),
        name: None,
        proof: shown(secret),
        issued_at,
        issued_by: "api".to_owned(),
        expires_at: Time::NEVER,
        scope: None,
        session: None,
    }
}

fn session(id: &str, issued_at: Time) -> Credential {
    Credential {
        session: Some(Session {
            device: "Firefox on Linux".to_owned(),
            by: "password".to_owned(),
        }),
        ..credential(id, id, issued_at)
    }
}

fn with_one() -> Credentials {
    let mut all = Credentials::default();
    all.issue(credential("c1", "old", NOW), &Replaces::Nothing, NOW)
        .unwrap();
    all
}

#[test]
fn who_shows_the_secret_is_the_element() {
    let all = with_one();
    let holder = all.admit("things/lamp", shown("old"), NOW).unwrap();
    assert_eq!(
        (&**holder.element(), holder.credential()),
        ("things/lamp", "c1")
    );
    let wrong = all.admit("things/lamp", shown("guess"), NOW);
    assert_eq!(wrong, Err(Refused::Unknown));
    let none = Credentials::default().admit("things/lamp", shown("old"), NOW);
    assert_eq!(none, wrong);
}

#[test]
fn a_certificate_is_no_secret() {
    let Proof::Secret(hash) = shown("old") else {
        unreachable!("it is a secret");
    };
    let all = with_one();
    assert!(
        all.admit("things/lamp", Proof::Certificate(hash), NOW)
            .is_err()
    );
}

#[test]
fn a_rotated_credential_is_good_until_the_overlap_is_over() {
    let mut all = with_one();
    let replaces = Replaces::One("c1".to_owned());
    all.issue(credential("c2", "new", NOW), &replaces, LATER)
        .unwrap();
    let old = all.admit("things/lamp", shown("old"), NOW).unwrap();
    assert_eq!(old.expires_at(), LATER);
    assert!(all.still_admit(&old, NOW).is_some());
    assert!(all.still_admit(&old, LATER).is_none());
    assert!(matches!(
        all.admit("things/lamp", shown("old"), LATER),
        Err(Refused::Expired(_))
    ));
    assert!(all.admit("things/lamp", shown("new"), LATER).is_ok());
}

#[test]
fn without_an_overlap_the_old_one_is_gone_at_once() {
    let mut all = with_one();
    all.issue(credential("c2", "new", LATER), &Replaces::All, LATER)
        .unwrap();
    assert_eq!(all.iter().count(), 1);
    assert!(all.admit("things/lamp", shown("old"), LATER).is_err());
}

#[test]
fn what_is_not_there_cannot_be_replaced() {
    let replaces = Replaces::One("c9".to_owned());
    let issued = with_one().issue(credential("c2", "new", NOW), &replaces, NOW);
    assert_eq!(issued, Err(NotIssued::NothingToReplace("c9".to_owned())));
}

#[test]
fn there_are_only_so_many() {
    let mut all = Credentials::default();
    for n in 0..CREDENTIALS_MAX {
        let one = credential(&format!("c{n}"), &n.to_string(), NOW);
        all.issue(one, &Replaces::Nothing, NOW).unwrap();
    }
    let more = all.issue(credential("more", "more", NOW), &Replaces::Nothing, NOW);
    assert_eq!(more, Err(NotIssued::TooMany));
    assert!(all.revoke("c3") && !all.revoke("c3"));
    all.issue(credential("more", "more", NOW), &Replaces::Nothing, NOW)
        .unwrap();
}

#[test]
fn they_are_read_as_they_were_written() {
    let mut all = with_one();
    all.set_topics(vec!["zigbee2mqtt/#".to_owned()]);
    let read = Credentials::read_changed(all.text().as_bytes()).unwrap();
    assert_eq!(read.text(), all.text());
    assert!(read.admit("things/lamp", shown("old"), NOW).is_ok());
    assert!(!all.text().contains("old"), "the secret itself is kept");
    all.revoke_all();
    all.set_topics(Vec::new());
    // Who keeps record hears of it; with the next change it is gone.
    let text = all.text();
    assert_eq!(
        Credentials::read_changed(text.as_bytes())
            .unwrap()
            .taken()
            .len(),
        1
    );
    let read = Credentials::read(text.as_bytes()).unwrap();
    assert_eq!((read.text(), read), (String::new(), Credentials::default()));
}

#[test]
fn a_login_is_a_name_and_a_secret_or_a_token() {
    let expected = Shown {
        name: "things/lamp".into(),
        proof: shown("s3cret"),
    };
    for (user, password) in [
        (Some("things/lamp"), Some("s3cret")),
        (Some("things/lamp"), Some("things/lamp.s3cret")),
        (Some("things/lamp.s3cret"), None),
        (Some("things/lamp.s3cret"), Some("")),
        (None, Some("things/lamp.s3cret")),
    ] {
        assert_eq!(Shown::of_login(user, password), Some(expected.clone()));
    }
    for (user, password) in [(None, None), (Some("lamp"), None), (None, Some("s3cret"))] {
        assert_eq!(Shown::of_login(user, password), None);
    }
}

#[test]
fn the_oldest_session_ends_when_there_is_one_too_many() {
    let mut all = with_one();
    for n in 0..=SESSIONS_MAX as u64 {
        let one = session(
            &format!("s{n}"),
            NOW.after(std::time::Duration::from_secs(n)),
        );
        all.issue(one, &Replaces::Nothing, NOW).unwrap();
    }
    assert!(all.find("s0").is_none() && all.find("s1").is_some());
    assert!(all.find("c1").is_some(), "what is no session stays");
    all.end_sessions_but("s7");
    let left: Vec<_> = all.iter().map(|there| there.id.as_str()).collect();
    assert_eq!(left, ["c1", "s7"]);
}

#[test]
fn what_was_written_before_there_were_sessions_is_read() {
    let all = with_one();
    assert!(!all.text().contains("session"));
    let read = Credentials::read_changed(all.text().as_bytes()).unwrap();
    assert_eq!(read.find("c1").unwrap().session, None);
}
