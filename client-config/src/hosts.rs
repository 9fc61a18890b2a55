//! A block in the hosts file that makes the servers' names lead to their tunnels on this machine.
//!
//! Texts only: who replaces the file, and whether he may, is not known here. What stands outside of the block is never
//! changed, not even its line ends.

use crate::Endpoint;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The block's first line.
pub const BEGIN: &str = "# BEGIN tunnels (managed by `tunnels hosts apply`; edits in here are lost)";
/// Its last.
pub const END: &str = "# END tunnels";
/// By this a first line is known: the words behind may change from version to version.
const BEGIN_MARK: &str = "# BEGIN tunnels";
/// Longer than any block that a configuration could ask for.
const MAX_LINES: usize = 20_000;
/// What systems call themselves.
const OWN_NAMES: [&str; 5] = ["localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"];

/// One line of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsLine {
    /// Where the tunnel listens: loopback.
    pub address: IpAddr,
    /// The name that is to lead there.
    pub host: String,
    /// The tunnel.
    pub tunnel: String,
}

/// What is wrong with a hosts file, or with a block that was handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHosts {
    /// A block is not closed, or closed twice.
    #[error("line {0} belongs to a block of tunnels' that is not whole")]
    Block(usize),
    /// Not a line of such a block.
    #[error("line {0}: {1}")]
    Line(usize, &'static str),
}

/// Whether this is the name of a server that may lead to a tunnel on this machine: those that every system has for itself
/// may not, and numbers are never looked up.
fn may_lead_here(host: &str) -> bool {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_name =
        host.len() <= 253 && host.chars().all(is_of_names) && host.contains(|c: char| c.is_ascii_alphabetic());
    // With or without a domain: `localhost.localdomain`.
    let first = host.split('.').next().unwrap_or_default();
    is_name && !OWN_NAMES.iter().any(|own| first.eq_ignore_ascii_case(own))
}

/// The lines for these tunnels, by address, and what has to be said of those that get none.
pub fn lines(endpoints: &[&Endpoint]) -> (Vec<HostsLine>, Vec<String>) {
    let mut lines: Vec<HostsLine> = Vec::new();
    let mut notes = Vec::new();
    // A name that leads to two tunnels leads to either, if their ports differ: who is refused by one tries the other.
    let mut ports: BTreeMap<(String, u16), &str> = BTreeMap::new();
    for endpoint in endpoints {
        let tunnel = &endpoint.name;
        let Some(host) = endpoint.remote.name() else { continue };
        let Some(address) = endpoint.address() else {
            notes.push(format!("{tunnel} listens on a Unix socket: no name leads there"));
            continue;
        };
        if !address.ip().is_loopback() {
            notes.push(format!("{tunnel} listens on {}, which is not only of this machine: left out", address.ip()));
            continue;
        }
        if !may_lead_here(host) {
            notes.push(format!("{host} stays as it is on this machine: {tunnel} is left out"));
            continue;
        }
        if let Some(other) = ports.get(&(host.to_ascii_lowercase(), address.port())) {
            notes.push(format!("{host} leads to {other} already: {tunnel} is left out"));
            continue;
        }
        ports.insert((host.to_ascii_lowercase(), address.port()), tunnel);
        let line = HostsLine { address: address.ip(), host: host.to_owned(), tunnel: tunnel.clone() };
        if !lines.iter().any(|other| other.address == line.address && other.host.eq_ignore_ascii_case(host)) {
            lines.push(line);
        }
    }
    (lines, notes)
}

/// The block, with its markers; nothing for no lines.
pub fn block(lines: &[HostsLine]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let width = lines.iter().map(|line| line.address.to_string().len()).max().unwrap_or(0);
    let line = |line: &HostsLine| format!("{:width$}  {}  # {}\n", line.address.to_string(), line.host, line.tunnel);
    format!("{BEGIN}\n{}{END}\n", lines.iter().map(line).collect::<String>())
}

