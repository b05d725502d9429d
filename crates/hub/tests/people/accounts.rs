use serde_json::{Value, json};

use crate::support::{Answer, Events, Hub, http, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];
const PASSWORD: &str = "tree lamp river stone";

fn hub() -> Hub {
    Hub::start(&LISTENERS)
}

/// A request of a browser that has this cookie.
fn ask(hub: &Hub, request: &str, cookie: &str, body: &Value) -> Answer {
    let headers = [("cookie", cookie)];
    let headers = if cookie.is_empty() {
        &[][..]
    } else {
        &headers[..]
    };
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    http(hub.at("http://"), request, headers, &body)
}

/// The cookie that an answer sets, as a browser sends it back.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.headers.get("set-cookie");
    let set = set.unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

/// Makes ana the owner; gives the cookie of her session.
#[track_caller]
fn own(hub: &Hub) -> String {
    let claim =
        json!({ "code": hub.first_code(), "id": "ana", "name": "Ana", "password": PASSWORD });
    let claimed = ask(hub, "POST /api/account/claim", "", &claim);
    assert_eq!(claimed.status, 201, "{}", claimed.body);
    cookie(&claimed)
}

fn sign_in(hub: &Hub, user: &str, password: &str) -> Answer {
    let shown = json!({ "user": user, "password": password });
    ask(hub, "POST /api/session", "", &shown)
}

#[test]
fn the_link_makes_the_first_owner_once_and_is_fresh_at_each_start() {
    let mut hub = hub();
    let old = hub.first_code();
    hub.die_and_begin_again();
    let look = |hub: &Hub, code: &str| {
        ask(
            hub,
            "POST /api/account/claim/look",
            "",
            &json!({ "code": code }),
        )
        .status
    };
    assert_eq!(look(&hub, &old), 403, "the code of the last start is void");
    assert_eq!(look(&hub, &hub.first_code()), 200);
    let session = own(&hub);
    assert_eq!(look(&hub, &hub.first_code()), 403, "it is used");
    let who = ask(&hub, "GET /api/session", &session, &Value::Null);
    assert_eq!(who.status, 200, "{}", who.body);
    let who = who.json();
    assert_eq!(
        (&who["element"], &who["name"]),
        (&json!("people/ana"), &json!("Ana"))
    );
    assert_eq!(who["factors"]["password"], true);
    let described = ask(&hub, "GET /api/people/ana", "", &Value::Null);
    assert_eq!(described.json()["title"], "Ana", "{}", described.body);
    hub.die_and_begin_again();
    assert!(!hub.said().iter().any(|line| line.contains("/start#")));
    assert_eq!(
        ask(&hub, "GET /api/session", &session, &Value::Null).status,
        200
    );
}

#[test]
fn what_the_hub_says_to_paste_works() {
    let hub = Hub::closed(&LISTENERS);
    let line = wait_for("a line to paste", || {
        let mut said = hub.said().into_iter();
        said.find(|line| line.contains("mosquitto_pub"))
    });
    let (_, command) = line.split_once(':').unwrap();
    let mut shell = std::process::Command::new("sh");
    let command = format!("{} -q 1", command.trim());
    crate::support::succeed(shell.args(["-c", &command]));
    let mut words = command.split(' ').skip_while(|word| *word != "-P");
    let bearer = format!("Bearer things/hello.{}", words.nth(1).unwrap());
    let read = "GET /api/retained?topic=things/hello/properties/greeting";
    let answer = http(hub.at("http://"), read, &[("authorization", &bearer)], "");
    assert_eq!(answer.status, 403, "it may nothing but be itself");
    let mut events = Events::open(
        hub.at("http://"),
        "/api/subscribe?filter=things/hello/%23",
        &[("authorization", &bearer)],
    );
    assert_eq!(events.next().data["data"], "Good morning");
}

