//! Lengths of time in words, as coarse as people say them.

/// `90 s`, `4 min`, `2 h`, `365 days`.
pub(crate) fn words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
