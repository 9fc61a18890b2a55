//! The examination itself: which question waits for which answer, and what need not be asked any more.
//!
//! This machine, and each scope – whose credentials, which region – are looked at side by side; the tunnels of a scope once
//! the way to AWS is known to be free. Sessions are few at a time, and every one that was opened is ended before this returns.

use crate::aws::{Account, Accounts, Identity};
use crate::case::{Case, DaemonSeen, Subject};
use crate::check::permission::Place;
use crate::check::refused::Asked;
use crate::check::{
    agent, clock, configuration, credentials, daemon, endpoint, folders, local, refused, session, target,
};
use crate::inventory::Inventory;
use crate::rank::{self, Entry, Nature};
use crate::way;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tunnels_api::{Check, Checkup, Finding, Verdict};
use tunnels_daemon::aws::{AwsError, AwsScope, Candidate};
use tunnels_daemon::config::TunnelConfig;
use tunnels_daemon::try_session;

/// Sessions that are open at the same time: each is a process on its target, and AWS throttles StartSession.
const SESSIONS: usize = 4;
/// Targets that AWS is asked about at the same time, with a call or two each: it throttles these, too.
const TARGETS: usize = 4;

/// How far an examination has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Checks that are done.
    pub done: usize,
    /// What is being checked, in the order in which it was begun.
    pub running: Vec<String>,
}

/// Tells how far it has come.
#[derive(Debug, Default)]
pub struct Progress(watch::Sender<Step>);

impl Progress {
    /// Follows it from now on.
    pub fn follow(&self) -> watch::Receiver<Step> {
        self.0.subscribe()
    }

    async fn during<T>(&self, what: impl Into<String>, check: impl Future<Output = T>) -> T {
        let what = what.into();
        self.0.send_modify(|step| step.running.push(what.clone()));
        let done = check.await;
        self.0.send_modify(|step| {
            step.done += 1;
            if let Some(at) = step.running.iter().position(|running| *running == what) {
                step.running.remove(at);
            }
        });
        done
    }
}

/// Examines the case. When `cancelled` is, what is open is ended and the rest is not asked any more.
pub async fn examine(
    case: &Case,
    accounts: &dyn Accounts,
    progress: &Progress,
    cancelled: &CancellationToken,
) -> Checkup {
    let mut entries: Vec<Entry> = configuration::judge(&case.subject)
        .into_iter()
        .chain(folders::examine(&case.places))
        .chain(daemon::judge(case.daemon.as_ref()))
        .map(|finding| Entry::new(finding, &[]))
        .collect();
    let Subject::Tunnels { picked, .. } = &case.subject else {
        let broken = entries[0].finding.clone();
        let skipped = Finding::skipped(Check::Credentials, rank::because(&broken));
        entries.push(Entry::new(skipped, &[]));
        return Checkup { findings: rank::ranked(entries, 0) };
    };
    let room = Examination {
        case,
        accounts,
        progress,
        cancelled,
        seats: Semaphore::new(SESSIONS),
        questions: Semaphore::new(TARGETS),
    };
    let mut scopes: Vec<(&AwsScope, Vec<&TunnelConfig>)> = Vec::new();
    for tunnel in picked {
        match scopes.iter_mut().find(|(scope, _)| **scope == tunnel.scope) {
            Some((_, tunnels)) => tunnels.push(tunnel),
            None => scopes.push((&tunnel.scope, vec![tunnel])),
        }
    }
    let scoped = join_all(scopes.into_iter().map(|(scope, tunnels)| room.scope(scope, tunnels)));
    let (local, scoped) = tokio::join!(room.local(picked), scoped);
    entries.extend(local.into_iter().chain(scoped.into_iter().flatten()));
    entries.extend(told_by_daemon(case.daemon.as_ref(), picked, &entries));
    Checkup { findings: rank::ranked(entries, picked.len()) }
}

/// What the daemon makes of tunnels: a consequence of what was found, or what nothing explains.
fn told_by_daemon(daemon: Option<&DaemonSeen>, picked: &[Arc<TunnelConfig>], entries: &[Entry]) -> Vec<Entry> {
    let tell = |tunnel: &Arc<TunnelConfig>| {
        let status = daemon?.tunnel(&tunnel.name)?;
        let unexplained = daemon::unexplained(status)?;
        let is_its_own = |entry: &&Entry| entry.tunnels.is_empty() || entry.tunnels.contains(&tunnel.name);
        let cause = entries.iter().filter(|entry| entry.finding.verdict == Verdict::Fail).find(is_its_own);
        let finding = match cause {
            None => unexplained,
            Some(cause) => {
                let skipped = Finding::skipped(Check::Tunnel, rank::because(&cause.finding));
                daemon::said(status).into_iter().fold(skipped, Finding::with_evidence)
            }
        };
        Some(Entry::new(Finding { tunnel: None, ..finding }, std::slice::from_ref(&tunnel.name)))
    };
    picked.iter().filter_map(tell).collect()
}

/// What all questions need.
struct Examination<'a> {
    case: &'a Case,
    accounts: &'a dyn Accounts,
    progress: &'a Progress,
    cancelled: &'a CancellationToken,
    seats: Semaphore,
    questions: Semaphore,
}

