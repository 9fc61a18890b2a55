//! What is said below a list: why tunnels are not what they should be and what to do, who else can reach
//! them, whose credentials run out soon, and that the configuration is not the one in the file.
//!
//! Pure. Each note is a paragraph; tunnels with the same trouble share one, so that a login that has
//! expired is said once, not once for each of thirty tunnels.

use crate::style::{BOLD, Look, RED};
use crate::text;
use crate::units;
use crate::words;
use anstyle::Style;
use std::fmt::Write as _;
use tunnels_api::{Cause, Timestamp, TunnelState, TunnelStatus};

/// Names that a paragraph lists before it only counts.
const MOST_NAMES: usize = 4;
/// Different texts of one kind of trouble before the rest is only counted.
const MOST_TEXTS: usize = 3;

/// All paragraphs for these tunnels, each as its lines; what is worst comes first.
pub fn of(tunnels: &[TunnelStatus], config_error: Option<&str>, now: Timestamp, look: Look, retry: Retry) -> Vec<Note> {
    let mut notes: Vec<Note> = groups(tunnels).iter().map(|group| group.note(now, look, retry)).collect();
    notes.extend(expiring(tunnels, now, look));
    notes.extend(exposed(tunnels, look));
    notes.extend(config_error.map(|report| rejected(report, look)));
    notes
}

/// The lines of a paragraph.
pub type Note = Vec<String>;

/// Whether a note has to say when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The list says it.
    SaidElsewhere,
    /// Nobody else says it.
    Said,
}

/// Who else can reach a tunnel's port, if that is more than this machine.
pub fn exposure(tunnel: &TunnelStatus) -> Option<String> {
    tunnel.exposed.then(|| format!("other machines can reach {}", text::clean(&tunnel.local)))
}

/// That a tunnel's credentials run out soon, or have.
pub fn expiry(tunnel: &TunnelStatus, now: Timestamp) -> Option<String> {
    let at = tunnel.credentials_expire_soon(now)?;
    let whose = tunnel.profile.as_ref().map_or_else(
        || "the AWS credentials".to_owned(),
        |profile| format!("the credentials of profile `{}`", text::clean(profile)),
    );
    Some(if at <= now {
        format!("{whose} have run out; what is open goes on")
    } else {
        format!("{whose} run out in {}", units::until(at, now))
    })
}

/// Tunnels with one kind of trouble and one way out.
struct Group<'a> {
    cause: &'a Cause,
    members: Vec<&'a TunnelStatus>,
}

fn groups(tunnels: &[TunnelStatus]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for tunnel in tunnels.iter().filter(|tunnel| words::is_in_trouble(tunnel)) {
        let Some(cause) = &tunnel.cause else { continue };
        let is_same = |group: &&mut Group<'_>| {
            group.cause.kind == cause.kind
                && group.cause.next == cause.next
                // Nothing to do in common: then they belong together only if it is the very same.
                && (cause.next.is_some() || group.cause.text == cause.text)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.members.push(tunnel),
            None => groups.push(Group { cause, members: vec![tunnel] }),
        }
    }
    // A stable sort: of equal ones the order of the configuration stays.
    groups.sort_by_key(|group| group.members.iter().map(|tunnel| rank(tunnel.state)).min());
    groups
}

/// What needs its user most comes first.
fn rank(state: TunnelState) -> u8 {
    match state {
        TunnelState::NeedsLogin => 0,
        TunnelState::Failed => 1,
        TunnelState::Degraded => 2,
        _ => 3,
    }
}

impl Group<'_> {
    fn note(&self, now: Timestamp, look: Look, retry: Retry) -> Note {
        let mut texts: Vec<(String, Vec<&TunnelStatus>)> = Vec::new();
        for tunnel in &self.members {
            let said = text::clean(&tunnel.cause.as_ref().unwrap_or(self.cause).text);
            let said = said.trim_end_matches('.').to_owned();
            match texts.iter_mut().find(|(text, _)| *text == said) {
                Some((_, tunnels)) => tunnels.push(tunnel),
                None => texts.push((said, vec![tunnel])),
            }
        }
        let mut note = Note::new();
        for (said, tunnels) in texts.iter().take(MOST_TEXTS) {
            let next = match retry {
                Retry::Said => tunnels.iter().find_map(|tunnel| words::next_try(tunnel, now)),
                Retry::SaidElsewhere => None,
            };
            let next = next.map(|next| format!(" ({next})")).unwrap_or_default();
            note.extend(paragraph(&subject(tunnels), BOLD, &format!("{said}{next}"), look));
        }
        let rest: usize = texts.iter().skip(MOST_TEXTS).map(|(_, tunnels)| tunnels.len()).sum();
        if rest > 0 {
            note.push(format!("… and {rest} more of this kind"));
        }
        if let Some(next) = &self.cause.next {
            note.extend(paragraph("  next:", BOLD, &text::clean(next), look));
        }
        note
    }
}

