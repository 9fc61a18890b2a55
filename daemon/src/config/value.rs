//! Single values: from the text in the file to what it means. Pure; an error says what would be accepted.

mod address;
mod aws_name;
mod duration;
mod label;
mod target;
mod variable;

pub(super) use address::{LOCAL_FORMS, REMOTE_FORMS, local, local_port, remote, remote_port};
pub(super) use aws_name::{document, profile, reason, region};
pub use aws_name::{is_known_region, nearest_region};
pub(super) use duration::{DURATION_FORMS, HOLD, PARK_AFTER, PATIENCE, PING, duration, limited, show};
pub(super) use label::{group, tunnel_name};
pub(super) use target::{TARGET_FORMS, tag, target};
pub use variable::literal;
pub(super) use variable::{Unset, expand};

/// What is wrong with a value, and what would be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadValue {
    pub(super) wrong: String,
    pub(super) help: String,
}

/// A value is wrong; these forms are right.
fn bad<T>(wrong: impl Into<String>, accepted: &str) -> Result<T, BadValue> {
    Err(BadValue { wrong: wrong.into(), help: format!("accepted: {accepted}") })
}

/// A value is wrong, and this is what it was probably meant to be.
fn rather<T>(wrong: impl Into<String>, write: impl std::fmt::Display) -> Result<T, BadValue> {
    Err(BadValue { wrong: wrong.into(), help: format!("write `{write}`") })
}