/// What is known of a scope once the way there is free.
struct Known<'a> {
    account: &'a dyn Account,
    region: String,
    who: Option<Identity>,
    inventory: Inventory<'a>,
    /// Why no data channel can be opened.
    no_channel: Option<Finding>,
}

impl Known<'_> {
    fn place(&self) -> Place<'_> {
        Place { region: &self.region, account: self.who.as_ref().map(|who| who.account.as_str()) }
    }
}

impl Examination<'_> {
    async fn local(&self, picked: &[Arc<TunnelConfig>]) -> Vec<Entry> {
        let check = |tunnel: Arc<TunnelConfig>| async move {
            let is_up = local::is_up(&tunnel.local, self.case.daemon.as_ref());
            let looked = {
                let tunnel = Arc::clone(&tunnel);
                tokio::task::spawn_blocking(move || local::ask(&tunnel.local, is_up)).await
            };
            // A panic in there would be a mistake of ours: then nothing is known.
            let finding = match looked {
                Ok(seen) => local::judge(&tunnel.local, &tunnel.name, &seen, self.case.daemon.as_ref()),
                Err(error) => {
                    Finding::skipped(Check::Local, format!("{} could not be looked at: {error}", tunnel.local))
                }
            };
            Entry::new(finding, std::slice::from_ref(&tunnel.name))
        };
        self.progress.during("local addresses", join_all(picked.iter().map(|tunnel| check(Arc::clone(tunnel))))).await
    }

    async fn scope(&self, scope: &AwsScope, tunnels: Vec<&TunnelConfig>) -> Vec<Entry> {
        let names: Vec<String> = tunnels.iter().map(|tunnel| tunnel.name.clone()).collect();
        // There is a scope only because a tunnel has it.
        let Some(first) = tunnels.first().copied() else { return Vec::new() };
        let whose = scope.profile.clone().unwrap_or_else(|| "the environment".to_owned());
        let account = match self.accounts.account(scope).await {
            Ok(account) => account,
            Err(error) => {
                let region = scope.region.clone().unwrap_or_default();
                let asked = asked(Check::Credentials, first, Place { region: &region, account: None });
                let found = vec![Entry::new(refused::judge(error, asked), &names)];
                return without_aws(found, &tunnels);
            }
        };
        let account = account.as_ref();
        let region = account.api().region();
        let place = Place { region: &region, account: None };
        let (ssm, messages, seen) = tokio::join!(
            self.progress.during(format!("SSM in {region}"), self.way(account, Some(account.ssm_url()), true)),
            self.progress
                .during(format!("data channels in {region}"), self.way(account, account.messages_url(), false)),
            self.progress.during(
                format!("credentials of {whose}"),
                self.cancelled.run_until_cancelled(credentials::ask(self.accounts, account, scope))
            ),
        );
        let mut found = Vec::new();
        for (way, check, is_override) in [
            (&ssm, Check::SsmEndpoint, account.api().endpoint().is_some()),
            (&messages, Check::MessagesEndpoint, account.api().messages_endpoint().is_some()),
        ] {
            let Some(way) = way else { continue };
            let named = endpoint::Named { check, is_override, region: &region };
            found.push(Entry::new(endpoint::judge(way, named), &names).with_nature(Nature::Network));
        }
        let ahead = ssm.as_ref().and_then(|way| way.answer.as_ref()?.as_ref().ok()?.clock_ahead);
        found.extend(ahead.map(|ahead| Entry::new(clock::judge(ahead), &names)));
        if let Some(seen) = &seen {
            let finding = credentials::judge(seen, asked(Check::Credentials, first, place), SystemTime::now());
            found.push(Entry::new(finding, &names).with_nature(nature(seen)));
        }
        rank::consequences(&mut found);
        let is_in_the_way =
            |entry: &&Entry| entry.finding.verdict == Verdict::Fail && entry.finding.check != Check::MessagesEndpoint;
        if found.iter().any(|entry| is_in_the_way(&entry)) || self.cancelled.is_cancelled() {
            return without_aws(found, &tunnels);
        }
        let mut findings = found.iter().map(|entry| &entry.finding);
        let no_channel = findings.find(|finding| finding.verdict == Verdict::Fail).cloned();
        let who = seen.as_ref().and_then(|seen| seen.who().cloned());
        let inventory = Inventory::of(&tunnels);
        let known = Known { account, region, who, inventory, no_channel };
        let of_tunnels = join_all(tunnels.into_iter().map(|tunnel| self.tunnel(tunnel, &known))).await;
        found.extend(of_tunnels.into_iter().flatten());
        found
    }

    async fn way(&self, account: &dyn Account, url: Option<String>, ask: bool) -> Option<way::Way> {
        let network = account.api().network();
        self.cancelled.run_until_cancelled(way::go(&network, &url?, ask)).await?
    }

    async fn tunnel(&self, tunnel: &TunnelConfig, known: &Known<'_>) -> Vec<Entry> {
        let name = std::slice::from_ref(&tunnel.name);
        let ask = async |candidate: &Candidate| target::ask(known.account, candidate).await;
        let looked = known.inventory.look(tunnel, &self.questions, ask);
        let looked =
            self.progress.during(format!("target of {}", tunnel.name), self.cancelled.run_until_cancelled(looked));
        let Some(seen) = looked.await else { return Vec::new() };
        let about = target::About { tunnel, place: known.place(), who: known.who.as_ref(), now: SystemTime::now() };
        let target::Outcome { finding, carrier } = target::judge(&seen, about);
        let mut found = vec![Entry::new(finding.clone(), name)];
        let Some((node, version)) = carrier else {
            found.extend(skipped(tunnel, &[Check::Session, Check::Remote], &rank::because(&finding)));
            return found;
        };
        let too_old = version.as_deref().map(|version| agent::judge(&node, version, tunnel.remote.host.is_some()));
        found.extend(too_old.clone().map(|finding| Entry::new(finding, name)));
        if let Some(old) = too_old.filter(|finding| finding.verdict == Verdict::Fail) {
            found.extend(skipped(tunnel, &[Check::Session, Check::Remote], &rank::because(&old)));
            return found;
        }
        let of_session = self.session(tunnel, &node, version.is_some(), known).await;
        found.extend(of_session.into_iter().map(|finding| Entry::new(finding, name)));
        found
    }

    /// What a session says, be it the daemon's or one that is opened for it.
    async fn session(&self, tunnel: &TunnelConfig, node: &str, knows_agent: bool, known: &Known<'_>) -> Vec<Finding> {
        let both = |why: &str| vec![Finding::skipped(Check::Session, why), Finding::skipped(Check::Remote, why)];
        if let Some(denied) = session::denied(tunnel) {
            return vec![Finding::skipped(Check::Session, rank::because(&denied)), denied];
        }
        let status = self.case.daemon.as_ref().and_then(|daemon| daemon.tunnel(&tunnel.name));
        if let Some(findings) = status.and_then(session::of_daemon) {
            return findings;
        }
        if let Some(no_channel) = &known.no_channel {
            return both(&rank::because(no_channel));
        }
        if !self.case.sessions {
            return both("no session was opened to see: --no-session");
        }
        if tunnel.protected && !self.case.protected {
            let next = format!("if a session there is in order: tunnels doctor {} --yes", tunnel.name);
            let skipped = both("it is protected, so no session was opened to see");
            return skipped.into_iter().map(|finding| finding.with_next(next.clone())).collect();
        }
        let trial = self.progress.during(format!("session of {}", tunnel.name), async {
            // It is never closed.
            let _seat = self.seats.acquire().await.ok()?;
            if self.cancelled.is_cancelled() {
                return None;
            }
            Some(try_session(tunnel, known.account.api(), node, self.cancelled).await)
        });
        let Some(trial) = trial.await else { return Vec::new() };
        let mut findings = session::judge(&trial, tunnel, node, known.place());
        let version = trial.agent_version.as_deref().filter(|_| !knows_agent);
        let has_agent = findings.iter().any(|finding| finding.check == Check::Agent);
        if let Some(version) = version.filter(|_| !has_agent) {
            findings.push(agent::judge(node, version, tunnel.remote.host.is_some()));
        }
        if !findings.iter().any(|finding| finding.check == Check::Remote) {
            let why = findings.iter().min_by_key(|finding| finding.verdict).map(rank::because).unwrap_or_default();
            findings.push(Finding::skipped(Check::Remote, why));
        }
        findings
    }
}

