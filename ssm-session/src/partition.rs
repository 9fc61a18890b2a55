//! Under which names AWS runs the message gateway: partition by partition, whole DNS labels.
//!
//! From the partition data of AWS's own SDKs. A partition's names count for its own regions only: what is AWS's in one is
//! somebody else's business in another.

/// A part of AWS with DNS suffixes of its own.
struct Partition {
    /// What its regions start with; empty for all that no other partition claims.
    regions: &'static str,
    /// IPv4 and dual-stack.
    suffixes: [&'static str; 2],
}

/// The commercial partition is last: it takes whatever region is left.
const PARTITIONS: [Partition; 8] = [
    Partition { regions: "cn-", suffixes: ["amazonaws.com.cn", "api.amazonwebservices.com.cn"] },
    Partition { regions: "us-gov-", suffixes: ["amazonaws.com", "api.aws"] },
    Partition { regions: "eusc-", suffixes: ["amazonaws.eu", "api.amazonwebservices.eu"] },
    Partition { regions: "us-iso-", suffixes: ["c2s.ic.gov", "api.aws.ic.gov"] },
    Partition { regions: "us-isob-", suffixes: ["sc2s.sgov.gov", "api.aws.scloud"] },
    Partition { regions: "eu-isoe-", suffixes: ["cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"] },
    Partition { regions: "us-isof-", suffixes: ["csp.hci.ic.gov", "api.aws.hci.ic.gov"] },
    Partition { regions: "", suffixes: ["amazonaws.com", "api.aws"] },
];

/// The gateway's own label: the usual one and that of the FIPS endpoints.
const GATEWAYS: [&str; 2] = ["ssmmessages", FIPS_GATEWAY];
const FIPS_GATEWAY: &str = "ssmmessages-fips";

/// Whether `host`, in lower case, is the message gateway of `region`.
pub(crate) fn is_gateway(host: &str, region: &str) -> bool {
    let region = region.to_ascii_lowercase();
    let Some((gateway, rest)) = host.split_once('.') else { return false };
    let Some((label, suffix)) = rest.split_once('.') else { return false };
    let partition = PARTITIONS.iter().find(|partition| region.starts_with(partition.regions));
    GATEWAYS.contains(&gateway) && label == region && partition.is_some_and(|known| known.suffixes.contains(&suffix))
}

/// Whether `host`, in lower case, is a gateway's FIPS endpoint.
pub(crate) fn is_fips(host: &str) -> bool {
    host.split('.').next() == Some(FIPS_GATEWAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own_names() {
        for (region, host) in [
            ("eu-west-1", "ssmmessages.eu-west-1.amazonaws.com"),
            ("EU-West-1", "ssmmessages.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.api.aws"),
            ("us-east-1", "ssmmessages-fips.us-east-1.amazonaws.com"),
            ("us-east-1", "ssmmessages-fips.us-east-1.api.aws"),
            ("ap-southeast-7", "ssmmessages.ap-southeast-7.amazonaws.com"),
            ("us-gov-west-1", "ssmmessages.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", "ssmmessages-fips.us-gov-west-1.amazonaws.com"),
            ("us-gov-east-1", "ssmmessages.us-gov-east-1.api.aws"),
            ("cn-north-1", "ssmmessages.cn-north-1.amazonaws.com.cn"),
            ("cn-northwest-1", "ssmmessages.cn-northwest-1.api.amazonwebservices.com.cn"),
            ("eusc-de-east-1", "ssmmessages.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", "ssmmessages.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", "ssmmessages.us-isob-east-1.sc2s.sgov.gov"),
            ("us-isob-east-1", "ssmmessages.us-isob-east-1.api.aws.scloud"),
            ("eu-isoe-west-1", "ssmmessages.eu-isoe-west-1.cloud.adc-e.uk"),
            ("us-isof-south-1", "ssmmessages.us-isof-south-1.csp.hci.ic.gov"),
        ] {
            assert!(is_gateway(host, region), "{host} in {region}");
        }
    }

    #[test]
    fn what_only_looks_like_a_gateway_is_none() {
        for (region, host) in [
            // Another region, another partition's names.
            ("eu-west-1", "ssmmessages.us-east-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.amazonaws.com.cn"),
            ("eu-west-1", "ssmmessages.eu-west-1.amazonaws.eu"),
            ("cn-north-1", "ssmmessages.cn-north-1.amazonaws.com"),
            ("us-gov-west-1", "ssmmessages.us-gov-west-1.amazonaws.com.cn"),
            ("us-iso-east-1", "ssmmessages.us-iso-east-1.amazonaws.com"),
            // Labels before, behind, within and instead.
            ("eu-west-1", "x.ssmmessages.eu-west-1.amazonaws.com"),
            ("eu-west-1", "evilssmmessages.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages-fips-x.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages_fips.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.amazonaws.com.evil.example"),
            ("eu-west-1", "ssmmessages.eu-west-1.notamazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.amazonaws.com-evil.example"),
            ("eu-west-1", "ssmmessages.eu-west-1-amazonaws.com"),
            ("eu-west-1", "ssmmessages-eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.evil.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.s3.amazonaws.com"),
            ("eu-west-1", "ssm.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ec2messages.eu-west-1.amazonaws.com"),
            ("eu-west-1", "ssmmessages.eu-west-1.aws"),
            ("eu-west-1", "ssmmessages.amazonaws.com"),
            ("eu-west-1", "ssmmessages..amazonaws.com"),
            ("eu-west-1", "ssmmessages"),
            ("eu-west-1", "127.0.0.1"),
            ("eu-west-1", ""),
            ("", "ssmmessages..amazonaws.com.cn"),
            // A region is one label.
            ("a.b", "ssmmessages.a.b.amazonaws.com"),
            ("evil.example", "ssmmessages.evil.example"),
        ] {
            assert!(!is_gateway(host, region), "{host} in {region}");
        }
    }

    #[test]
    fn fips_endpoints_are_known_by_their_first_label() {
        assert!(is_fips("ssmmessages-fips.us-east-1.amazonaws.com"));
        assert!(!is_fips("ssmmessages.us-east-1.amazonaws.com"));
        assert!(!is_fips("x.ssmmessages-fips.us-east-1.amazonaws.com"));
    }
}
