//! DataGrip's data sources (and those of every JetBrains IDE), in the form in which its clipboard holds them: "Import from
//! Clipboard", or paste into the Database Explorer.

use super::{Exported, fnv};
use crate::quote::xml;
use crate::{Endpoint, Engine, Impossible, Options, Security, jdbc};
use std::fmt::Write as _;

pub(super) fn write(endpoints: &[&Endpoint], options: &Options, out: &mut Exported) -> Result<(), Impossible> {
    out.text += "#DataSourceSettings#\n";
    for endpoint in endpoints {
        let _ =
            writeln!(out.text, "#LocalDataSource: {}\n#BEGIN#\n{}\n#END#\n", endpoint.name, source(endpoint, options)?);
        out.notes.extend(jdbc::notes(endpoint, options));
    }
    Ok(())
}

/// On one line, as DataGrip writes it.
fn source(endpoint: &Endpoint, options: &Options) -> Result<String, Impossible> {
    let (driver, class) = match endpoint.engine {
        Engine::Postgres => ("postgresql", "org.postgresql.Driver"),
        _ => ("mysql.8", "com.mysql.cj.jdbc.Driver"),
    };
    let mut url = jdbc::base(endpoint, options)?;
    if let Some((key, value)) = jdbc::security_parameters(endpoint, options) {
        let _ = write!(url, "?{key}={value}");
    }
    let name = xml(&endpoint.name);
    let user = options.user.as_deref().map(|user| format!("<user-name>{}</user-name>", xml(user)));
    Ok(format!(
        "<data-source source=\"LOCAL\" name=\"{name}\" uuid=\"{}\"><driver-ref>{driver}</driver-ref>\
         <synchronize>true</synchronize><jdbc-driver>{class}</jdbc-driver><jdbc-url>{}</jdbc-url>\
         <secret-storage>master_key</secret-storage>{}{}</data-source>",
        uuid(&endpoint.name),
        xml(&url),
        user.unwrap_or_default(),
        ssl_config(endpoint, options),
    ))
}

fn ssl_config(endpoint: &Endpoint, options: &Options) -> String {
    let mode = match options.security(endpoint) {
        Security::Unsaid | Security::Off => return String::new(),
        Security::Encrypted => "REQUIRE",
        Security::Verified => "VERIFY_FULL",
    };
    let ca = options.ca.as_deref().filter(|_| mode == "VERIFY_FULL");
    let ca = ca.map(|ca| format!("<ca-cert>{}</ca-cert>", xml(ca))).unwrap_or_default();
    format!("<ssl-config>{ca}<enabled>true</enabled><mode>{mode}</mode></ssl-config>")
}

/// The same at every export, so that what is remembered of it (its password) stays: an RFC 9562 UUID of version 8, of the
/// tunnel's name.
fn uuid(name: &str) -> String {
    let (high, low) = (fnv(1, name), fnv(2, name));
    let high = high & !0xf000 | 0x8000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
