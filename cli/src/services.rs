//! The daemon as a service, as far as other commands have to do with it: which service a process is, and starting, reloading
//! and ending one through its manager.

use crate::output;
use std::path::PathBuf;
use tunnels_api::{ApiError, DaemonVersion, ErrorCode, Places};
use tunnels_service::{Call, Manager, SERVICE_VARIABLE, Service, Setting, run};

/// The service that this process is part of, as its manager calls it.
pub(crate) fn own_name() -> Option<String> {
    std::env::var(SERVICE_VARIABLE).ok().filter(|name| !name.is_empty())
}

/// The service as this program would install it for whoever has this environment; none where there is no manager for it.
pub(crate) fn of_this_user(config: Option<PathBuf>) -> Result<Option<Service>, ApiError> {
    let Some(manager) = Manager::of_this_system() else { return Ok(None) };
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let home = set("HOME").ok_or_else(|| {
        ApiError::new(ErrorCode::Failed, "there is no home directory to keep a service in (HOME is not set)")
            .with_hint("set HOME to your home directory")
    })?;
    let program = std::env::current_exe()
        .map_err(|error| ApiError::new(ErrorCode::Failed, format!("it is not known which program this is: {error}")))?;
    let setting = Setting {
        program,
        config_home: set("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(".config")),
        home,
        config: config.map(absolute),
        runtime_dir: set("TUNNELS_RUNTIME_DIR").map(absolute),
        state_dir: set("TUNNELS_STATE_DIR").map(absolute),
        path: std::env::var("PATH").ok(),
        uid: rustix::process::geteuid().as_raw(),
    };
    Ok(Some(Service::new(manager, &setting)))
}

/// Starts the service, where one is installed for this socket; says whether it did.
pub(crate) fn started(places: &Places) -> bool {
    let Ok(Some(service)) = of_this_user(None) else { return false };
    let Ok(socket) = places.socket() else { return false };
    if !service.is_installed() || !service.listens_at(&socket) {
        return false;
    }
    let failed = service.start().iter().find_map(|call| run(call).err());
    if let Some(error) = &failed {
        output::say(&format!("note: the service could not be started, so the daemon is started beside it: {error}"));
    }
    failed.is_none()
}

/// Has the service that this daemon is take itself over; says whether it is one, and another than we are part of.
pub(crate) fn reloaded(daemon: &DaemonVersion) -> Result<bool, ApiError> {
    let Some(service) = daemon.service.as_deref().filter(|service| own_name().as_deref() != Some(*service)) else {
        return Ok(false);
    };
    let Some(call) = Call::reload(service) else { return Ok(false) };
    run(&call).map(|_| true).map_err(|error| {
        ApiError::new(ErrorCode::Failed, error.to_string())
            .with_hint(format!("see what the service says: journalctl --user --unit {service}"))
    })
}

/// Before a daemon ends that is a service: its manager must not start it again for whoever looks whether it has ended.
pub(crate) fn listen_no_more(daemon: &DaemonVersion) {
    if let Some(call) = daemon.service.as_deref().and_then(Call::stop_socket)
        && let Err(error) = run(&call)
    {
        output::say(&format!("note: the service's socket may start it again: {error}"));
    }
}
