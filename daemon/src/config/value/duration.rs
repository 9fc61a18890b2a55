//! Durations as people write them: `30s`, `15m`, `1h30m`.

use super::super::diagnostic::quote;
use super::{BadValue, bad, rather};
use std::ops::RangeInclusive;
use std::time::Duration;

pub(crate) const DURATION_FORMS: &str = "a duration such as `\"30s\"`, `\"15m\"` or `\"1h30m\"`";

/// `hold`: programs give up connecting long before the longest.
pub(crate) const HOLD: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(1);
/// `patience`: a session that lives may be silent for as long as its agent takes to reconnect.
pub(crate) const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// `ping_interval`, `ping_timeout`: the official client's interval is the longest; middleboxes forget connections sooner.
pub(crate) const PING: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);
/// `park_after`: nothing at all would close a session before its first connection; a week is `"never"`.
pub(crate) const PARK_AFTER: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(24 * 7);

pub(crate) fn duration(text: &str) -> Result<Duration, BadValue> {
    if let Ok(duration) = text.parse::<jiff::SignedDuration>() {
        return match Duration::try_from(duration) {
            Ok(duration) => Ok(duration),
            Err(_) => bad(format!("{} is before now", quote(text)), DURATION_FORMS),
        };
    }
    if let Ok(number) = text.trim().parse::<u32>() {
        return rather("the unit is missing", format!("\"{number}s\"` or `\"{number}m\""));
    }
    if let Some(days) = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim().parse::<u32>().ok()
        && text.contains('d')
    {
        return rather("days are no unit here", format!("\"{}h\"", u64::from(days) * 24));
    }
    bad(format!("{} is no duration", quote(text)), DURATION_FORMS)
}

/// Whether it is within what a key takes.
pub(crate) fn limited(duration: Duration, limits: &RangeInclusive<Duration>) -> Result<Duration, BadValue> {
    if limits.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (show(*limits.start()), show(*limits.end()));
    bad(
        format!("{} is too {}", show(duration), if duration > *limits.end() { "long" } else { "short" }),
        &format!("{least} to {most}"),
    )
}

/// As it would be written.
pub(crate) fn show(duration: Duration) -> String {
    let signed = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    format!("{signed:#}").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("1h30m", Duration::from_mins(90)),
            ("250ms", Duration::from_millis(250)),
            ("15 minutes", Duration::from_mins(15)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
            assert_eq!(duration(&show(expected)), Ok(expected), "{text}");
        }
        assert_eq!(show(Duration::from_mins(90)), "1h30m");
        for (text, expected) in [
            ("", "accepted: a duration such as"),
            ("15", "write `\"15s\"` or `\"15m\"`"),
            ("2d", "write `\"48h\"`"),
            ("2 days", "write `\"48h\"`"),
            ("-1s", "before now"),
            ("soon", "`soon` is no duration"),
        ] {
            let bad = duration(text).unwrap_err();
            assert!(format!("{}: {}", bad.wrong, bad.help).contains(expected), "{text}: {bad:?}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(limited(Duration::from_secs(1), &HOLD), Ok(Duration::from_secs(1)));
        let bad = limited(Duration::from_hours(2), &HOLD).unwrap_err();
        assert_eq!((bad.wrong.as_str(), bad.help.as_str()), ("2h is too long", "accepted: 0s to 1h"));
        assert!(limited(Duration::ZERO, &PARK_AFTER).unwrap_err().wrong.contains("too short"));
    }
}
