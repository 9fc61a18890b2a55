//! The clipboard behind tmux.
//!
//! By default (`set-clipboard external`) tmux ignores a program in it that writes to the terminal's clipboard, while it
//! does so itself for what is put into a buffer of its own. So it is asked for that.

use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Whether this program runs in tmux, by the variables that tmux sets.
pub(super) fn is_around(env: impl Fn(&str) -> Option<String>) -> bool {
    env("TMUX").is_some_and(|socket| !socket.is_empty())
}

/// Puts a text into a new buffer of tmux and into the clipboard of the terminal around it. That it cannot – tmux before
/// 3.2 does not know `-w` – is no reason to complain: the terminal was asked, too.
pub(super) async fn copy(text: String) {
    let mut tmux = Command::new("tmux");
    tmux.args(["load-buffer", "-w", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut tmux) = tmux.spawn() else { return };
    if let Some(mut stdin) = tmux.stdin.take() {
        // Closed at the end of this block: that ends the text.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let _ = tmux.wait().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmux_says_that_it_is_there() {
        let with = |value: Option<&str>| is_around(|name| value.filter(|_| name == "TMUX").map(str::to_owned));
        assert!(with(Some("/tmp/tmux-0/default,1,0")));
        assert!(!with(None) && !with(Some("")));
    }
}
