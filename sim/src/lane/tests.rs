//! The delay line in paused time.

use serde_json::json;
use tokio::time::timeout;

use super::*;

const EPOCH: u64 = 1;

fn faults(patch: &serde_json::Value) -> Faults {
    Faults::default().patched(patch).unwrap()
}

fn numbered(range: std::ops::Range<u32>) -> VecDeque<Bytes> {
    range.map(|number| Bytes::copy_from_slice(&number.to_be_bytes())).collect()
}

fn numbers(batch: &VecDeque<Bytes>) -> Vec<u32> {
    batch.iter().map(|bytes| u32::from_be_bytes(bytes[..].try_into().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn latency_delays_every_message_once_and_keeps_order() {
    let lane = Lane::new(Dice::new(3));
    let faults = faults(&json!({"latency_ms": 50, "jitter_ms": 20}));
    lane.attach(EPOCH);
    let start = Instant::now();
    lane.push(&mut numbered(0..100), &faults).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "a message waited for itself");
    let mut got = VecDeque::new();
    while got.len() < 100 {
        let mut batch = VecDeque::new();
        assert_eq!(lane.take(EPOCH, &mut batch).await, Taken::Some);
        got.extend(batch);
    }
    assert_eq!(numbers(&got), (0..100).collect::<Vec<_>>());
    let elapsed = start.elapsed();
    assert!((50..=75).contains(&elapsed.as_millis()), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_and_makes_the_pusher_wait() {
    let lane = std::sync::Arc::new(Lane::new(Dice::new(3)));
    let faults = faults(&json!({"rate_bytes_per_s": 600_000, "latency_ms": 25}));
    lane.attach(EPOCH);
    let start = Instant::now();
    let taker = tokio::spawn({
        let lane = std::sync::Arc::clone(&lane);
        async move {
            let mut bytes = 0;
            while bytes < 3_000_000 {
                let mut batch = VecDeque::new();
                assert_eq!(lane.take(EPOCH, &mut batch).await, Taken::Some);
                bytes += batch.iter().map(Bytes::len).sum::<usize>();
            }
            start.elapsed()
        }
    });
    let mut batch: VecDeque<Bytes> = (0..3000).map(|_| Bytes::from(vec![0; 1000])).collect();
    lane.push(&mut batch, &faults).await;
    let pushed = start.elapsed();
    assert!(pushed > Duration::from_millis(4800), "the link took all at once: {pushed:?}");
    let took = taker.await.unwrap().as_secs_f64();
    assert!((5.0..5.1).contains(&took), "5 s of data at the rate took {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_slow_taker_stops_the_pusher_and_memory_stays_bounded() {
    let lane = Lane::new(Dice::new(3));
    lane.attach(EPOCH);
    let mut batch: VecDeque<Bytes> = (0..1000).map(|_| Bytes::from(vec![0; 32 << 10])).collect();
    let faults = Faults::default();
    let push = lane.push(&mut batch, &faults);
    assert!(timeout(Duration::from_mins(1), push).await.is_err(), "nobody took anything");
    assert!(lane.bytes() < BASE_CAPACITY + (32 << 10));
    assert_eq!(batch.len() * (32 << 10) + lane.bytes(), 1000 * (32 << 10), "lost or doubled");
}

#[tokio::test(start_paused = true)]
async fn the_newer_socket_takes_over() {
    let lane = std::sync::Arc::new(Lane::new(Dice::new(3)));
    lane.attach(1);
    let older = tokio::spawn({
        let lane = std::sync::Arc::clone(&lane);
        async move { lane.take(1, &mut VecDeque::new()).await }
    });
    tokio::task::yield_now().await;
    lane.attach(2);
    lane.push(&mut numbered(0..1), &Faults::default()).await;
    let mut batch = VecDeque::new();
    assert_eq!(lane.take(2, &mut batch).await, Taken::Some);
    assert_eq!(numbers(&batch), [0]);
    assert_eq!(older.await.unwrap(), Taken::Replaced);
    lane.detach(1, Away::Drop);
    lane.push(&mut numbered(1..2), &Faults::default()).await;
    let mut batch = VecDeque::new();
    assert_eq!(lane.take(2, &mut batch).await, Taken::Some, "a late leave threw the newer one out");
    lane.finish();
    lane.push(&mut numbered(2..3), &Faults::default()).await;
    assert_eq!(lane.take(2, &mut VecDeque::new()).await, Taken::Finished);
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_the_first_socket_waits_and_later_absence_is_a_fault() {
    for (away, expected) in [(Away::Drop, vec![0, 2]), (Away::Buffer, vec![0, 1, 2])] {
        let lane = Lane::new(Dice::new(3));
        let faults = Faults { away, ..Faults::default() };
        lane.push(&mut numbered(0..1), &faults).await;
        lane.attach(1);
        let mut got = VecDeque::new();
        assert_eq!(lane.take(1, &mut got).await, Taken::Some);
        lane.detach(1, away);
        lane.push(&mut numbered(1..2), &faults).await;
        lane.attach(2);
        lane.push(&mut numbered(2..3), &faults).await;
        assert_eq!(lane.take(2, &mut got).await, Taken::Some);
        assert_eq!(numbers(&got), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_overtaking_lose_nothing() {
    let lane = Lane::new(Dice::new(9));
    lane.attach(EPOCH);
    let faults = faults(&json!({"duplicate": 0.2, "reorder": 0.2}));
    lane.push(&mut numbered(0..200), &faults).await;
    lane.push(&mut numbered(200..201), &Faults::default()).await;
    let mut all = VecDeque::new();
    while lane.bytes() > 0 {
        let mut batch = VecDeque::new();
        assert_eq!(lane.take(EPOCH, &mut batch).await, Taken::Some);
        all.extend(batch);
    }
    let got = numbers(&all);
    assert!(got.len() > 201, "no duplicates");
    assert!(!got.is_sorted(), "no overtaking");
    for number in 0..201 {
        assert!(got.contains(&number), "{number} was lost");
    }
}
