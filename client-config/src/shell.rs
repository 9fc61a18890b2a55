//! Variables as the commands of a shell that set them.

use crate::quote;
use crate::variables::Variables;

/// A family of shells that agree on how variables are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// sh, bash, zsh, dash, ksh.
    Posix,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
    /// elvish.
    Elvish,
}

impl Shell {
    /// The names that can be asked for.
    pub const NAMES: [&str; 8] = ["sh", "bash", "zsh", "ksh", "dash", "fish", "powershell", "elvish"];

    /// By its name, or by the path of its program.
    pub fn of(name: &str) -> Option<Self> {
        let program = name.rsplit('/').next().unwrap_or(name);
        match program {
            "sh" | "bash" | "zsh" | "ksh" | "dash" | "ash" | "mksh" => Some(Self::Posix),
            "fish" => Some(Self::Fish),
            "powershell" | "pwsh" => Some(Self::PowerShell),
            "elvish" => Some(Self::Elvish),
            _ => None,
        }
    }

    /// The commands, a line each. What has to be unset comes first.
    pub fn commands(self, variables: &Variables) -> String {
        let unset = variables.unset.iter().map(|name| match self {
            Self::Posix => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
            Self::PowerShell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
            Self::Elvish => format!("unset-env {name}"),
        });
        let set = variables.set.iter().map(|(name, value)| match self {
            Self::Posix => format!("export {name}={}", quote::posix_always(value)),
            Self::Fish => format!("set -gx {name} {}", quote::fish(value)),
            Self::PowerShell => format!("$Env:{name} = {}", quote::powershell(value)),
            Self::Elvish => format!("set-env {name} {}", quote::elvish(value)),
        });
        unset.chain(set).map(|line| line + "\n").collect()
    }

    /// How the output of this command line is run by the shell.
    pub fn evaluation(self, line: &str) -> String {
        match self {
            Self::Posix => format!("eval \"$({line})\""),
            Self::Fish => format!("{line} | source"),
            Self::PowerShell => format!("{line} | Out-String | Invoke-Expression"),
            Self::Elvish => format!("eval ({line} | slurp)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_sets_and_unsets_in_its_own_way() {
        let variables = Variables { set: vec![("A", "it's".into())], unset: vec!["B"] };
        for (name, expected) in [
            ("/bin/zsh", "unset B\nexport A='it'\\''s'\n"),
            ("fish", "set -e B\nset -gx A 'it\\'s'\n"),
            ("pwsh", "Remove-Item Env:B -ErrorAction SilentlyContinue\n$Env:A = 'it''s'\n"),
            ("elvish", "unset-env B\nset-env A 'it''s'\n"),
        ] {
            assert_eq!(Shell::of(name).unwrap().commands(&variables), expected, "{name}");
        }
        assert_eq!(Shell::of("csh"), None);
        assert!(Shell::NAMES.iter().all(|name| Shell::of(name).is_some()));
    }
}