/// Who a paragraph is about.
fn subject(tunnels: &[&TunnelStatus]) -> String {
    let names: Vec<String> = tunnels.iter().map(|tunnel| text::clean(&tunnel.name)).collect();
    match names.as_slice() {
        [name] => format!("{name}:"),
        names => format!("{} tunnels ({}):", names.len(), text::names(names, MOST_NAMES)),
    }
}

/// One for each login. A tunnel that waits for it already has a note of its own.
fn expiring(tunnels: &[TunnelStatus], now: Timestamp, look: Look) -> Vec<Note> {
    let mut said: Vec<(String, Option<&String>)> = Vec::new();
    for tunnel in tunnels.iter().filter(|tunnel| tunnel.state != TunnelState::NeedsLogin) {
        let Some(expiry) = expiry(tunnel, now) else { continue };
        let next = tunnel.credentials_renew.as_ref();
        if !said.contains(&(expiry.clone(), next)) {
            said.push((expiry, next));
        }
    }
    let note = |(expiry, next): (String, Option<&String>)| {
        let mut note = paragraph("warning:", RED, &expiry, look);
        if let Some(command) = next {
            note.extend(paragraph("  next:", BOLD, &format!("run `{}`", text::clean(command)), look));
        }
        note
    };
    said.into_iter().map(note).collect()
}

fn exposed(tunnels: &[TunnelStatus], look: Look) -> Option<Note> {
    let open = tunnels.iter().filter(|tunnel| tunnel.exposed && tunnel.state != TunnelState::Down);
    let named: Vec<String> =
        open.map(|tunnel| format!("{} ({})", text::clean(&tunnel.name), text::clean(&tunnel.local))).collect();
    if named.is_empty() {
        return None;
    }
    let said = format!("other machines can reach {}", text::names(&named, MOST_NAMES));
    Some(paragraph("warning:", RED, &said, look))
}

fn rejected(report: &str, look: Look) -> Note {
    let said = "the configuration was edited and is not valid; the one before it stays in force";
    let mut note = paragraph("warning:", RED, said, look);
    let mistakes = mistakes(report);
    for mistake in mistakes.iter().take(MOST_TEXTS) {
        note.extend(paragraph("  ·", BOLD, mistake, look));
    }
    if mistakes.len() > MOST_TEXTS {
        note.push(format!("  · and {} more", mistakes.len() - MOST_TEXTS));
    }
    note.extend(paragraph("  next:", BOLD, "`tunnels config check` shows the whole report", look));
    note
}

/// Each mistake of a report in a line: what is wrong, and where.
pub(crate) fn mistakes(report: &str) -> Vec<String> {
    let plain = anstream::adapter::strip_str(report).to_string();
    let mut mistakes: Vec<String> = Vec::new();
    for line in plain.lines().map(str::trim) {
        if let Some(message) = line.strip_prefix("error:") {
            mistakes.push(text::clean(message));
        } else if let (Some(place), Some(mistake)) = (line.strip_prefix("-->"), mistakes.last_mut())
            && !mistake.ends_with(')')
        {
            let _ = write!(mistake, " ({})", text::clean(place));
        }
    }
    if mistakes.is_empty() {
        mistakes.extend(plain.lines().map(text::clean).find(|line| !line.is_empty()));
    }
    mistakes
}

/// A heading and what is said of it, wrapped with the lines after the first set in.
pub(crate) fn paragraph(heading: &str, style: Style, said: &str, look: Look) -> Note {
    let margin = &heading[..heading.len() - heading.trim_start().len()];
    let heading = heading.trim_start();
    let room = look.columns().saturating_sub(margin.len() + 2).max(16);
    let mut lines = text::wrap(&format!("{heading} {said}"), room);
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, "  ");
    }
    if let Some(first) = lines.first_mut() {
        // A heading that had to be wrapped itself stays plain.
        if let Some(rest) = first.strip_prefix(heading) {
            *first = format!("{}{rest}", look.paint(style, heading));
        }
    }
    lines.into_iter().map(|line| format!("{margin}{line}")).collect()
}

#[cfg(test)]
mod tests;
