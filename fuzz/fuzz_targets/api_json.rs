//! What daemon and clients say to each other: requests as the daemon reads them, answers and events as clients do. What can be
//! read can be written, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tunnels_api::{
    DaemonEvent, DaemonVersion, ErrorBody, History, LogEvent, LogQuery, Logs, Reloaded, SelectRequest, Selector,
    StopRequest, TunnelStatus, Tunnels, UpRequest, Version,
};

fn same_after_a_round<T: Serialize + DeserializeOwned>(json: &[u8]) {
    let Ok(first) = serde_json::from_slice::<T>(json) else { return };
    let written = serde_json::to_string(&first).expect("what was read can be written");
    let second: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&second).expect("again"), written);
}

fuzz_target!(|input: &[u8]| {
    same_after_a_round::<Tunnels>(input);
    same_after_a_round::<TunnelStatus>(input);
    same_after_a_round::<DaemonEvent>(input);
    same_after_a_round::<History>(input);
    same_after_a_round::<Logs>(input);
    same_after_a_round::<LogEvent>(input);
    same_after_a_round::<LogQuery>(input);
    same_after_a_round::<ErrorBody>(input);
    same_after_a_round::<Version>(input);
    same_after_a_round::<DaemonVersion>(input);
    same_after_a_round::<Reloaded>(input);
    same_after_a_round::<SelectRequest>(input);
    same_after_a_round::<UpRequest>(input);
    same_after_a_round::<StopRequest>(input);
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(selector) = text.parse::<Selector>()
    {
        let _ = selector.matches("orders-db", &["db"]);
    }
});
