use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::{MAX_ABANDONED, Mux};
use crate::config::Config;
use crate::event::{Event, StreamId};
use crate::session::Side;
use crate::smux::turns::TURN;
use crate::smux::{Command, FrameDecoder, HEADER_LEN, Header, Item, Read};

fn mux(side: Side) -> Mux {
    Mux::new(side, &Config::default())
}

fn output(mux: &mut Mux, max: usize) -> Vec<Item> {
    let mut out = BytesMut::new();
    mux.poll_output(max, &mut out);
    assert!(out.len() <= max);
    let (mut input, mut decoder) = (out.freeze(), FrameDecoder::default());
    std::iter::from_fn(|| decoder.decode(&mut input).unwrap()).collect()
}

fn frame(command: Command, id: u32) -> Bytes {
    Bytes::copy_from_slice(&Header { command, length: 0, stream: StreamId(id) }.encode())
}

#[test]
fn syn_data_and_fin_of_a_short_stream_share_a_payload() {
    let mut mux = mux(Side::Client);
    let id = mux.open().unwrap();
    mux.write(id, b"hi").unwrap();
    mux.close(id, false);
    assert_eq!(output(&mut mux, 1024), [Item::Syn(id), Item::Data(id, Bytes::from_static(b"hi")), Item::Fin(id)]);
    assert!(!mux.has_output());
}

#[test]
fn nothing_exceeds_the_payload_and_nothing_is_lost_at_its_edge() {
    for max in HEADER_LEN + 1..64 {
        let mut mux = mux(Side::Client);
        let ids: Vec<_> = (0..3).map(|_| mux.open().unwrap()).collect();
        for &id in &ids {
            mux.write(id, &[7; 20]).unwrap();
            mux.close(id, false);
        }
        let mut items = Vec::new();
        for _ in 0..1000 {
            items.extend(output(&mut mux, max));
        }
        for &id in &ids {
            let data: usize = items
                .iter()
                .map(|item| if let Item::Data(of, data) = item { if *of == id { data.len() } else { 0 } } else { 0 })
                .sum();
            assert_eq!(data, 20, "payloads of {max}");
            assert!(items.contains(&Item::Syn(id)) && items.contains(&Item::Fin(id)), "payloads of {max}");
        }
    }
}

#[test]
fn streams_take_turns_within_a_large_payload() {
    let mut mux = mux(Side::Client);
    let (bulk, small) = (mux.open().unwrap(), mux.open().unwrap());
    mux.write(bulk, &vec![0; 100_000]).unwrap();
    mux.write(small, b"ping").unwrap();
    let items = output(&mut mux, 32 << 10);
    let before: usize = items
        .iter()
        .take_while(|item| !matches!(item, Item::Data(id, _) if *id == small))
        .map(|item| if let Item::Data(_, data) = item { data.len() } else { 0 })
        .sum();
    assert_eq!(before, TURN);
}

/// Fills all that fits into the streams and sends one payload; the data bytes of each stream in it.
fn busy_output(mux: &mut Mux, bulk: &[StreamId], max: usize) -> BTreeMap<StreamId, usize> {
    for &id in bulk {
        mux.write(id, &[0; 16 << 10]).unwrap();
    }
    let mut sent = BTreeMap::new();
    for item in output(mux, max) {
        if let Item::Data(id, data) = item {
            *sent.entry(id).or_default() += data.len();
        }
    }
    sent
}

fn add(total: &mut BTreeMap<StreamId, usize>, sent: BTreeMap<StreamId, usize>) {
    for (id, bytes) in sent {
        *total.entry(id).or_default() += bytes;
    }
}

#[test]
fn busy_streams_share_alike() {
    for max in [300, 1000, 32 << 10] {
        let mut mux = mux(Side::Client);
        let bulk: Vec<_> = (0..7).map(|_| mux.open().unwrap()).collect();
        let mut total = BTreeMap::new();
        for _ in 0..1000 {
            add(&mut total, busy_output(&mut mux, &bulk, max));
        }
        let (least, most) = (total.values().min().unwrap(), total.values().max().unwrap());
        assert!(most - least <= 2 * TURN, "payloads of {max}: {total:?}");
    }
}

#[test]
fn a_stream_with_little_to_say_says_it_in_the_next_message() {
    let mut mux = mux(Side::Client);
    let bulk: Vec<_> = (0..20).map(|_| mux.open().unwrap()).collect();
    for _ in 0..100 {
        busy_output(&mut mux, &bulk, 1000);
    }
    let small = mux.open().unwrap();
    assert!(output(&mut mux, 1000).contains(&Item::Syn(small)));
    for _ in 0..10 {
        // A round of the busy ones later it may go ahead of them again.
        for _ in 0..20 * TURN / 900 {
            busy_output(&mut mux, &bulk, 1000);
        }
        mux.write(small, b"select 1").unwrap();
        assert_eq!(busy_output(&mut mux, &bulk, 1000).get(&small), Some(&8));
    }
}

