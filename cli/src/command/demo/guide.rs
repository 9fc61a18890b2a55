//! What the demo tells its user to type in another terminal.

use std::fmt::Write as _;
use std::path::PathBuf;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Guide {
    /// Of the tunnels to the database, the cache and the web server.
    pub(super) ports: [u16; 3],
    /// The simulator's URL.
    pub(super) aws: String,
    /// The daemon's socket is in there.
    pub(super) folder: PathBuf,
    /// What this program was called as: it need not be where the shell looks for one.
    pub(super) program: String,
}

/// The tunnels, in the order of their ports.
pub(super) const NAMES: [&str; 3] = ["orders-db", "sessions-cache", "internal-api"];

impl Guide {
    /// For plain output: the tunnels and their addresses, then what to type. Printed when all are ready.
    pub(super) fn text(&self) -> String {
        let mut text = "\n".to_owned();
        for (name, port) in NAMES.into_iter().zip(self.ports) {
            let _ = writeln!(text, "{name:<14}  ready  127.0.0.1:{port}");
        }
        for line in self.lines() {
            let _ = writeln!(text, "{line}");
        }
        text.push('\n');
        text
    }

    /// What to type, in lines that fit a terminal of 80 columns.
    pub(super) fn lines(&self) -> Vec<String> {
        let [db, cache, web] = self.ports;
        let psql = format!("psql \"host=127.0.0.1 port={db} user=demo dbname=demo\"");
        let aws = &self.aws;
        // The user's own configuration, were it exported, would be asked for by this daemon's clients, too.
        let daemon = format!("TUNNELS_CONFIG= TUNNELS_RUNTIME_DIR={}", quoted(&self.folder.to_string_lossy()));
        vec![
            String::new(),
            "In another terminal:".to_owned(),
            format!("  {psql} -c \"select 1\""),
            format!("  redis-cli -p {cache} ping"),
            format!("  curl -s http://127.0.0.1:{web}/"),
            format!("  {daemon} {} ls", quoted(&self.program)),
            String::new(),
            "Open connections outlive their websocket. Leave psql open, or this:".to_owned(),
            format!("  curl -sN http://127.0.0.1:{web}/clock"),
            "and cut the websockets, as the service does about once an hour:".to_owned(),
            format!("  curl {aws}/_sim/cut -d '{{\"side\":\"client\",\"how\":\"bye\"}}'"),
            format!("AWS's side: curl -s {aws}/_sim/sessions"),
            String::new(),
            "Nothing of this leaves your machine. Ctrl-C ends it and leaves nothing behind.".to_owned(),
        ]
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_narrow_terminal() {
        let guide = Guide {
            ports: [65535; 3],
            aws: "http://127.0.0.1:65535".to_owned(),
            folder: PathBuf::from("/tmp/tunnels-demo-abcdef"),
            program: "tunnels".to_owned(),
        };
        for line in guide.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(guide.lines().len() <= 15, "with four lines of the list it fits 24 rows");
        for name in NAMES {
            assert!(guide.text().contains(&format!("{name:<14}  ready  127.0.0.1:65535")));
        }
    }

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("target/release/tunnels"), "target/release/tunnels");
        assert_eq!(quoted("my tools/tunnels"), "'my tools/tunnels'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
