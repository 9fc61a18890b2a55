//! The routes that look into one tunnel: its connections, its sessions, what it carried, its configuration.
//!
//! Reads only. Which processes connections belong to takes a walk through `/proc`, which is done off the async threads.

use super::routes::{Answer, Served, unknown};
use crate::config::{Origin, Resolved, Setting};
use crate::connections::{Open, Peer};
use crate::meter::Reading;
use crate::sockets;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use tunnels_api::{
    ApiError, Connection, ConnectionState, Connections, ErrorCode, Process, Sessions, SettingOrigin, Settings,
    Timestamp, Traffic, TrafficQuery,
};

/// Nobody reads more, and a walk through `/proc` for more would take long.
const MOST_CONNECTIONS: usize = 1000;

pub(super) async fn connections(State(served): State<Served>, Path(name): Path<String>) -> Answer<Connections> {
    let found = served.daemon.connections(&name, MOST_CONNECTIONS);
    let (open, left_out) = found.ok_or_else(|| unknown(&served.daemon, &name))?;
    let peers: Vec<Peer> = open.iter().map(|open| open.peer).collect();
    // A panic in it costs the names of processes, nothing else.
    let processes = tokio::task::spawn_blocking(move || sockets::processes_of(&peers)).await.unwrap_or_default();
    let processes = processes.into_iter().chain(std::iter::repeat(None));
    let connections = open.iter().zip(processes).map(|(open, process)| connection(open, process)).collect();
    Ok(Json(Connections { tunnel: name, connections, left_out }))
}

fn connection(open: &Open, process: Option<Process>) -> Connection {
    let Reading { bytes_in, bytes_out, rate_in, rate_out } = open.meter.read();
    Connection {
        id: open.id,
        since: open.since,
        state: if open.is_carried { ConnectionState::Open } else { ConnectionState::Held },
        peer: match open.peer {
            Peer::Tcp { theirs, .. } => Some(theirs.to_string()),
            Peer::Unix { .. } | Peer::Unknown => None,
        },
        process,
        bytes_in,
        bytes_out,
        rate_in,
        rate_out,
    }
}

pub(super) async fn sessions(State(served): State<Served>, Path(name): Path<String>) -> Answer<Sessions> {
    let sessions = served.daemon.sessions(&name).ok_or_else(|| unknown(&served.daemon, &name))?;
    Ok(Json(Sessions { tunnel: name, sessions }))
}

pub(super) async fn traffic(
    State(served): State<Served>,
    Path(name): Path<String>,
    query: Result<Query<TrafficQuery>, QueryRejection>,
) -> Answer<Traffic> {
    let Query(TrafficQuery { span }) = query.map_err(|error| {
        ApiError::new(ErrorCode::Usage, format!("the query is not understood: {}", error.body_text()))
            .with_hint("span=1m|15m|60m")
    })?;
    let samples = served.daemon.traffic(&name, span).ok_or_else(|| unknown(&served.daemon, &name))?;
    Ok(Json(Traffic { tunnel: name, step_s: span.step_s(), until: Timestamp::now(), samples }))
}

pub(super) async fn config(State(served): State<Served>, Path(name): Path<String>) -> Answer<Settings> {
    let resolved = served.daemon.resolved();
    let settings = resolved.and_then(|resolved| settings_of(&resolved, &name));
    let settings = settings.ok_or_else(|| unknown(&served.daemon, &name))?;
    Ok(Json(Settings { tunnel: name, settings }))
}

fn settings_of(resolved: &Resolved, name: &str) -> Option<Vec<tunnels_api::Setting>> {
    let at = resolved.config.tunnels.iter().position(|tunnel| tunnel.name == name)?;
    // The daemon's own environment: what its calls are made with.
    let settings = resolved.settings(at, &|variable| std::env::var(variable).ok());
    Some(settings.into_iter().map(setting).collect())
}

fn setting(Setting { key, value, origin }: Setting) -> tunnels_api::Setting {
    let origin = match origin {
        Origin::File { path, line, defaults } => {
            let file = path.display().to_string();
            if defaults { SettingOrigin::Defaults { file, line } } else { SettingOrigin::Tunnel { file, line } }
        }
        Origin::Environment(variable) => SettingOrigin::Environment { variable: variable.to_owned() },
        Origin::BuiltIn => SettingOrigin::BuiltIn,
        Origin::Unset => SettingOrigin::Unset,
    };
    tunnels_api::Setting { key: key.to_owned(), value, origin }
}