/// A file's text with this block in place of the one that it has, or at its end.
///
/// # Errors
/// If the block that is there cannot be told from the rest.
pub fn apply(file: &[u8], lines: &[HostsLine]) -> Result<Vec<u8>, BadHosts> {
    let new = block(lines).into_bytes();
    let (before, after) = around(file)?.unwrap_or((file, &[]));
    let mut out = before.to_vec();
    if !new.is_empty() && out.last().is_some_and(|last| *last != b'\n') {
        out.push(b'\n');
    }
    out.extend_from_slice(&new);
    out.extend_from_slice(after);
    Ok(out)
}

/// The file's text without a block.
///
/// # Errors
/// As [`apply`].
pub fn remove(file: &[u8]) -> Result<Vec<u8>, BadHosts> {
    apply(file, &[])
}

/// What stands before the block and behind it.
type Around<'a> = (&'a [u8], &'a [u8]);

/// None where there is no block.
fn around(file: &[u8]) -> Result<Option<Around<'_>>, BadHosts> {
    let mut begin = None;
    let mut found = None;
    let mut at = 0;
    for (number, line) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let end = at + line.len();
        let line = line.trim_ascii();
        if line.starts_with(BEGIN_MARK.as_bytes()) {
            if begin.is_some() || found.is_some() {
                return Err(BadHosts::Block(number + 1));
            }
            begin = Some((number, at));
        } else if line == END.as_bytes() {
            let Some((_, start)) = begin.take() else { return Err(BadHosts::Block(number + 1)) };
            found = Some((start, end));
        }
        at = end;
    }
    match (begin, found) {
        (Some((number, _)), _) => Err(BadHosts::Block(number + 1)),
        (None, Some((start, end))) => Ok(Some((&file[..start], &file[end..]))),
        (None, None) => Ok(None),
    }
}

/// Reads a block as [`block`] writes it, from somebody with fewer rights: only names, and only to loopback.
///
/// # Errors
/// For everything else.
pub fn read_block(text: &str) -> Result<Vec<HostsLine>, BadHosts> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let bad = |why| BadHosts::Line(number + 1, why);
        if number >= MAX_LINES {
            return Err(bad("there are too many lines"));
        }
        let (entry, comment) = line.split_once('#').unwrap_or((line, ""));
        let mut words = entry.split_whitespace();
        let Some(address) = words.next() else { continue };
        let address: IpAddr = address.parse().map_err(|_| bad("this begins with no address"))?;
        if !address.is_loopback() {
            return Err(bad("this address is not loopback"));
        }
        let (Some(host), None) = (words.next(), words.next()) else {
            return Err(bad("one name belongs behind the address"));
        };
        if !may_lead_here(host) {
            return Err(bad("this is no name of a server"));
        }
        let tunnel: String = comment.trim().chars().filter(|c| !c.is_control()).take(100).collect();
        lines.push(HostsLine { address, host: host.to_owned(), tunnel });
    }
    Ok(lines)
}

/// All addresses that a hosts file gives a name.
pub fn addresses(file: &str, name: &str) -> Vec<IpAddr> {
    entries(file).filter(|(_, host)| host.eq_ignore_ascii_case(name)).map(|(address, _)| address).collect()
}

/// The names of these lines that the file gives other addresses, outside of the block: what comes first counts.
pub fn rivals(file: &str, lines: &[HostsLine]) -> Vec<String> {
    let outside = remove(file.as_bytes()).unwrap_or_default();
    let outside = String::from_utf8_lossy(&outside);
    let is_rival = |line: &&HostsLine| addresses(&outside, &line.host).iter().any(|other| *other != line.address);
    lines.iter().filter(is_rival).map(|line| line.host.clone()).collect()
}

fn entries(file: &str) -> impl Iterator<Item = (IpAddr, &str)> {
    file.lines().flat_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        address.into_iter().flat_map(move |address| words.clone().map(move |host| (address, host)))
    })
}

#[cfg(test)]
mod tests;
