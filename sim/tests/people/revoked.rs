use super::*;

/// Somebody describes the lamp, and takes the description back.
fn describe_and_forget(by: &Client) {
    by.send(publish_at(Q1, 1, LAMP, DESCRIPTION));
    by.messages();
    by.send(Publish {
        retain: true,
        ..publish_at(Q1, 2, LAMP, "")
    });
    by.messages();
}

#[test]
fn who_came_in_with_a_credential_that_is_revoked_goes_at_once() {
    quartet_sim::on_every_site(|site| {
        set(site, LAMP, &with_secrets(&["old", "other"]));
        let by_old = admitted(site, named("a", LAMP, "old"));
        let by_other = admitted(site, named("b", LAMP, "other"));
        let mut all = with_secrets(&["old", "other"]);
        assert!(all.revoke("old"));
        set(site, LAMP, &all);
        assert_eq!(why_closed(&by_old), Some(Reason::NotAuthorized));
        assert!(!by_other.is_closed());
        let (_, reason) = asked_in(site, named("a", LAMP, "old"));
        assert_eq!(reason, Reason::BadUserNameOrPassword);
        site.assert_sound();
    });
}

#[test]
fn a_rotated_credential_holds_until_the_overlap_is_over() {
    quartet_sim::on_every_site(|site| {
        let mut all = with_secrets(&["old"]);
        set(site, LAMP, &all);
        let by_old = admitted(site, named("a", LAMP, "old"));
        let until = site.now().after(std::time::Duration::from_secs(3600));
        all.issue(credential("new", "new"), &Replaces::All, until)
            .unwrap();
        set(site, LAMP, &all);
        let by_new = admitted(site, named("b", LAMP, "new"));
        site.pass(std::time::Duration::from_secs(3599));
        assert!(!by_old.is_closed());
        site.pass(std::time::Duration::from_secs(1));
        assert_eq!(why_closed(&by_old), Some(Reason::NotAuthorized));
        assert!(!by_new.is_closed());
    });
}

#[test]
fn what_was_revoked_stays_so_when_the_hub_dies() {
    for steps in 0..30 {
        let site = Site::new(3, steps as u64);
        set(&site, LAMP, &with_secrets(&["s3cret"]));
        set(&site, LAMP, &Credentials::default());
        site.run(steps);
        site.crash(2);
        let (_, reason) = asked_in(&site, named("a", LAMP, "s3cret"));
        assert_eq!(reason, Reason::BadUserNameOrPassword);
    }
}

#[test]
fn an_element_that_is_forgotten_comes_in_no_more() {
    quartet_sim::on_every_site(|site| {
        let lamp = lamp(site);
        let installer = site.connected(connect("installer"));
        describe_and_forget(&installer);
        assert_eq!(why_closed(&lamp), Some(Reason::NotAuthorized));
        let (_, reason) = asked_in(site, named("a", LAMP, "s3cret"));
        assert_eq!(reason, Reason::BadUserNameOrPassword);
    });
}

/// A device that takes its own description back is not cut off by that.
#[test]
fn an_element_that_forgets_itself_may_come_again() {
    quartet_sim::on_every_site(|site| {
        let lamp = lamp(site);
        describe_and_forget(&lamp);
        assert!(!lamp.is_closed());
    });
}

/// Whatever the lanes do when: who was let in while the credential was revoked is gone in the end.
#[test]
fn who_comes_in_while_it_is_revoked_does_not_stay() {
    for seed in 0..200 {
        let site = Site::new(3, seed);
        set(&site, LAMP, &with_secrets(&["s3cret"]));
        let client = site.client_from(ELSEWHERE);
        client.send(named(&format!("c{seed}"), LAMP, "s3cret"));
        site.run(seed as usize % 13);
        set(&site, LAMP, &Credentials::default());
        site.settle();
        assert!(client.is_closed(), "seed {seed}");
    }
}
