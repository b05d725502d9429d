use coap_lite::option_value::OptionValueU32;

use super::*;
use crate::coap::block::Block;

/// A block's number, whether there is more, and its size.
fn block(number: u32, more: bool, size: usize) -> Vec<u8> {
    let exponent = size.trailing_zeros() as u8 - 4;
    let block = Block {
        number,
        more,
        exponent,
    };
    OptionValueU32(block.value()).into()
}

fn option(packet: &Packet, option: CoapOption) -> Option<u32> {
    let value = packet.get_first_option(option)?;
    Some(
        value
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
    )
}

fn part(id: u16, number: u32, more: bool, payload: &[u8]) -> Packet {
    let size = 64;
    let mut put = with(
        con(3, id),
        &[
            (CoapOption::UriPath, b"td"),
            (CoapOption::Block1, &block(number, more, size)),
        ],
    );
    put.payload = payload.to_vec();
    put
}

#[test]
fn a_long_request_is_put_together() {
    let mut table = Table::new();
    let body: Vec<u8> = (0..150).collect();
    for (id, number) in [(1, 0), (2, 1)] {
        let at = number as usize * 64;
        assert!(
            table
                .comes(&part(id, number, true, &body[at..at + 64]))
                .is_none()
        );
        let answer = table.one();
        assert_eq!(line(&answer), "ACK 2.31");
        assert_eq!(
            option(&answer, CoapOption::Block1),
            Some(number << 4 | 8 | 2)
        );
    }
    // One that comes twice is taken once.
    assert!(table.comes(&part(2, 1, true, &body[64..128])).is_none());
    assert_eq!(table.goes(), ["ACK 2.31"]);
    let asked = table.asks(&part(3, 2, false, &body[128..]));
    assert_eq!(asked.request.payload, body);
    table.answers(&asked, Response::empty(Code::new(2, 4)));
    let answer = table.one();
    assert_eq!(line(&answer), "ACK 2.04");
    assert_eq!(option(&answer, CoapOption::Block1), Some(2 << 4 | 2));
    assert_eq!(table.endpoint.held(), 0);
}

#[test]
fn blocks_out_of_order_are_refused() {
    let mut table = Table::new();
    assert!(table.comes(&part(1, 1, true, &[0; 64])).is_none());
    assert!(table.goes()[0].starts_with("ACK 4.08"));
    table.comes(&part(2, 0, true, &[0; 64]));
    assert_eq!(table.goes(), ["ACK 2.31"]);
    table.comes(&part(3, 2, true, &[0; 64]));
    assert!(table.goes()[0].starts_with("ACK 4.08"));
    table.comes(&part(4, 1, true, &[0; 64]));
    assert!(table.goes()[0].starts_with("ACK 4.08"), "it begins anew");
    table.comes(&part(5, 0, true, &[0; 63]));
    assert!(
        table.goes()[0].starts_with("ACK 4.00"),
        "a short block in the middle"
    );
    assert_eq!(table.endpoint.held(), 0);
}

#[test]
fn a_request_that_is_too_long_is_refused_as_soon_as_that_is_known() {
    let mut table = Table::new();
    let first = part(1, 0, true, &[0; 64]);
    let announced = with(first, &[(CoapOption::Size1, &[0, 0x20, 0, 0])]);
    table.comes(&announced);
    let answer = table.one();
    assert!(line(&answer).starts_with("ACK 4.13"));
    assert_eq!(
        option(&answer, CoapOption::Block1),
        Some(2),
        "nothing more is taken"
    );
    assert_eq!(option(&answer, CoapOption::Size1), Some(1 << 20));
    for number in 0..1 << 14 {
        table.comes(&part(number as u16 + 2, number, true, &[0; 64]));
        assert_eq!(table.goes(), ["ACK 2.31"]);
    }
    table.comes(&part(1, 1 << 14, true, &[0; 64]));
    table.waits(0.0);
    let said = table.goes();
    assert!(said[0].starts_with("ACK 4.13"), "{said:?}");
    assert_eq!(table.endpoint.held(), 0);
}

#[test]
fn what_is_not_gone_on_with_is_forgotten() {
    let mut table = Table::new();
    table.comes(&part(1, 0, true, &[0; 64]));
    assert_eq!(table.endpoint.held(), 64);
    table.waits(248.0);
    assert_eq!(table.endpoint.held(), 0);
}

