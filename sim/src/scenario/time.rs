//! A time in a scenario file: seconds as a number, or a text such as `1m30s`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Longest time in a scenario: nobody waits for more, and sums of a few stay representable.
const LONGEST: Duration = Duration::from_hours(24 * 365);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Time(pub(super) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a time is a number of seconds or a text such as \"1m30s\"")]
        enum Form {
            Seconds(f64),
            Text(String),
        }
        let time = match Form::deserialize(deserializer)? {
            Form::Seconds(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Form::Text(text) => {
                text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())
            }
        };
        time.filter(|time| *time <= LONGEST).map(Self).ok_or_else(|| {
            D::Error::custom("a time is a number of seconds or a text such as \"1m30s\", at most a year")
        })
    }
}
