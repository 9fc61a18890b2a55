//! The file that makes a desktop start the tray with each session, as XDG's autostart specification has it.
//!
//! Pure: what stands in it, and where it belongs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Its name in the folder.
const FILE: &str = "autostart/tunnels-tray.desktop";

/// Where the file belongs; none where there is no home folder.
pub fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join(FILE))
}

/// What stands in it: starts `program` with these arguments. Paths that are not UTF-8 cannot be written there: none.
pub fn entry(program: &Path, arguments: &[OsString]) -> Option<String> {
    let words = std::iter::once(program.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
    let words: Vec<String> = words.map(|word| Some(quoted(word.to_str()?))).collect::<Option<_>>()?;
    let exec = words.join(" ");
    Some(format!(
        "[Desktop Entry]\nType=Application\nName=tunnels\nComment=AWS Session Manager port forwards at a glance\n\
         Exec={exec}\nIcon=network-vpn\nTerminal=false\nNoDisplay=true\n"
    ))
}

/// A word of `Exec` by the rules of desktop entries: a quoted string, in which `%` would begin a field, and which is
/// then a value whose backslashes are doubled.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(["\\\\", &c.to_string()]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_belongs_where_desktops_look() {
        let path = |variables: &'static [(&str, &str)]| {
            path(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        let home = Some(PathBuf::from("/home/ada/.config/autostart/tunnels-tray.desktop"));
        assert_eq!(path(&[("HOME", "/home/ada")]), home);
        assert_eq!(path(&[("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "relative")]), home);
        let other = Some(PathBuf::from("/x/autostart/tunnels-tray.desktop"));
        assert_eq!(path(&[("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "/x")]), other);
        assert_eq!(path(&[]), None);
    }

    #[test]
    fn words_arrive_as_they_were_meant() {
        let exec = |program: &str, arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let entry = entry(Path::new(program), &arguments).unwrap();
            entry.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap().to_owned()
        };
        assert_eq!(exec("/usr/bin/tunnels", &["tray"]), "/usr/bin/tunnels tray");
        assert_eq!(
            exec("/opt/my tools/tunnels", &["--config", "50%.toml", "tray"]),
            r#""/opt/my tools/tunnels" --config "50%%.toml" tray"#
        );
        assert_eq!(exec(r#"/a"b$c\d"#, &[]), r#""/a\\"b\\$c\\\\d""#);
    }
}