/// Adds what cannot be checked because of what was found.
fn without_aws(mut found: Vec<Entry>, tunnels: &[&TunnelConfig]) -> Vec<Entry> {
    let cause = found.iter().filter(|entry| entry.finding.verdict == Verdict::Fail).map(|entry| &entry.finding);
    let Some(why) = cause.min_by_key(|finding| finding.check).map(rank::because) else { return found };
    for tunnel in tunnels {
        found.extend(skipped(tunnel, &[Check::Target, Check::Session, Check::Remote], &why));
    }
    found
}

/// A question that is about no target.
fn asked<'a>(check: Check, tunnel: &'a TunnelConfig, place: Place<'a>) -> Asked<'a> {
    Asked { check, action: "sts:GetCallerIdentity", tunnel, node: "", place }
}

fn skipped<'a>(tunnel: &'a TunnelConfig, checks: &'a [Check], why: &'a str) -> impl Iterator<Item = Entry> + 'a {
    checks.iter().map(move |check| Entry::new(Finding::skipped(*check, why), std::slice::from_ref(&tunnel.name)))
}

/// What credentials that are of no use suffer from.
fn nature(seen: &credentials::Seen) -> Nature {
    let error = seen.loaded.as_ref().err().or_else(|| seen.identity.as_ref()?.as_ref().err());
    match error {
        Some(AwsError::Unreachable(_) | AwsError::NoAnswer(_) | AwsError::Blocked { .. }) => Nature::Network,
        Some(AwsError::BadSignature(_)) => Nature::Signature,
        _ => Nature::Own,
    }
}
