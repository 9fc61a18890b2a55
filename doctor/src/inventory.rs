//! What AWS says of the targets of one scope: each is asked about once, however many tunnels have it, and few at a time.
//!
//! The calls behind a question share one rate for the whole account, so a hundred tunnels through one bastion must not ask a hundred times.

use crate::check::target::Seen;
use futures_util::future::join_all;
use tokio::sync::{OnceCell, Semaphore};
use tunnels_daemon::aws::Candidate;
use tunnels_daemon::config::TunnelConfig;

/// The answers so far.
#[derive(Debug)]
pub(crate) struct Inventory<'a> {
    answers: Vec<(&'a Candidate, OnceCell<Seen>)>,
}

impl<'a> Inventory<'a> {
    /// Of what these tunnels lead through.
    pub(crate) fn of(tunnels: &[&'a TunnelConfig]) -> Self {
        let mut answers: Vec<(&Candidate, OnceCell<Seen>)> = Vec::new();
        for candidate in tunnels.iter().flat_map(|tunnel| &tunnel.targets) {
            if !answers.iter().any(|(known, _)| *known == candidate) {
                answers.push((candidate, OnceCell::new()));
            }
        }
        Self { answers }
    }

    /// What is known of a tunnel's targets, in their order; `ask` tells what is not known yet, and has a seat meanwhile.
    /// Cancel-safe: who waits for an answer asks again.
    pub(crate) async fn look(
        &self,
        tunnel: &TunnelConfig,
        seats: &Semaphore,
        ask: impl AsyncFn(&Candidate) -> Seen,
    ) -> Vec<Seen> {
        let answer = async |(candidate, answer): &(&Candidate, OnceCell<Seen>)| {
            let seated = async || {
                // It is never closed.
                let _seat = seats.acquire().await;
                ask(candidate).await
            };
            answer.get_or_init(seated).await.clone()
        };
        let known = |wanted: &Candidate| self.answers.iter().find(|(candidate, _)| *candidate == wanted);
        join_all(tunnel.targets.iter().filter_map(known).map(answer)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::tunnel;
    use std::cell::{Cell, RefCell};
    use tokio::task::yield_now;

    #[tokio::test]
    async fn each_target_is_asked_about_once_and_few_at_a_time() {
        let tunnels: Vec<TunnelConfig> =
            [r#""i-00000001""#, r#"["i-00000002", "i-00000001"]"#, r#"[{ tag = "a=b" }, "i-00000003"]"#]
                .into_iter()
                .cycle()
                .take(100)
                .map(|target| tunnel(&format!("target = {target}")))
                .collect();
        let tunnels: Vec<&TunnelConfig> = tunnels.iter().collect();
        let (inventory, seats) = (Inventory::of(&tunnels), Semaphore::new(2));
        let (asked, now, most) = (RefCell::new(Vec::new()), Cell::new(0), Cell::new(0));
        let ask = async |candidate: &Candidate| {
            asked.borrow_mut().push(candidate.to_string());
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            for _ in 0..3 {
                yield_now().await;
            }
            now.set(now.get() - 1);
            Seen { candidate: candidate.clone(), nodes: Ok(Vec::new()), connected: Vec::new() }
        };
        let seen = join_all(tunnels.iter().map(|tunnel| inventory.look(tunnel, &seats, ask))).await;
        for (tunnel, seen) in tunnels.iter().zip(seen) {
            let candidates: Vec<Candidate> = seen.into_iter().map(|seen| seen.candidate).collect();
            assert_eq!(candidates, tunnel.targets);
        }
        let mut asked = asked.into_inner();
        asked.sort();
        assert_eq!(asked, ["i-00000001", "i-00000002", "i-00000003", "tag:a=b"]);
        assert_eq!(most.get(), 2);
    }
}
