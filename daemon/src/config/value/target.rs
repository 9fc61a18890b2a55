//! Targets: ids of managed nodes, and tags that find one.

use super::super::diagnostic::quote;
use super::{BadValue, bad, rather};
use crate::aws::{Candidate, TagFilter};

pub(crate) const TARGET_FORMS: &str = "an instance id (`\"i-…\"`, `\"mi-…\"`, `\"ecs:cluster_task_runtime-id\"`), \
                                       `{ tag = \"Key=Value\" }`, or a list of either";

/// Of AWS.
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

pub(crate) fn target(text: &str) -> Result<Candidate, BadValue> {
    if is_id(text) {
        return Ok(Candidate::Id(text.to_owned()));
    }
    // An ARN, a console's URL, a line with space around.
    let part = text.trim().rsplit(['/', ':', '=']).next().unwrap_or_default();
    if is_id(part) {
        return rather(format!("{} is not the id alone", quote(text)), format!("\"{part}\""));
    }
    if text.starts_with("i-") || text.starts_with("mi-") {
        let message = format!("{} is not a whole instance id", quote(text));
        return bad(message, "`i-` or `mi-`, and 8 or 17 digits from `0` to `f`");
    }
    if text.starts_with("ecs:") {
        return bad(format!("{} is not a whole ECS target", quote(text)), "`ecs:cluster_task-id_runtime-id`");
    }
    let filter = text.strip_prefix("tag:").unwrap_or(text);
    let filter = if filter.contains('=') { filter.to_owned() } else { format!("Name={filter}") };
    match tag(&filter) {
        Ok(tag) => rather(format!("{} is not the id of a managed node", quote(text)), format!("{{ tag = \"{tag}\" }}")),
        Err(_) => bad(format!("{} is not the id of a managed node", quote(text)), TARGET_FORMS),
    }
}

fn is_id(text: &str) -> bool {
    let hex = |id: &str| id.len() >= 8 && id.len() <= 17 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let task = |id: &str| id.split('_').count() >= 3 && id.split('_').all(|part| !part.is_empty());
    text.strip_prefix("i-").is_some_and(hex)
        || text.strip_prefix("mi-").is_some_and(hex)
        || text.strip_prefix("ecs:").is_some_and(task)
}

pub(crate) fn tag(text: &str) -> Result<TagFilter, BadValue> {
    const FORMS: &str = "`{ tag = \"Key=Value\" }`";
    let Some((key, value)) = text.split_once('=') else {
        return match text.split_once(':') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                rather("a tag's key and value are joined by `=`", format!("\"{}={}\"", key.trim(), value.trim()))
            }
            _ => rather(format!("{} has no value", quote(text)), format!("\"{text}=…\"` or `\"Name={text}\"")),
        };
    };
    if key.trim() != key || value.trim() != value {
        return rather("there is space around the key or the value", format!("\"{}={}\"", key.trim(), value.trim()));
    }
    if key.is_empty() || value.is_empty() {
        let missing = if key.is_empty() { "key" } else { "value" };
        return bad(format!("the tag's {missing} is missing"), FORMS);
    }
    if key.chars().count() > MAX_TAG_KEY || value.chars().count() > MAX_TAG_VALUE {
        return bad(
            "no tag is so long",
            &format!("a key of {MAX_TAG_KEY}, a value of {MAX_TAG_VALUE} characters at most"),
        );
    }
    if text.contains(['*', '?']) {
        return bad("a tag must fit as it is: AWS has no patterns here", FORMS);
    }
    Ok(TagFilter { key: key.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_tags() {
        for id in ["i-0123456789abcdef0", "mi-0123456789abcdef0", "ecs:c_0123_0123-1", "i-01234567"] {
            assert_eq!(target(id), Ok(Candidate::Id(id.into())));
        }
        assert_eq!(tag("Name=a=b").unwrap().to_string(), "Name=a=b");
    }

    #[test]
    fn what_was_meant() {
        for (text, expected) in [
            ("bastion", "write `{ tag = \"Name=bastion\" }`"),
            ("Role=jump", "write `{ tag = \"Role=jump\" }`"),
            ("tag:Role=jump", "write `{ tag = \"Role=jump\" }`"),
            (" i-0123456789abcdef0", "write `\"i-0123456789abcdef0\"`"),
            ("arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0", "write `\"i-0123456789abcdef0\"`"),
            ("i-xyz", "8 or 17 digits"),
            ("i-1", "8 or 17 digits"),
            ("ecs:c", "`ecs:cluster_task-id_runtime-id`"),
        ] {
            let bad = target(text).unwrap_err();
            assert!(bad.help.contains(expected), "{text}: {bad:?}");
        }
        for (text, expected) in [
            ("Name", "write `\"Name=…\"` or `\"Name=Name\"`"),
            ("Name:bastion", "write `\"Name=bastion\"`"),
            ("Name = bastion", "write `\"Name=bastion\"`"),
            ("=x", "accepted: `{ tag = \"Key=Value\" }`"),
            ("Name=", "accepted: `{ tag = \"Key=Value\" }`"),
            ("Name=bastion-*", "accepted: `{ tag = \"Key=Value\" }`"),
        ] {
            let bad = tag(text).unwrap_err();
            assert!(bad.help.contains(expected), "{text}: {bad:?}");
        }
    }
}