#[test]
fn a_person_signs_in_and_out() {
    let hub = hub();
    own(&hub);
    for user in ["ana", "people/ana", " ana "] {
        let signed_in = sign_in(&hub, user, PASSWORD);
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let session = cookie(&signed_in);
        assert_eq!(
            ask(&hub, "GET /api/account", &session, &Value::Null).status,
            200
        );
        let out = ask(&hub, "DELETE /api/session", &session, &Value::Null);
        assert_eq!(out.status, 204);
        assert!(out.headers["set-cookie"].contains("Max-Age=0"));
        let gone = ask(&hub, "GET /api/account", &session, &Value::Null);
        assert_eq!(gone.status, 401, "{}", gone.body);
        assert_eq!(gone.json()["needs"], "sign-in");
        // With a session that is over pages load, and one can sign in again.
        for path in [
            "GET /sign-in",
            "GET /account",
            "GET /start",
            "GET /assets/account.css",
        ] {
            assert_eq!(
                ask(&hub, path, &session, &Value::Null).status,
                200,
                "{path}"
            );
        }
    }
}

#[test]
fn nobody_is_told_who_has_an_account() {
    let hub = hub();
    own(&hub);
    let unknown = sign_in(&hub, "nobody", PASSWORD);
    let wrong = sign_in(&hub, "ana", "tree lamp river");
    let odd = sign_in(&hub, "a/b#", "tree lamp river");
    assert_eq!((unknown.status, wrong.status), (401, 401));
    assert_eq!((&unknown.body, &odd.body), (&wrong.body, &wrong.body));
    assert!(
        !wrong.headers["www-authenticate"].contains("Basic"),
        "no window of the browser"
    );
}

#[test]
fn who_guesses_a_password_waits_and_others_do_not() {
    let hub = hub();
    own(&hub);
    let mut guesses = 0;
    let waits = loop {
        let guess = sign_in(&hub, "ana", "no idea at all");
        guesses += 1;
        if guess.status == 429 {
            break guess;
        }
        assert_eq!(guess.status, 401, "{}", guess.body);
        assert!(guesses < 20, "nobody waits");
    };
    assert!(waits.headers.contains_key("retry-after"));
    assert_eq!(sign_in(&hub, "ana", PASSWORD).status, 429);
    assert_eq!(sign_in(&hub, "bob", PASSWORD).status, 401);
}

#[test]
fn what_changes_something_must_come_from_a_page_of_the_hub() {
    let hub = hub();
    let session = own(&hub);
    let at = hub.at("http://");
    let from = |site: &str| {
        let headers = [("cookie", &*session), ("sec-fetch-site", site)];
        let body = json!({ "name": "mine" }).to_string();
        http(at, "POST /api/account/tokens", &headers, &body).status
    };
    assert_eq!((from("cross-site"), from("same-site")), (403, 403));
    let evil = [("cookie", &*session), ("origin", "http://evil.example")];
    assert_eq!(http(at, "DELETE /api/session", &evil, "").status, 403);
    assert_eq!(from("same-origin"), 201);
}

#[test]
fn sessions_end_everywhere_when_they_are_revoked_and_streams_with_them() {
    let hub = hub();
    let here = own(&hub);
    let there = cookie(&sign_in(&hub, "ana", PASSWORD));
    let stream = "/api/subscribe?filter=people/ana/%23";
    let stream = Events::open(hub.at("http://"), stream, &[("cookie", &there)]);
    let account = ask(&hub, "GET /api/account", &here, &Value::Null).json();
    let sessions = account["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{account}");
    let other = sessions.iter().find(|one| one["isThis"] == false).unwrap();
    let path = format!(
        "DELETE /api/account/sessions/{}",
        other["id"].as_str().unwrap()
    );
    assert_eq!(ask(&hub, &path, &here, &Value::Null).status, 204);
    assert_eq!(ask(&hub, &path, &here, &Value::Null).status, 404);
    stream.end();
    assert_eq!(
        ask(&hub, "GET /api/session", &there, &Value::Null).status,
        401
    );
    let there = cookie(&sign_in(&hub, "ana", PASSWORD));
    assert_eq!(
        ask(&hub, "DELETE /api/account/sessions", &here, &Value::Null).status,
        204
    );
    assert_eq!(
        ask(&hub, "GET /api/session", &there, &Value::Null).status,
        401
    );
    assert_eq!(
        ask(&hub, "GET /api/session", &here, &Value::Null).status,
        200
    );
}

