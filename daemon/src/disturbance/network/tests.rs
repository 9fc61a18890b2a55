//! The kernel's tables as they are, and a namespace whose network changes.

use super::*;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use std::process::Command;
use tokio::time::timeout;

const ROUTES: &str = "Iface\tDestination\tGateway\neth0\t00000000\t010200C0\n";
const LOCAL: &str = "Local:\n  |-- 127.0.0.1\n     /32 host LOCAL\n";
const ADDRESSES_V6: &str = "\
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
";
const ROUTES_V6: &str = "\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000004 00000000 00000001     eth0
";

#[test]
fn addresses_and_routes_are_the_network_and_nothing_else_is() {
    let before = Fingerprint::of(ROUTES, LOCAL, ADDRESSES_V6, ROUTES_V6);
    for (from, to, is_news) in [
        ("010200C0", "0102A8C0", true),
        ("127.0.0.1", "192.0.2.2", true),
        ("fd000000000000000000000000000002", "fd000000000000000000000000000003", true),
        ("fd000000000000000000000000000001", "fd000000000000000000000000000009", true),
        // Counters, another container's link-local address, whether an address is still being checked.
        ("00000400 00000003", "00000400 00000007", false),
        ("fe8000000000000000fc00fffe000001 04", "fe8000000000000000fc00fffe000009 07", false),
        ("04 40 00 82", "04 40 00 c2", false),
    ] {
        let [routes, local, addresses_v6, routes_v6] =
            [ROUTES, LOCAL, ADDRESSES_V6, ROUTES_V6].map(|table| table.replace(from, to));
        let after = Fingerprint::of(&routes, &local, &addresses_v6, &routes_v6);
        assert_eq!(after != before, is_news, "{from} → {to}");
    }
}

#[test]
fn tables_of_another_kernel_are_survived() {
    assert_eq!(Fingerprint::of("", "", "x\n\n", "a b\n"), Fingerprint::of("", "", "", ""));
}

/// The next test, in a network namespace where it may change things.
#[test]
fn a_change_of_the_network_is_noticed() {
    let program = std::env::current_exe().unwrap();
    let test = "disturbance::network::tests::inside_a_namespace";
    let inside = Command::new("unshare").arg("-rn").arg(program).args(["--ignored", "--exact", test]).output();
    let Ok(inside) = inside else { return eprintln!("skipped: there is no `unshare` here") };
    let (said, errors) = (String::from_utf8_lossy(&inside.stdout), String::from_utf8_lossy(&inside.stderr));
    if errors.starts_with("unshare:") {
        return eprintln!("skipped: no namespaces here: {errors}");
    }
    assert!(inside.status.success() && said.contains("1 passed"), "{said}{errors}");
}

#[tokio::test]
#[ignore = "changes the network: run by the test above"]
async fn inside_a_namespace() {
    let mut watch = NetworkWatch::open().await.unwrap();
    // The loopback interface of a new namespace is down; with it comes 127.0.0.1.
    set_loopback(true);
    timeout(Duration::from_mins(1), watch.changed()).await.expect("noticed").unwrap();
    set_loopback(false);
    timeout(Duration::from_mins(1), watch.changed()).await.expect("noticed").unwrap();
}

/// RTM_NEWLINK for interface 1 (rtnetlink(7)).
fn set_loopback(up: bool) {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
    let (length, kind, request_and_ack) = (32_u32, 16_u16, 5_u16);
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(request_and_ack.to_ne_bytes());
    message.extend([0; 8]); // sequence, port
    message.extend([0; 4]); // family, padding, type
    let (interface, iff_up) = (1_i32, 1_u32);
    message.extend(interface.to_ne_bytes());
    message.extend(if up { iff_up } else { 0 }.to_ne_bytes());
    message.extend(iff_up.to_ne_bytes());
    sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).unwrap();
    let mut answer = [0; 256];
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty()).unwrap();
    let error = answer[..length].get(16..20).map(|code| i32::from_ne_bytes(code.try_into().unwrap()));
    assert_eq!(error, Some(0), "the kernel's answer");
}
