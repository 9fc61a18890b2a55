//! Programs of the desktop: what fills the clipboard, and which terminal emulator opens.
//!
//! Which of them is used is decided purely, from variables and from what there is on the PATH.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Where programs are looked for, and what the session says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desktop<Variable, Has> {
    variable: Variable,
    has: Has,
}

/// The desktop that this program runs in.
pub(crate) fn here() -> Desktop<impl Fn(&str) -> Option<String>, impl Fn(&str) -> bool> {
    Desktop { variable: |name: &str| env::var(name).ok(), has: is_on_path }
}

/// Terminal emulators, the user's and the system's choice first, and what stands before the program to run in them.
const TERMINALS: [(&str, &[&str]); 16] = [
    ("xdg-terminal-exec", &[]),
    ("x-terminal-emulator", &["-e"]),
    ("ptyxis", &["--"]),
    ("kgx", &["--"]),
    ("gnome-terminal", &["--"]),
    ("konsole", &["-e"]),
    ("xfce4-terminal", &["-x"]),
    ("mate-terminal", &["-x"]),
    ("qterminal", &["-e"]),
    ("alacritty", &["-e"]),
    ("kitty", &["--"]),
    ("foot", &["--"]),
    ("ghostty", &["-e"]),
    ("wezterm", &["start", "--"]),
    ("urxvt", &["-e"]),
    ("xterm", &["-e"]),
];

/// What fills the clipboard from its standard input, and the variable of the display that it needs.
const CLIPBOARDS: [(&str, &str, &[&str]); 3] = [
    ("WAYLAND_DISPLAY", "wl-copy", &[]),
    ("DISPLAY", "xclip", &["-selection", "clipboard", "-in"]),
    ("DISPLAY", "xsel", &["--clipboard", "--input"]),
];

impl<Variable, Has> Desktop<Variable, Has>
where
    Variable: Fn(&str) -> Option<String>,
    Has: Fn(&str) -> bool,
{
    /// The words that run a program in a terminal emulator, to be followed by that program's own; none where there is
    /// no emulator that is known here.
    pub(crate) fn terminal(&self) -> Option<Vec<String>> {
        if let Some(mut words) = self.chosen_terminal() {
            let name = Path::new(&words[0]).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let before = TERMINALS.iter().find(|(known, _)| *known == name).map_or(&["-e"][..], |(_, before)| before);
            words.extend(before.iter().map(|&word| word.to_owned()));
            return Some(words);
        }
        let (name, before) = TERMINALS.iter().find(|(name, _)| (self.has)(name))?;
        Some([name].into_iter().chain(before.iter()).map(|&word| word.to_owned()).collect())
    }

    /// `$TERMINAL`, with arguments of its own if it has some. One that is not there is passed over.
    fn chosen_terminal(&self) -> Option<Vec<String>> {
        let chosen = (self.variable)("TERMINAL")?;
        let words: Vec<String> = chosen.split_whitespace().map(str::to_owned).collect();
        words.first().is_some_and(|name| (self.has)(name)).then_some(words)
    }

    /// The program, with its arguments, that fills the clipboard from its standard input; none where there is none.
    pub(crate) fn clipboard(&self) -> Option<Vec<&'static str>> {
        let is_set = |name: &str| (self.variable)(name).is_some_and(|value| !value.is_empty());
        let found = CLIPBOARDS.iter().find(|(display, name, _)| is_set(display) && (self.has)(name))?;
        let (_, name, arguments) = found;
        Some([name].into_iter().chain(arguments.iter()).copied().collect())
    }
}

/// Whether there is a program of that name, or at that path.
fn is_on_path(name: &str) -> bool {
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return is_program(Path::new(name));
    }
    let folders: OsString = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| is_program(&folder.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desktop(
        variables: &'static [(&str, &str)],
        programs: &'static [&str],
    ) -> Desktop<impl Fn(&str) -> Option<String>, impl Fn(&str) -> bool> {
        Desktop {
            variable: move |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            },
            has: move |name: &str| programs.contains(&name),
        }
    }

    #[test]
    fn the_user_s_terminal_comes_first() {
        let terminal = |variables, programs| desktop(variables, programs).terminal().map(|words| words.join(" "));
        let both = &["kitty", "x-terminal-emulator", "xterm"];
        assert_eq!(terminal(&[], both).as_deref(), Some("x-terminal-emulator -e"));
        assert_eq!(terminal(&[("TERMINAL", "kitty")], both).as_deref(), Some("kitty --"));
        assert_eq!(
            terminal(&[("TERMINAL", "kitty --single-instance")], both).as_deref(),
            Some("kitty --single-instance --")
        );
        assert_eq!(terminal(&[("TERMINAL", "/opt/st")], &["/opt/st"]).as_deref(), Some("/opt/st -e"));
        assert_eq!(terminal(&[("TERMINAL", "gone")], both).as_deref(), Some("x-terminal-emulator -e"));
        assert_eq!(terminal(&[("TERMINAL", " ")], &["wezterm"]).as_deref(), Some("wezterm start --"));
        assert_eq!(terminal(&[], &["ls"]), None);
    }

    #[test]
    fn the_clipboard_is_that_of_the_display() {
        let all = &["wl-copy", "xclip", "xsel"];
        let clipboard = |variables, programs| desktop(variables, programs).clipboard().map(|words| words.join(" "));
        let both = &[("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":0")];
        assert_eq!(clipboard(both, all).as_deref(), Some("wl-copy"));
        assert_eq!(clipboard(both, &["xsel"]).as_deref(), Some("xsel --clipboard --input"));
        assert_eq!(clipboard(&[("DISPLAY", ":0")], all).as_deref(), Some("xclip -selection clipboard -in"));
        assert_eq!(clipboard(&[("DISPLAY", "")], all), None, "there is no display");
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(is_on_path("sh") && is_on_path("/bin/sh"));
        assert!(!is_on_path("no-such-program") && !is_on_path("/etc/passwd"), "which is not one to run");
    }
}
