//! Name → tunnel: applies what users want to the tunnels they mean.
//!
//! Owns the handles. It awaits nothing: a tunnel's own trouble never reaches another.

use crate::config::Config;
use crate::tunnel::{Busy, Surroundings, TunnelHandle};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tunnels_api::{ApiError, ErrorCode, Selector, TargetState};

#[derive(Debug)]
pub(crate) struct Supervisor {
    tunnels: Vec<TunnelHandle>,
    around: Surroundings,
}

impl Supervisor {
    /// Starts a task for every tunnel; those that were wanted when the last daemon ended come up.
    pub(crate) fn new(config: Config, around: Surroundings) -> Self {
        let tunnels = config
            .tunnels
            .into_iter()
            .map(|tunnel| {
                let mut handle = TunnelHandle::spawn(Arc::new(tunnel), around.clone());
                if around.state.wanted(&handle.config().name) == Some(TargetState::Up) {
                    // Its queue is empty: it has just been made.
                    let _ = handle.up();
                }
                handle
            })
            .collect();
        Self { tunnels, around }
    }

    /// Wants tunnels up; none named means all with `auto`.
    pub(crate) fn up(&mut self, select: &[String]) -> Result<Vec<String>, ApiError> {
        let bare = select.is_empty();
        self.each(select, |handle| !bare || handle.config().auto, TunnelHandle::up)
    }

    /// Wants tunnels down; none named means all.
    pub(crate) fn down(&mut self, select: &[String]) -> Result<Vec<String>, ApiError> {
        self.each(select, |_| true, TunnelHandle::down)
    }

    /// Takes tunnels down and up; none named means all that are wanted up.
    pub(crate) fn restart(&mut self, select: &[String]) -> Result<Vec<String>, ApiError> {
        let bare = select.is_empty();
        self.each(select, |handle| !bare || handle.wanted() == TargetState::Up, TunnelHandle::restart)
    }

    /// Ends all tunnels side by side; returns when their sessions are terminated.
    pub(crate) async fn stop(self, drain: Duration) {
        join_all(self.tunnels.into_iter().map(|handle| handle.stop(drain))).await;
    }

    fn each(
        &mut self,
        select: &[String],
        included: impl Fn(&TunnelHandle) -> bool,
        act: impl Fn(&mut TunnelHandle) -> Result<(), Busy>,
    ) -> Result<Vec<String>, ApiError> {
        let known: Vec<(&str, &[String])> = self
            .tunnels
            .iter()
            .map(|handle| (handle.config().name.as_str(), handle.config().groups.as_slice()))
            .collect();
        let picked: Vec<String> = Selector::pick(select, &known)
            .map_err(|error| {
                let hint = error.similar.as_ref().map_or_else(
                    || "`tunnels ls` shows all there are".to_owned(),
                    |similar| format!("did you mean `{similar}`?"),
                );
                ApiError::new(ErrorCode::NoSuchTunnel, error.to_string()).with_hint(hint)
            })?
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut names = Vec::with_capacity(picked.len());
        let mut busy = Vec::new();
        for handle in &mut self.tunnels {
            if picked.contains(&handle.config().name) && included(handle) {
                let taken = act(handle);
                let name = &handle.config().name;
                match taken {
                    Ok(()) => {
                        self.around.state.want(name, handle.wanted());
                        names.push(name.clone());
                    }
                    Err(Busy) => busy.push(format!("`{name}`")),
                }
            }
        }
        if busy.is_empty() { Ok(names) } else { Err(takes_none(&busy)) }
    }
}

fn takes_none(busy: &[String]) -> ApiError {
    let text = format!("{} took no command: too many came at once", busy.join(", "));
    ApiError::new(ErrorCode::Failed, text)
        .with_hint("run it again; if that does not help, `tunnels stop` and start anew")
}
