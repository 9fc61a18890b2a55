//! What a forward may be called.

/// The first labels of hosts that say which part of a cluster it is, not which cluster.
const PARTS: &[&str] = &["master", "replica", "clustercfg", "primary", "reader", "writer", "www", "db", "proxy"];

/// A name from the words of a text: lower case, with `-` between them; empty if there is nothing in it.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
            '_' | '.' => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(48);
    slug.trim_matches(['-', '.', '_']).to_owned()
}

/// By the host: what tells it from others, which for AWS's endpoints is the first label.
pub(crate) fn of_host(host: Option<&str>, port: u16) -> String {
    let Some(host) = host else { return format!("port-{port}") };
    if host.parse::<std::net::IpAddr>().is_ok() {
        return format!("host-{}", slug(&host.replace(['.', ':'], "-")));
    }
    let mut labels = host.split('.');
    let label = labels.find(|label| !PARTS.contains(label)).unwrap_or(host);
    let name = slug(&label.replace('.', "-"));
    if name.is_empty() { format!("port-{port}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (host, expected) in [
            (Some("orders.cluster-abc.eu-west-1.rds.amazonaws.com"), "orders"),
            (Some("orders.cluster-ro-abc.eu-west-1.rds.amazonaws.com"), "orders"),
            (Some("master.sessions.abc.euw1.cache.amazonaws.com"), "sessions"),
            (Some("clustercfg.sessions.abc.euw1.cache.amazonaws.com"), "sessions"),
            (Some("10.0.1.1"), "host-10-0-1-1"),
            (Some("::1"), "host-1"),
            (Some("localhost"), "localhost"),
            (Some("db"), "db"),
            (None, "port-8080"),
        ] {
            assert_eq!(of_host(host, 8080), expected, "{host:?}");
        }
        for (text, expected) in
            [("Orders DB (prod)", "orders-db-prod"), ("orders_db", "orders_db"), ("--x--", "x"), ("ä", "")]
        {
            assert_eq!(slug(text), expected, "{text}");
        }
    }
}
