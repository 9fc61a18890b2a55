//! `local = "auto"`: a loopback address of its own for each tunnel, the same at every start and on every machine.
//!
//! An address is a number below [`SIZE`]: `127.x.y.z` with x from 1 to 254, y from 0 to 255 and z from 1 to 254. So none is in
//! `127.0.0.0/16`, where systems have addresses of their own (`127.0.0.1`, Debian's `127.0.1.1`, `127.0.0.53` of
//! systemd-resolved). A tunnel's number is the 64-bit FNV-1a hash of its name modulo [`SIZE`]; one that is taken goes on to the
//! next that is free.

use std::net::Ipv4Addr;

/// How many addresses there are.
const SIZE: u64 = 254 * 256 * 254;

/// The address of a tunnel of this name. Whoever asks for several asks in the order of their names, so that who comes first
/// does not depend on the order of files.
pub(super) fn of(name: &str, is_taken: impl Fn(Ipv4Addr) -> bool) -> Ipv4Addr {
    let first = fnv1a(name.as_bytes()) % SIZE;
    let mut candidates = (first..SIZE).chain(0..first).map(address);
    candidates.find(|ip| !is_taken(*ip)).unwrap_or_else(|| address(first))
}

fn address(number: u64) -> Ipv4Addr {
    let (x, y, z) = (1 + number / (256 * 254), number / 254 % 256, 1 + number % 254);
    // Below 256, each of them.
    let octet = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, octet(x), octet(y), octet(z))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_its_name_s_for_ever() {
        // Worked out by hand; another result would move everybody's addresses.
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(address(0), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(address(SIZE - 1), Ipv4Addr::new(127, 254, 255, 254));
        for name in ["orders-db", "sessions-cache", "x"] {
            assert_eq!(of(name, |_| false), of(name, |_| false));
        }
    }

    #[test]
    fn who_finds_its_address_taken_takes_the_next() {
        let first = of("orders-db", |_| false);
        let next = of("orders-db", |ip| ip == first);
        assert_ne!(first, next);
        assert_eq!(of("orders-db", |ip| ip == first), next);
        assert_eq!(of("orders-db", |_| true), first, "all taken ends all the same");
    }
}