#[test]
fn a_password_is_changed_by_whoever_knows_it_and_must_be_good() {
    let hub = hub();
    let session = own(&hub);
    let other = cookie(&sign_in(&hub, "ana", PASSWORD));
    let set = |current: &str, new: &str| {
        let body = json!({ "current": current, "new": new });
        ask(&hub, "PUT /api/account/password", &session, &body)
    };
    for (new, says) in [
        ("short", "at least 10"),
        ("AnaAnaAnaAna", "your name"),
        ("password123", "first that anyone tries"),
    ] {
        let answer = set(PASSWORD, new);
        assert_eq!(answer.status, 400, "{new}");
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    assert_eq!(set("not this one", "another long sentence").status, 403);
    assert_eq!(set(PASSWORD, "another long sentence").status, 204);
    assert_eq!(
        ask(&hub, "GET /api/session", &other, &Value::Null).status,
        401
    );
    assert_eq!(
        ask(&hub, "GET /api/session", &session, &Value::Null).status,
        200
    );
    assert_eq!(sign_in(&hub, "ana", PASSWORD).status, 401);
    assert_eq!(sign_in(&hub, "ana", "another long sentence").status, 200);
}

#[test]
fn a_token_is_shown_once_comes_in_and_does_not_change_the_account() {
    let hub = hub();
    let session = own(&hub);
    let wanted = json!({ "name": "my script", "expiry_s": 3600 });
    let made = ask(&hub, "POST /api/account/tokens", &session, &wanted);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let by_token = |request: &str| {
        http(
            hub.at("http://"),
            request,
            &[("authorization", &*bearer)],
            "{}",
        )
    };
    assert_eq!(by_token("GET /api/session").json()["element"], "people/ana");
    let account = by_token("GET /api/account").json();
    assert_eq!(account["tokens"][0]["name"], "my script");
    assert!(
        !account
            .to_string()
            .contains(made["password"].as_str().unwrap())
    );
    assert_eq!(by_token("POST /api/account/totp").status, 403);
    let path = format!(
        "DELETE /api/account/tokens/{}",
        made["id"].as_str().unwrap()
    );
    assert_eq!(ask(&hub, &path, &session, &Value::Null).status, 204);
    assert_eq!(by_token("GET /api/session").status, 401);
    for (body, says) in [
        (json!({ "name": "" }), "1 to 64"),
        (json!({ "name": "a", "expiry_s": 0 }), "from 1 to"),
        (json!({ "nmae": "a" }), "unknown field"),
    ] {
        let answer = ask(&hub, "POST /api/account/tokens", &session, &body);
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(says), "{}", answer.body);
    }
}

