//! This machine's clock against that of whoever answers. Pure.
//!
//! AWS refuses signatures that are more than five minutes off, and says then only that the signature is wrong.

use crate::span::words;
use tunnels_api::{Check, Finding};

/// AWS's limit for signatures, in seconds.
pub(crate) const LIMIT: u64 = 300;
/// A clock that is so far off, in seconds, is not set by the network any more.
const WORTH_A_WORD: u64 = 60;

const SET_IT: &str =
    "let the network set the clock: timedatectl set-ntp true (Linux), or System Settings, Date & Time (macOS)";

/// `ahead`: by how many seconds AWS's clock is ahead of ours, where its answer said.
pub(crate) fn judge(ahead: i64) -> Finding {
    let off = ahead.unsigned_abs();
    let direction = if ahead > 0 { "slow" } else { "fast" };
    let evidence = format!("by the Date header of AWS's answer; AWS refuses signatures from {} minutes on", LIMIT / 60);
    if off >= LIMIT {
        return Finding::fail(Check::Clock, format!("this machine's clock is {} {direction}", words(off)))
            .with_evidence(evidence)
            .with_next(SET_IT);
    }
    if off >= WORTH_A_WORD {
        return Finding::warn(Check::Clock, format!("this machine's clock is {} {direction}", words(off)))
            .with_evidence(evidence)
            .with_next(SET_IT);
    }
    Finding::ok(Check::Clock, "this machine's clock is right").with_evidence(format!("{off} s off"))
}

/// What AWS says of a signature, if it is about its time.
pub(crate) fn told_by(message: &str) -> Option<Finding> {
    let is_time = ["Signature expired", "Signature not yet current", "Request has expired", "RequestTimeTooSkewed"];
    is_time.iter().any(|words| message.contains(words)).then(|| {
        Finding::fail(Check::Clock, "this machine's clock is wrong: AWS refuses the time of its signatures")
            .with_evidence(message)
            .with_next(SET_IT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunnels_api::Verdict;

    #[test]
    fn five_minutes_are_too_much_and_one_is_worth_a_word() {
        for (ahead, verdict, text) in [
            (0, Verdict::Ok, "this machine's clock is right"),
            (-59, Verdict::Ok, "this machine's clock is right"),
            (90, Verdict::Warn, "this machine's clock is 90 s slow"),
            (-299, Verdict::Warn, "this machine's clock is 4 min fast"),
            (300, Verdict::Fail, "this machine's clock is 5 min slow"),
            (-86_400 * 365, Verdict::Fail, "this machine's clock is 365 days fast"),
            (i64::MIN, Verdict::Fail, "this machine's clock is 106751991167300 days fast"),
        ] {
            let finding = judge(ahead);
            assert_eq!((finding.verdict, finding.text.as_str()), (verdict, text));
            assert_eq!(finding.next.is_some(), verdict != Verdict::Ok);
        }
    }

    #[test]
    fn only_what_aws_says_of_times_is_the_clock_s() {
        let late =
            "Signature expired: 20261121T180000Z is now earlier than 20261121T183000Z (20261121T183500Z - 5 min.)";
        assert_eq!(told_by(late).unwrap().check, Check::Clock);
        assert_eq!(told_by("The security token included in the request is invalid."), None);
    }
}
