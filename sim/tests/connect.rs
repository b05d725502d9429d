//! CONNECT and CONNACK (MQTT 5.0, sections 3.1 and 3.2).

use quartet_fabric::mqtt::{Connect, Packet, Reason};
use quartet_sim::{connect, on_every_site, reasons};

#[test]
fn mqtt_3_1_4_5_and_3_2_0_1_who_connects_is_told_that_it_came_in() {
    on_every_site(|site| {
        let ana = site.client();
        let answer = ana.ask(connect("ana"));
        assert_eq!(reasons(&answer), [Reason::Success]);
        assert!(!ana.is_closed());
    });
}

#[test]
fn taking_over_a_session_that_ends_with_its_connection_begins_a_new_one() {
    on_every_site(|site| {
        let _old = site.connected(connect("ana"));
        let new = site.client();
        let Packet::ConnAck(connack) = new.ask(Connect {
            clean_start: false,
            ..connect("ana")
        }) else {
            panic!("the first answer is no CONNACK");
        };
        assert!(!connack.session_present);
    });
}
