//! What the name of one of AWS's servers says of its certificate.
//!
//! Sources: "Using SSL/TLS to encrypt a connection to a DB instance" and "Using RDS Proxy" (Amazon RDS user guide),
//! "Finding connection endpoints" and "In-transit encryption" (ElastiCache), "Configuring security options for
//! connections" (Redshift), "Encryption in transit" (MemoryDB).

use crate::engine::Engine;

/// Who signs a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Amazon RDS's own, which no system trusts by itself.
    Rds,
    /// One that systems trust.
    Public,
}

impl Authority {
    /// Where its certificates can be had, if systems do not have them.
    pub fn bundle(self) -> Option<&'static str> {
        match self {
            Self::Rds => Some("https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"),
            Self::Public => None,
        }
    }
}

/// Whose certificate a server of this name has, if it is one of AWS's that surely speaks TLS.
pub(crate) fn authority(name: &str, engine: Engine) -> Option<Authority> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".amazonaws.com.cn").or_else(|| name.strip_suffix(".amazonaws.com"))?;
    let labels: Vec<&str> = name.split('.').collect();
    let database = matches!(engine, Engine::Postgres | Engine::Mysql);
    // `NAME.proxy-ID.REGION.rds`, whose certificate is from ACM.
    let is_proxy = labels.iter().any(|label| label.starts_with("proxy-"));
    match *labels.last()? {
        // China has the region behind the service.
        _ if database && labels.contains(&"rds") => Some(if is_proxy { Authority::Public } else { Authority::Rds }),
        _ if database && (labels.contains(&"redshift") || labels.contains(&"redshift-serverless")) => {
            Some(Authority::Public)
        }
        _ if engine == Engine::Redis && labels.contains(&"memorydb") => Some(Authority::Public),
        _ if engine == Engine::Redis && labels.contains(&"cache") => {
            // With encryption in transit the role goes before the group's name, without it behind.
            let encrypted = matches!(labels.first(), Some(&("master" | "replica" | "clustercfg")));
            (encrypted || labels.contains(&"serverless")).then_some(Authority::Public)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_speaks_tls_is_expected_to() {
        let (rds, public) = (Some(Authority::Rds), Some(Authority::Public));
        for (name, engine, expected) in [
            ("orders.cluster-abc.eu-west-1.rds.amazonaws.com", Engine::Postgres, rds),
            ("ORDERS.abc.eu-west-1.RDS.amazonaws.com", Engine::Mysql, rds),
            ("orders.abc.rds.cn-north-1.amazonaws.com.cn", Engine::Postgres, rds),
            ("p.proxy-abc.eu-west-1.rds.amazonaws.com", Engine::Postgres, public),
            ("w.abc.eu-west-1.redshift.amazonaws.com", Engine::Postgres, public),
            ("w.123.eu-west-1.redshift-serverless.amazonaws.com", Engine::Postgres, public),
            ("master.sessions.abc.euw1.cache.amazonaws.com", Engine::Redis, public),
            ("clustercfg.sessions.abc.euw1.cache.amazonaws.com", Engine::Redis, public),
            ("sessions-abc.serverless.euw1.cache.amazonaws.com", Engine::Redis, public),
            ("clustercfg.s.abc.memorydb.eu-west-1.amazonaws.com", Engine::Redis, public),
            ("sessions.abc.ng.0001.euw1.cache.amazonaws.com", Engine::Redis, None),
            ("sessions.abc.clustercfg.euw1.cache.amazonaws.com", Engine::Redis, None),
            ("orders.cluster-abc.eu-west-1.rds.amazonaws.com", Engine::Other, None),
            ("rds.amazonaws.com.example", Engine::Postgres, None),
            ("db.example.com", Engine::Postgres, None),
        ] {
            assert_eq!(authority(name, engine), expected, "{name}");
        }
    }
}