fn get(id: u16, number: u32, size: usize) -> Packet {
    let block = block(number, false, size);
    with(
        con(1, id),
        &[(CoapOption::UriPath, b"td"), (CoapOption::Block2, &block)],
    )
}

#[test]
fn all_blocks_of_an_answer_are_of_the_same_one() {
    let mut table = Table::new();
    let text = "0123456789".repeat(150);
    let asked = table.asks(&with(con(1, 1), &[(CoapOption::UriPath, b"td")]));
    table.answers(&asked, content(&text));
    let first = table.one();
    assert_eq!(
        option(&first, CoapOption::Block2),
        Some(8 | 6),
        "1024 bytes, and more"
    );
    assert_eq!(option(&first, CoapOption::Size2), Some(1500));
    assert!(
        table.comes(&get(2, 1, 1024)).is_none(),
        "nobody is asked again"
    );
    let second = table.one();
    assert_eq!(option(&second, CoapOption::Block2), Some(1 << 4 | 6));
    let etag = |packet: &Packet| packet.get_first_option(CoapOption::ETag).cloned();
    assert!(etag(&first).is_some() && etag(&first) == etag(&second));
    assert_eq!(
        [&first.payload[..], &second.payload].concat(),
        text.as_bytes()
    );
    // Whoever wants smaller blocks gets them.
    table.comes(&get(3, 46, 32));
    assert_eq!(table.one().payload, &text.as_bytes()[46 * 32..]);
    table.comes(&get(4, 47, 32));
    assert!(table.goes()[0].starts_with("ACK 4.00"), "behind the end");
}

// [wot-discovery exploration-server-coap-size2]
#[test]
fn whoever_asks_how_long_an_answer_is_is_told() {
    let mut table = Table::new();
    for (id, length) in [(1, 5), (2, 2000)] {
        let asks = with(con(1, id), &[(CoapOption::Size2, &[])]);
        let asked = table.asks(&asks);
        table.answers(&asked, content(&"x".repeat(length)));
        assert_eq!(option(&table.one(), CoapOption::Size2), Some(length as u32));
    }
    let asks = with(get(3, 1, 1024), &[(CoapOption::Size2, &[])]);
    let asked = table.asks(&asks);
    table.answers(&asked, content(&"x".repeat(2000)));
    assert_eq!(option(&table.one(), CoapOption::Size2), Some(2000));
}

#[test]
fn an_answer_that_is_not_kept_is_asked_for_again() {
    let mut table = Table::new();
    let asked = table.asks(&get(1, 1, 16));
    table.answers(&asked, content("0123456789abcdefxyz"));
    let answer = table.one();
    assert_eq!(line(&answer), "ACK 2.05 xyz");
    assert!(answer.get_first_option(CoapOption::ETag).is_some());
    // What changes something is not done twice.
    let mut post = get(2, 1, 16);
    post.header.code = 2.into();
    assert!(table.comes(&post).is_none());
    assert!(table.goes()[0].starts_with("ACK 4.08"));
}

#[test]
fn a_long_answer_to_a_long_request_comes_after_all_of_it() {
    let mut table = Table::new();
    table.comes(&part(1, 0, true, &[0; 64]));
    table.goes();
    let asked = table.asks(&part(2, 1, false, b"end"));
    table.answers(&asked, content(&"x".repeat(1025)));
    let first = table.one();
    assert_eq!(option(&first, CoapOption::Block1), Some(1 << 4 | 2));
    assert_eq!(option(&first, CoapOption::Block2), Some(8 | 6));
    let mut rest = get(3, 1, 1024);
    rest.header.code = 3.into();
    assert!(table.comes(&rest).is_none());
    assert_eq!(table.goes(), ["ACK 2.05 x"]);
}

#[test]
fn an_answer_that_is_far_too_long_is_refused() {
    let mut table = Table::new();
    let asked = table.asks(&con(1, 1));
    table.answers(&asked, content(&"x".repeat((4 << 20) + 1)));
    assert!(table.goes()[0].starts_with("ACK 4.00 the answer has more than"));
}
