//! Which target carries the next session: the one that carried the last, else the first candidate that is online.

use super::{Connector, gone, lock};
use crate::aws::{Candidate, Resolved, SsmApi};
use crate::tunnel::cause::{DownCause, Retry};
use crate::tunnel::connect::Live;
use std::sync::Arc;
use tunnels_api::{Cause, CauseKind};

/// A target, and the candidate that stood for it.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    candidate: Candidate,
    target: String,
}

impl Connector {
    /// Opens a session: on the target that carried the last one, else on the first candidate that is online.
    pub(in crate::tunnel) async fn start(self: &Arc<Self>) -> Result<Live, DownCause> {
        let api = self.api().await?;
        let last = lock(&self.carrier).clone();
        let is_last = |candidate: &&Candidate| last.as_ref().is_some_and(|last| last.candidate == **candidate);
        let (first, others): (Vec<_>, Vec<_>) = self.tunnel.targets.iter().partition(is_last);
        let mut failure: Option<DownCause> = None;
        for candidate in first.into_iter().chain(others) {
            let sticky = last.as_ref().map(|last| last.target.as_str());
            match self.start_on(api.as_ref(), candidate, sticky).await {
                Ok(mut live) => {
                    let passed_over = failure.map(|down| down.cause).or_else(|| live.instead.take());
                    live.instead = moved(last.as_ref(), passed_over, &live.target);
                    *lock(&self.carrier) = Some(Carrier { candidate: candidate.clone(), target: live.target.clone() });
                    return Ok(live);
                }
                Err(down) => {
                    tracing::debug!(target = %candidate, cause = %down.cause, "candidate does not carry");
                    let try_next = matches!(down.cause.kind, CauseKind::TargetOffline | CauseKind::NoSuchTarget);
                    // The first that might come back is the one to wait for.
                    failure = match failure {
                        Some(DownCause { retry: Retry::Never, .. }) | None => Some(down),
                        earlier => earlier,
                    };
                    if !try_next {
                        break;
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(|| DownCause::new(CauseKind::Config, Retry::Never, "no target is configured")))
    }

    /// Opens a further session on a target that has one already.
    pub(in crate::tunnel) async fn start_beside(self: &Arc<Self>, target: String) -> Result<Live, DownCause> {
        let api = self.api().await?;
        self.start_at(api.as_ref(), target).await
    }

    async fn start_on(
        self: &Arc<Self>,
        api: &dyn SsmApi,
        candidate: &Candidate,
        sticky: Option<&str>,
    ) -> Result<Live, DownCause> {
        let candidate_name = candidate.to_string();
        let about = self.about(api).at(&candidate_name);
        let resolved = self.noting_login(candidate.resolve(api).await);
        let mut nodes = match resolved.map_err(|error| about.call_failed(error))? {
            Resolved::Nodes(nodes) => nodes,
            Resolved::Nothing => return Err(about.no_such_target(&candidate_name)),
            Resolved::AllOffline(count) => return Err(about.all_offline(&candidate_name, count)),
        };
        // A stable sort: the others keep their order.
        nodes.sort_by_key(|node| sticky != Some(node));
        let mut failure: Option<DownCause> = None;
        for target in nodes {
            match self.start_at(api, target).await {
                Err(down) if down.cause.kind == CauseKind::TargetOffline => failure = failure.or(Some(down)),
                done => {
                    let instead = failure.map(|down| down.cause);
                    return done.map(|live| Live { instead, ..live });
                }
            }
        }
        Err(failure.unwrap_or_else(|| gone("")))
    }
}

/// What is told of a session that is not where the last one was, or not on the first candidate.
fn moved(last: Option<&Carrier>, passed_over: Option<Cause>, target: &str) -> Option<Cause> {
    let why = match last {
        Some(last) if last.target == target => None,
        // A node that is not online is not even found by its tag.
        Some(last) => Some(passed_over.unwrap_or_else(|| {
            let text = format!("{} is not online any more, or {} does not find it", last.target, last.candidate);
            Cause::new(CauseKind::TargetOffline, text)
        })),
        None => passed_over,
    }?;
    Some(Cause::new(why.kind, format!("{}; {target} carries the tunnel instead", why.text)))
}
