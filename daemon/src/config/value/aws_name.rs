//! AWS's own names: profile, region, document, reason.

use super::super::diagnostic::quote;
use super::super::suggest::nearest;
use super::{BadValue, bad, rather};

const REGION_FORMS: &str = "the code of a region, such as `\"eu-west-1\"`";
/// Of `StartSession`.
const MAX_REASON: usize = 256;
const DOCUMENT_NAME: std::ops::RangeInclusive<usize> = 3..=128;

/// What AWS had when this was written: new ones are accepted, with a warning.
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-isoe-west-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

pub(crate) fn region(text: &str) -> Result<(), BadValue> {
    if has_form(text) {
        return Ok(());
    }
    let plain = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let without_zone = plain.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if text == plain && REGIONS.contains(&without_zone) {
        return rather(format!("{} is an availability zone", quote(text)), format!("\"{without_zone}\""));
    }
    let message = format!("{} is no region", quote(text));
    let near = if has_form(&plain) { Some(plain.as_str()) } else { nearest(&plain, REGIONS) };
    match near {
        Some(near) => rather(message, format!("\"{near}\"")),
        None => bad(message, REGION_FORMS),
    }
}

/// Whether AWS had this region when this was written.
pub fn is_known_region(text: &str) -> bool {
    REGIONS.contains(&text)
}

/// The known region that may be meant.
pub fn nearest_region(text: &str) -> Option<&'static str> {
    nearest(text, REGIONS)
}

/// `eu-west-1`, `us-gov-east-1`, `us-isob-east-1`.
fn has_form(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [head @ .., number] = parts.as_slice() else { return false };
    let is_word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    head.len() >= 2 && head.iter().all(is_word) && (1..=2).contains(&number.len()) && number.parse::<u8>().is_ok()
}

pub(crate) fn profile(text: &str) -> Result<(), BadValue> {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let name = inner.strip_prefix("profile ").unwrap_or(inner).trim();
    if name != text && !name.is_empty() {
        return rather(format!("{} is not the name alone", quote(text)), format!("\"{name}\""));
    }
    if text.contains(|c: char| c.is_control() || matches!(c, '[' | ']')) {
        return bad(format!("{} cannot be a profile", quote(text)), "the name of a profile in ~/.aws/config");
    }
    Ok(())
}

pub(crate) fn document(text: &str) -> Result<(), BadValue> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    if DOCUMENT_NAME.contains(&text.len()) && text.chars().all(is_letter) {
        return Ok(());
    }
    let forms = "the name or ARN of a session document: 3 to 128 letters, digits and `_-.:/`";
    bad(format!("{} cannot be a document", quote(text)), forms)
}

pub(crate) fn reason(text: &str) -> Result<(), BadValue> {
    match text.chars().count() {
        0..=MAX_REASON => Ok(()),
        length => bad(format!("the reason has {length} characters"), &format!("at most {MAX_REASON}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        for name in REGIONS.iter().copied().chain(["us-isob-east-1", "xx-nowhere-12"]) {
            assert_eq!(region(name), Ok(()), "{name}");
        }
        for (text, expected) in [
            ("eu-west1", "write `\"eu-west-1\"`"),
            ("euwest1", "write `\"eu-west-1\"`"),
            ("EU-WEST-1", "write `\"eu-west-1\"`"),
            ("eu_west_1", "write `\"eu-west-1\"`"),
            ("eu-west-1 ", "write `\"eu-west-1\"`"),
            ("eu-west-1a", "write `\"eu-west-1\"`"),
            ("Ireland", "accepted: the code of a region"),
        ] {
            let bad = region(text).unwrap_err();
            assert!(bad.help.contains(expected), "{text}: {bad:?}");
        }
        assert!(is_known_region("eu-west-1") && !is_known_region("eu-wst-1"));
        assert_eq!(nearest_region("eu-wst-1"), Some("eu-west-1"));
        assert_eq!(nearest_region("xx-nowhere-12"), None);
    }

    #[test]
    fn profiles_documents_and_reasons() {
        for name in ["dev", "my profile", "123456789012_Admin", "a/b"] {
            assert_eq!(profile(name), Ok(()), "{name}");
        }
        for text in ["[profile dev]", "profile dev", " dev", "[dev]"] {
            assert_eq!(profile(text).unwrap_err().help, "write `\"dev\"`", "{text}");
        }
        assert!(profile("a]b").is_err());
        assert_eq!(document("AWS-StartPortForwardingSession"), Ok(()));
        assert!(document("a").is_err() && document("my document").is_err());
        assert!(reason(&"x".repeat(256)).is_ok() && reason(&"x".repeat(257)).is_err());
    }
}
