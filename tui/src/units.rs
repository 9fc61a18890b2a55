//! Numbers as people read them: sizes, rates, spans of time, round trips.

use std::time::Duration;
use tunnels_api::Timestamp;

/// Bytes in steps of a thousand: `0 B`, `999 B`, `1.2 kB`, `34 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = count as f64;
    let mut unit = 0;
    // 999.5 would be printed as 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Bytes per second, `-` for none.
pub fn rate(bytes_per_second: u64) -> String {
    if bytes_per_second == 0 { "-".to_owned() } else { format!("{}/s", bytes(bytes_per_second)) }
}

/// A span with its two largest units: `0s`, `42s`, `3m 5s`, `2h 10m`, `4d 3h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (seconds % 60, 's')];
    let first = parts.iter().position(|(value, _)| *value > 0).unwrap_or(3);
    let shown: Vec<String> = parts[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(place, (value, _))| *place == 0 || *value > 0)
        .map(|(_, (value, unit))| format!("{value}{unit}"))
        .collect();
    shown.join(" ")
}

/// A span that may be very short: `41ms`, `4.2s`, and from ten seconds on as [`span`].
pub fn lasted(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis}ms"),
        millis @ 1000..10_000 => format!("{}.{}s", millis / 1000, millis / 100 % 10),
        _ => span(time),
    }
}

/// How long ago `then` was; a clock that went back reads as just now.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(then).try_into().unwrap_or_default())
}

/// How long until `then`, in whole seconds and rounded up: "in 0s" would be over.
pub fn until(then: Timestamp, now: Timestamp) -> String {
    let left = Duration::try_from(then.duration_since(now)).unwrap_or_default();
    let seconds = left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
    span(Duration::from_secs(seconds))
}

/// Milliseconds: `0.35 ms`, `1.2 ms`, `48 ms`, `-` where none was measured.
pub fn round_trip(millis: Option<f64>) -> String {
    match millis {
        None => "-".to_owned(),
        Some(ms) if ms < 0.995 => format!("{ms:.2} ms"),
        Some(ms) if ms < 9.95 => format!("{ms:.1} ms"),
        Some(ms) => format!("{ms:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1234, "1.2 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (34_000_000, "34 MB"),
            (u64::MAX, "18447 PB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(rate(0), "-");
        assert_eq!(rate(730_000), "730 kB/s");
    }

    #[test]
    fn spans() {
        let cases =
            [(0, "0s"), (42, "42s"), (60, "1m"), (185, "3m 5s"), (7_800, "2h 10m"), (7_205, "2h"), (356_400, "4d 3h")];
        for (seconds, text) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn short_spans() {
        for (millis, text) in [(0, "0ms"), (999, "999ms"), (1000, "1.0s"), (9_999, "9.9s"), (10_999, "10s")] {
            assert_eq!(lasted(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn ago_never_goes_negative() {
        let then: Timestamp = "2026-11-21T06:00:10Z".parse().unwrap();
        let now: Timestamp = "2026-11-21T06:01:15Z".parse().unwrap();
        assert_eq!(ago(then, now), "1m 5s");
        assert_eq!(ago(now, then), "0s");
    }

    #[test]
    fn what_is_left_is_rounded_up() {
        let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
        for (then, text) in [("00.020", "1s"), ("04", "4s"), ("04.001", "5s")] {
            assert_eq!(until(format!("2026-11-21T06:00:{then}Z").parse().unwrap(), now), text);
        }
        assert_eq!(until(now, now), "0s");
    }

    #[test]
    fn round_trips() {
        let cases = [(None, "-"), (Some(0.35), "0.35 ms"), (Some(1.24), "1.2 ms"), (Some(48.4), "48 ms")];
        for (millis, text) in cases {
            assert_eq!(round_trip(millis), text);
        }
    }
}