#[test]
fn an_invited_person_makes_an_account_and_a_thing_does_not() {
    let hub = hub();
    own(&hub);
    let invite = |wanted: Value| {
        let invited = ask(&hub, "POST /api/invitations", "", &wanted);
        assert_eq!(invited.status, 201, "{}", invited.body);
        invited.json()["code"].as_str().unwrap().to_owned()
    };
    let code = invite(json!({ "element": "people/bob" }));
    let claim = |body: Value| ask(&hub, "POST /api/account/claim", "", &body);
    let by_thing = ask(&hub, "POST /claim", "", &json!({ "code": code }));
    assert!(by_thing.body.contains("/start"), "{}", by_thing.body);
    assert_eq!(
        claim(json!({ "code": code })).status,
        400,
        "nothing to sign in with"
    );
    assert_eq!(
        claim(json!({ "code": code, "id": "eve", "password": PASSWORD })).status,
        400
    );
    let bob = claim(json!({ "code": code, "name": "Bob", "password": PASSWORD }));
    assert_eq!(bob.status, 201, "{}", bob.body);
    assert_eq!(bob.json()["element"], "people/bob");
    assert_eq!(
        claim(json!({ "code": code, "password": PASSWORD })).status,
        403
    );
    assert_eq!(sign_in(&hub, "bob", PASSWORD).status, 200);

    let again = invite(json!({ "element": "people/bob" }));
    assert_eq!(
        claim(json!({ "code": again, "password": PASSWORD })).status,
        409
    );
    let lost = invite(json!({ "element": "people/bob", "replaces": true }));
    let session = cookie(&bob);
    assert_eq!(
        claim(json!({ "code": lost, "password": "a new long sentence" })).status,
        201
    );
    assert_eq!(
        ask(&hub, "GET /api/session", &session, &Value::Null).status,
        401
    );
    assert_eq!(sign_in(&hub, "bob", "a new long sentence").status, 200);

    let lamp = invite(json!({ "element": "things/lamp" }));
    let odd = claim(json!({ "code": lamp, "password": PASSWORD }));
    assert!(odd.body.contains("for a thing"), "{}", odd.body);
    let owner = ask(
        &hub,
        "POST /api/invitations",
        "",
        &json!({ "element": "things/lamp", "owner": true }),
    );
    assert_eq!(owner.status, 400, "{}", owner.body);
}

#[test]
fn a_guest_of_a_team_is_invited_until_a_time_and_may_leave_before() {
    let hub = Hub::closed(&LISTENERS);
    let session = own(&hub);
    let until = "2099-01-01T00:00:00Z";
    let invite = |relations: Value| {
        let wanted = json!({ "element": "people/gus", "relations": relations });
        ask(&hub, "POST /api/invitations", &session, &wanted)
    };
    for (bad, why) in [
        (
            json!([{ "relation": "memberOf", "to": "night" }]),
            "no element",
        ),
        (
            json!([{ "relation": "consentsTo", "to": "people/ana" }]),
            "consents",
        ),
        (json!([{ "relation": "memberOf" }]), "to"),
    ] {
        let answer = invite(bad);
        assert!(
            answer.status == 400 && answer.body.contains(why),
            "{}",
            answer.body
        );
    }
    let member = json!([{ "relation": "memberOf", "to": "teams/night", "until": until }]);
    let invited = invite(member);
    assert_eq!(invited.status, 201, "{}", invited.body);
    let claim = json!({ "code": invited.json()["code"], "password": PASSWORD });
    let claimed = ask(&hub, "POST /api/account/claim", "", &claim);
    assert_eq!(claimed.status, 201, "{}", claimed.body);
    let gus = cookie(&claimed);
    let related = || ask(&hub, "GET /api/people/gus/relations", &gus, &Value::Null).json();
    let relation = &related()["relations"][0];
    assert_eq!(
        (&relation["to"], &relation["by"]),
        (&json!("teams/night"), &json!("people/ana"))
    );
    assert_eq!(relation["until"], until);
    // Nobody else lets it go for gus, and gus needs nobody's leave.
    let leave = "DELETE /api/people/gus/relations?relation=memberOf&to=teams/night";
    assert_eq!(ask(&hub, leave, &gus, &Value::Null).status, 204);
    assert_eq!(related()["relations"], json!([]));
}

#[test]
fn an_account_that_is_forgotten_opens_nothing() {
    let hub = hub();
    let session = own(&hub);
    let other = json!({ "relation": "owner", "to": "places/hub" });
    let made = ask(&hub, "PUT /api/people/bob/relations", "", &other);
    assert_eq!(made.status, 204);
    let forget = "DELETE /things/urn:quartet:people:ana";
    assert_eq!(ask(&hub, forget, "", &Value::Null).status, 204);
    wait_for("the session to end", || {
        let who = ask(&hub, "GET /api/session", &session, &Value::Null);
        (who.status == 401).then_some(())
    });
    assert_eq!(sign_in(&hub, "ana", PASSWORD).status, 401);
}

