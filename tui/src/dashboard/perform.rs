//! Does what `update` wants of the daemon and of other programs; what comes of it goes back as messages.
//!
//! Each question is a task of its own, so that none holds up the screen; all end with the dashboard.

use super::effect::{Command, Effect, Look, Message, Program, Verb};
use super::model::Tab;
use super::run::StartDaemon;
use super::tmux;
use std::ffi::OsString;
use std::io::Write as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tunnels_api::{ApiError, Client, ClientError, LogQuery, SelectRequest, Span};

/// Lines of the log that a tab shows: what the daemon keeps about a tunnel.
const LOG_LINES: usize = 250;

/// The way to the daemon.
#[derive(Debug)]
pub(super) struct Performer {
    client: Client,
    answers: mpsc::Sender<Message>,
    start: Option<StartDaemon>,
    is_in_tmux: bool,
    asked: JoinSet<()>,
}

impl Performer {
    pub(super) fn new(client: Client, answers: mpsc::Sender<Message>, start: Option<StartDaemon>) -> Self {
        let is_in_tmux = tmux::is_around(|name| std::env::var(name).ok());
        Self { client, answers, start, is_in_tmux, asked: JoinSet::new() }
    }

    /// Asks the daemon. What concerns the terminal is `run`'s.
    pub(super) fn perform(&mut self, effect: Effect) {
        // Those that have an answer are done with.
        while self.asked.try_join_next().is_some() {}
        let client = self.client.clone();
        match effect {
            Effect::Figures => self.ask(async move { Message::Figures(client.tunnels().await) }),
            Effect::Version => self.ask(async move { Message::Version(client.version().await) }),
            Effect::Look { name, tab, span } => self.ask(async move {
                let look = look(&client, &name, tab, span).await;
                Message::Looked { name, look }
            }),
            Effect::Command(command) => self.ask(async move {
                let result = obey(&client, &command).await.map_err(ApiError::from);
                Message::Done { command, result }
            }),
            Effect::Reload => {
                self.ask(async move { Message::Reloaded(client.reload().await.map_err(ApiError::from)) });
            }
            Effect::StartDaemon => {
                if let Some(StartDaemon(start)) = self.start.clone() {
                    self.ask(async move { Message::Started(start().await) });
                }
            }
            // The terminal itself is asked elsewhere.
            Effect::Copy(text) if self.is_in_tmux => {
                self.asked.spawn(tmux::copy(text));
            }
            Effect::Quit | Effect::Redraw | Effect::Copy(_) | Effect::Run(_) => {}
        }
    }

    fn ask(&mut self, question: impl Future<Output = Message> + Send + 'static) {
        let answers = self.answers.clone();
        self.asked.spawn(async move {
            // Nobody listens only at the end.
            let _ = answers.send(question.await).await;
        });
    }
}

async fn look(client: &Client, name: &str, tab: Tab, span: Span) -> Result<Look, ClientError> {
    Ok(match tab {
        Tab::Overview => Look::Sessions(client.sessions(name).await?),
        Tab::Connections => Look::Connections(client.connections(name).await?),
        Tab::Throughput | Tab::Latency => Look::Traffic(client.traffic(name, span).await?),
        Tab::Why => Look::History(client.history(name).await?),
        Tab::Logs => {
            let query = LogQuery { tunnel: Some(name.to_owned()), lines: Some(LOG_LINES), ..LogQuery::default() };
            Look::Logs(client.logs(&query).await?)
        }
        Tab::Config => Look::Settings(client.settings(name).await?),
    })
}

/// Says how many tunnels the command is about.
async fn obey(client: &Client, command: &Command) -> Result<usize, ClientError> {
    let select = command.names.clone();
    match command.verb {
        Verb::Up => Ok(client.up(&SelectRequest { select, reason: None }).await?.tunnels.len()),
        Verb::Down => Ok(client.down(&select).await?.tunnels.len()),
        Verb::Restart => {
            for name in &select {
                client.restart(name).await?;
            }
            Ok(select.len())
        }
    }
}

/// Runs a program in the terminal, which is not ours meanwhile. Where its output would be gone before anybody could read
/// it, somebody has to press enter first.
pub(super) async fn run_program(program: &Program) -> Result<(), String> {
    let (words, is_read) = match program {
        Program::Client(words) => {
            (words.iter().map(OsString::from).collect(), words.first().is_some_and(|first| first == "curl"))
        }
        Program::Login(words) => (words.iter().map(OsString::from).collect(), false),
        Program::Editor { file } => (editor(|name| std::env::var(name).ok(), file), false),
    };
    let said: Vec<String> = words.iter().map(|word: &OsString| word.to_string_lossy().into_owned()).collect();
    println!("$ {}", said.join(" "));
    let Some((first, rest)) = words.split_first() else { return Err("there is nothing to run".to_owned()) };
    let status = tokio::process::Command::new(first).args(rest).status().await;
    let result = match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(format!("it cannot be run: {error}")),
    };
    if is_read || result.is_err() {
        if let Err(how) = &result {
            println!("{}: {how}", first.to_string_lossy());
        }
        print!("press enter to go back to the dashboard ");
        let _ = std::io::stdout().flush();
        let line = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        // Whatever becomes of it: there is nothing in it to read.
        drop(line.await);
    }
    result
}

/// The user's editor with its own arguments, and the file.
fn editor(env: impl Fn(&str) -> Option<String>, file: &str) -> Vec<OsString> {
    let set = ["VISUAL", "EDITOR"].into_iter().filter_map(env).find(|value| !value.trim().is_empty());
    let editor = set.unwrap_or_else(|| "vi".to_owned());
    editor.split_whitespace().chain([file]).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_the_user_s_with_its_arguments() {
        let with = |variables: &[(&str, &str)]| {
            editor(
                |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
                "/c c",
            )
        };
        assert_eq!(with(&[("VISUAL", "code --wait"), ("EDITOR", "ed")]), ["code", "--wait", "/c c"]);
        assert_eq!(with(&[("VISUAL", " "), ("EDITOR", "nano")]), ["nano", "/c c"]);
        assert_eq!(with(&[]), ["vi", "/c c"]);
    }
}
