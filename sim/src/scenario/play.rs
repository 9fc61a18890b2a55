//! Carries a scenario's plan out, each act at its time.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::{Act, From, Moment, Scenario};
use crate::service::Service;
use crate::session::EndReason;
use crate::sim_api;

/// Runs until the last act, or the end of the simulator.
pub(crate) async fn play(service: Arc<Service>, scenario: Scenario, plan: Vec<Moment>) {
    tokio::select! {
        () = carry_out(&service, &scenario, &plan) => {}
        () = service.shutdown.cancelled() => {}
    }
}

async fn carry_out(service: &Service, scenario: &Scenario, plan: &[Moment]) {
    if scenario.from == From::FirstSession {
        service.first_session().await;
    }
    let began = Instant::now();
    for moment in plan {
        sleep_until(began + moment.at).await;
        let outcome = act(service, scenario, &moment.act);
        tracing::info!("{moment}{outcome}");
    }
    tracing::info!("the scenario is over");
}

/// The outcome in words that follow those of the act.
fn act(service: &Service, scenario: &Scenario, act: &Act) -> String {
    match act {
        // Checked when the scenario was read.
        Act::Faults(patch) => match sim_api::patch_faults(service, patch) {
            Ok(_) => String::new(),
            Err(error) => format!(": {error}"),
        },
        Act::Clear => {
            sim_api::replace_faults(service, scenario.faults.clone());
            String::new()
        }
        Act::Cut(cut) => format!(": hit {}", sim_api::cut(service, cut)),
        Act::RestartAgents => format!(": hit {}", service.restart_agents(None)),
        Act::Close(output) => {
            let live: Vec<_> = service.registry.all().into_iter().filter(|session| session.is_live()).collect();
            for session in &live {
                session.end(EndReason::Closed, output.clone());
            }
            format!(": hit {}", live.len())
        }
    }
}
