//! The addresses that an agent does not forward to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPV4: [Ipv4Addr; 5] = [link_local(254), link_local(253), link_local(123), link_local(250), link_local(251)];
const IPV6: [Ipv6Addr; 4] = [of_ec2(0x254), of_ec2(0x253), of_ec2(0x123), of_ec2(0x240)];

/// Whether an agent with the settings that it comes with refuses to forward to this address, which ends the session: those
/// of AWS's own services, as instance metadata, DNS and time (`docs/protocol.md` §6.4).
#[must_use]
pub fn is_denied_by_default(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => IPV4.contains(&address),
        IpAddr::V6(address) => IPV6.contains(&address),
    }
}

const fn link_local(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(169, 254, 169, last)
}

const fn of_ec2(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_addresses_of_aws_s_own_services_are_denied() {
        let denied = |text: &str| is_denied_by_default(text.parse().unwrap());
        for address in ["169.254.169.254", "169.254.169.123", "fd00:ec2::254", "fd00:ec2::240"] {
            assert!(denied(address), "{address}");
        }
        for address in ["169.254.169.252", "10.0.0.2", "127.0.0.1", "fd00:ec2::1", "::1"] {
            assert!(!denied(address), "{address}");
        }
    }
}
