//! DBeaver's data sources, for a file of its own beside DBeaver's: any `.dbeaver/data-sources*.json` of a project is read.
//!
//! <https://dbeaver.com/docs/dbeaver/Data-Sources-Json-Reference/>, <https://dbeaver.com/docs/dbeaver/Admin-Manage-Connections/>

use super::Exported;
use crate::jdbc;
use crate::libpq::sslmode;
use crate::{Endpoint, Engine, Impossible, Options, Security};
use serde_json::{Map, Value, json};

/// DBeaver's tree shows them under this.
const FOLDER: &str = "tunnels";

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    let mut connections = Map::new();
    for endpoint in endpoints {
        let (provider, driver) = match endpoint.engine {
            Engine::Postgres => ("postgresql", "postgres-jdbc"),
            _ => ("mysql", "mysql8"),
        };
        // The same at every export, so that what is remembered of it stays.
        let id = format!("{driver}-tunnels-{}", endpoint.name);
        let connection = json!({
            "provider": provider,
            "driver": driver,
            "name": endpoint.name,
            "save-password": true,
            "folder": FOLDER,
            "configuration": configuration(endpoint, options)?,
        });
        connections.insert(id, connection);
        out.notes.extend(jdbc::notes(endpoint, options));
    }
    let file = json!({ "folders": { FOLDER: {} }, "connections": connections });
    out.text = format!("{file:#}\n");
    Ok(())
}

fn configuration(endpoint: &Endpoint, options: &Options) -> Result<Value, Impossible> {
    let (host, port) = jdbc::host_port(endpoint, options)?;
    let mut configuration = json!({
        "host": host,
        "port": port.to_string(),
        "url": jdbc::base(endpoint, options)?,
        "configurationType": "MANUAL",
        "type": "dev",
        "auth-model": "native",
    });
    if let Some(database) = &options.database {
        configuration["database"] = json!(database);
    }
    if let Some(user) = &options.user {
        configuration["user"] = json!(user);
    }
    let security = options.security(endpoint);
    let ca = options.ca.as_deref().filter(|_| security == Security::Verified);
    let handler = match endpoint.engine {
        Engine::Postgres => sslmode(security).map(|mode| ("postgre_ssl", json!({ "sslMode": mode }))),
        // The driver's own `sslMode` counts for more than what this handler sets, and only it can check the name.
        _ => ca.map(|_| ("mysql_ssl", json!({ "ssl.require": true, "ssl.verify.server": true }))),
    };
    if let Some((name, mut properties)) = handler {
        if let Some(ca) = ca {
            properties["ssl.ca.cert"] = json!(ca);
        }
        configuration["handlers"] = json!({ name: { "type": "CONFIG", "enabled": true, "properties": properties } });
    }
    if endpoint.engine == Engine::Mysql
        && let Some((key, mode)) = jdbc::security_parameters(endpoint, options)
    {
        configuration["properties"] = json!({ key: mode });
    }
    Ok(configuration)
}