#[test]
fn nobody_gains_by_small_pieces() {
    let mut mux = mux(Side::Client);
    let bulk = mux.open().unwrap();
    let chatty = mux.open().unwrap();
    let mut total = BTreeMap::new();
    for _ in 0..2000 {
        mux.write(chatty, &[0; 900]).unwrap();
        add(&mut total, busy_output(&mut mux, &[bulk], 1000));
    }
    assert!(total[&bulk] * 10 > total[&chatty] * 9, "{total:?}");
}

/// Each of them is new, has little to say and ends: all are fresh, and there is no end of them.
#[test]
fn nobody_starves_behind_new_streams() {
    let mut mux = mux(Side::Client);
    let bulk = mux.open().unwrap();
    let mut total = BTreeMap::new();
    for _ in 0..2000 {
        let id = mux.open().unwrap();
        mux.write(id, &[0; 900]).unwrap();
        mux.close(id, false);
        add(&mut total, busy_output(&mut mux, &[bulk], 1000));
    }
    let all: usize = total.values().sum();
    assert!(total[&bulk] * 11 > all * 2, "{} of {all} bytes", total[&bulk]);
}

#[test]
fn a_stream_that_is_alone_fills_a_large_payload_with_one_frame() {
    let mut mux = mux(Side::Client);
    let id = mux.open().unwrap();
    mux.write(id, &vec![0; 100_000]).unwrap();
    let mut out = BytesMut::new();
    mux.poll_output(32 << 10, &mut out);
    assert_eq!(
        out[HEADER_LEN..2 * HEADER_LEN],
        Header { command: Command::Psh, length: (32 << 10) - 16, stream: id }.encode()
    );
}

/// `docs/protocol.md` §6.2, §11: an agent never opens streams. The official client would take it into a backlog for ever.
#[test]
fn a_stream_opened_by_the_agent_is_answered_with_fin() {
    let mut mux = mux(Side::Client);
    mux.handle_bytes(frame(Command::Syn, 4), false).unwrap();
    assert_eq!(output(&mut mux, 1024), [Item::Fin(StreamId(4))]);
    assert_eq!((mux.len(), mux.accept(), mux.poll_event()), (0, None, None));
    mux.handle_bytes(frame(Command::Fin, 4), false).unwrap();
    assert!(mux.streams.is_empty());
}

#[test]
fn frames_of_unknown_streams_are_ignored() {
    let mut mux = mux(Side::Client);
    mux.handle_bytes(frame(Command::Fin, 99), false).unwrap();
    mux.handle_bytes(Bytes::from_static(b"\x01\x02\x02\0\x63\0\0\0hi"), false).unwrap();
    assert_eq!((mux.unread(), mux.poll_event()), (0, None));
}

#[test]
fn a_repeated_syn_changes_nothing_and_a_closed_id_may_come_again() {
    let mut mux = mux(Side::Agent);
    mux.handle_bytes(frame(Command::Syn, 3), false).unwrap();
    mux.handle_bytes(frame(Command::Syn, 3), false).unwrap();
    assert_eq!(mux.accept(), Some(StreamId(3)));
    assert_eq!(mux.accept(), None);
    mux.close(StreamId(3), false);
    mux.handle_bytes(frame(Command::Syn, 3), false).unwrap();
    assert_eq!((mux.accept(), mux.len()), (Some(StreamId(3)), 1));
}

#[test]
fn streams_that_the_other_side_never_closes_are_forgotten_in_the_end() {
    let mut mux = mux(Side::Client);
    for _ in 0..MAX_ABANDONED + 100 {
        let id = mux.open().unwrap();
        mux.close(id, false);
        output(&mut mux, 1024);
    }
    assert!(mux.streams.len() <= MAX_ABANDONED + 1, "{}", mux.streams.len());
}

/// While our FINs cannot leave, a flood of SYNs must cost neither memory nor time.
#[test]
fn rejected_streams_are_bounded() {
    let mut mux = mux(Side::Client);
    for id in 0..200_000 {
        mux.handle_bytes(frame(Command::Syn, 2 * id), false).unwrap();
    }
    assert!(mux.streams.len() <= MAX_ABANDONED);
}

/// What was written and not sent when the remote's FIN came is discarded; the turn that it had must not send nothing.
#[test]
fn a_discarded_turn_is_no_output() {
    let mut mux = mux(Side::Client);
    let id = mux.open().unwrap();
    output(&mut mux, 1024);
    mux.write(id, b"too late").unwrap();
    mux.handle_bytes(frame(Command::Fin, id.0), false).unwrap();
    assert!(!mux.has_output());
    mux.close(id, false);
    assert_eq!(output(&mut mux, 1024), [Item::Fin(id)]);
}

/// More "could not connect" flags than streams cannot be attributed to anything, and must not turn later ends into refusals.
#[test]
fn surplus_refusals_have_no_effect() {
    let mut mux = mux(Side::Client);
    mux.handle_connect_error();
    let id = mux.open().unwrap();
    mux.handle_bytes(frame(Command::Fin, id.0), false).unwrap();
    assert_eq!(mux.poll_event(), Some(Event::StreamReadable(id)));
    assert_eq!(mux.read(id, &mut Vec::new()), Ok(Read::Eof));
}