#[test]
fn what_its_owner_forgets_comes_in_no_more_and_nothing_of_it_is_kept() {
    let hub = Hub::owned(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let td = r#"{"@context":"https://www.w3.org/2022/wot/td/v1.1","id":"urn:quartet:things:pump","title":"Pump",
        "securityDefinitions":{"none":{"scheme":"nosec"}},"security":"none"}"#;
    let kind = [("content-type", "application/td+json")];
    let made = hub.ask("PUT /things/urn:quartet:things:pump", &kind, td);
    assert_eq!(made.status, 201, "{}", made.body);
    let issued = hub
        .ask("POST /api/things/pump/credentials", &[], "{}")
        .json();
    let topics = hub.ask(
        "PATCH /api/things/pump/credentials",
        &[],
        r#"{"topics":["a/#"]}"#,
    );
    assert_eq!(topics.status, 204, "{}", topics.body);
    let role = r#"{"relation":"viewer","to":"places/hub"}"#;
    let related = hub.ask("PUT /api/things/pump/relations", &[], role);
    assert_eq!(related.status, 204, "{}", related.body);
    let bearer = format!("Bearer {}", issued["token"].as_str().unwrap());
    let come_in = || {
        let headers = [("authorization", &*bearer)];
        http(hub.at("http://"), "GET /api/elements", &headers, "").status
    };
    assert_eq!(come_in(), 200);
    let gone = hub.ask("DELETE /things/urn:quartet:things:pump", &[], "");
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert_eq!(come_in(), 401);
    let left = hub.ask("GET /api/things/pump/credentials", &[], "").json();
    assert_eq!(left, json!({ "credentials": [], "topics": [] }));
}

/// Each is refused within moments, and the hub answers others meanwhile.
#[test]
fn a_flood_of_wrong_passwords_slows_nobody_else() {
    let hub = hub();
    own(&hub);
    let at = hub.at("http://");
    let flood = |n: u32| {
        let body = json!({ "user": format!("user{n}"), "password": "no idea at all" });
        // Each may have to wait for many others, as long as that takes here.
        let wire = std::net::TcpStream::connect(at).unwrap();
        crate::support::over(wire, at, "POST /api/session", &[], &body.to_string()).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..80).map(|n| scope.spawn(move || flood(n))).collect();
        for _ in 0..10 {
            assert_eq!(http(at, "GET /healthz", &[], "").status, 200);
        }
        floods.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(
        statuses.iter().all(|status| matches!(status, 401 | 503)),
        "{statuses:?}"
    );
    assert!(
        statuses.contains(&503),
        "more waited than may: {statuses:?}"
    );
    assert_eq!(sign_in(&hub, "ana", PASSWORD).status, 200);
}

#[test]
fn over_tls_the_cookie_is_for_this_host_and_for_tls_only() {
    let everywhere = crate::support::Everywhere::start();
    let at = everywhere.hub.at("https://");
    let over_tls = |request: &str, headers: &[(&str, &str)], body: &str| {
        let wire = std::net::TcpStream::connect(at).unwrap();
        let wire = crate::support::tls(wire, everywhere.authority.trusted_by(None));
        crate::support::over(wire, at, request, headers, body)
    };
    let claim = json!({ "code": everywhere.hub.first_code(), "id": "ana", "password": PASSWORD });
    let claimed = over_tls("POST /api/account/claim", &[], &claim.to_string());
    assert_eq!(claimed.status, 201, "{}", claimed.body);
    let set = &claimed.headers["set-cookie"];
    assert!(
        set.starts_with("__Host-quartet=") && set.contains("; Secure"),
        "{set}"
    );
    let session = cookie(&claimed);
    let who = over_tls("GET /api/session", &[("cookie", &session)], "");
    assert_eq!(who.json()["element"], "people/ana");
}
