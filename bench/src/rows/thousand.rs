//! A thousand tunnels with ten connections each.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tunnels_tests::{Process, wait_until};

use super::Entry;
use crate::cpu::{CpuMeter, descriptors, resident_mb};
use crate::report::{Goal, Row, TUNNELS};
use crate::setting::Setting;
use crate::stage::{Agent, Aws, tunnel_name, with_tunnels};

pub(super) const ENTRY: Entry = Entry { name: "thousand", about: "1 000 tunnels × 10 connections, once", run };

const TUNNEL_COUNT: usize = 1000;
const CONNECTIONS: usize = 10;
const IDLE: Duration = Duration::from_secs(10);
const START_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);

fn run(setting: &Setting, row: &mut Row) {
    let echo = EchoServer::start();
    let aws = Aws::start(setting, Agent::Fast);
    let mut user = with_tunnels(&aws, TUNNEL_COUNT, echo.address, "");
    user.start();
    let daemon = user.process().pid();
    let state = |row: &mut Row, when: &str| {
        row.add(&format!("{when}: resident memory"), TUNNELS, "MB", resident_mb(&[daemon]));
        row.add(&format!("{when}: open descriptors"), TUNNELS, "", descriptors(daemon));
    };
    let idle = |row: &mut Row, when: &str| {
        let cpu = CpuMeter::start([daemon]);
        sleep(IDLE);
        row.add(&format!("{when}: CPU"), TUNNELS, "% of a core", cpu.seconds() / IDLE.as_secs_f64() * 100.0);
    };

    let (cpu, started) = (CpuMeter::start([daemon]), Instant::now());
    user.run(&["up", "--wait=120s"]).expect_success();
    row.add("until all are ready", TUNNELS, "s", started.elapsed().as_secs_f64());
    row.add("until all are ready: CPU", TUNNELS, "s", cpu.seconds());
    state(row, "ready");
    idle(row, "ready");

    let (cpu, started) = (CpuMeter::start([daemon]), Instant::now());
    let ports: Vec<u16> = (0..TUNNEL_COUNT).map(|number| user.port(&tunnel_name(number))).collect();
    let mut connections = Vec::with_capacity(TUNNEL_COUNT * CONNECTIONS);
    for _ in 0..CONNECTIONS {
        // One in each tunnel at a time, all of which are under way together.
        let mut round: Vec<TcpStream> = ports.iter().map(|port| open(*port).expect("the tunnel accepts")).collect();
        for stream in &mut round {
            answer(stream).expect("the echo answers");
        }
        connections.append(&mut round);
    }
    row.add("until 10 000 connections have their first byte", TUNNELS, "s", started.elapsed().as_secs_f64());
    row.add("until 10 000 connections have their first byte: CPU", TUNNELS, "s", cpu.seconds());
    state(row, "connected");
    idle(row, "connected");

    let started = Instant::now();
    for stream in &mut connections {
        stream.write_all(&[1]).expect("the connection lives");
    }
    for stream in &mut connections {
        answer(stream).expect("the connection lives");
    }
    row.add("a byte more on each of them", TUNNELS, "s", started.elapsed().as_secs_f64());
    let living = connections.len();
    let list = || user.run(&["ls"]).expect_success().took;
    row.add_time("ls", TUNNELS, list());
    // Ten thousand ends at one moment: it waits for its turn among them.
    drop(connections);
    row.add_time("ls while all of them end", TUNNELS, list());
    let found = format!("{living} connections answered twice");
    row.judge(Goal {
        promise: "works, bounded memory".to_owned(),
        found,
        is_met: Some(living == TUNNEL_COUNT * CONNECTIONS),
    });
}

fn open(port: u16) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.write_all(&[1])?;
    Ok(stream)
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}

/// This program again, as the far end.
struct EchoServer {
    _process: Process,
    address: SocketAddr,
}

impl EchoServer {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a program knows its own path");
        let process = Process::start("echo server", Command::new(program).arg("--serve-echo"));
        let address = wait_until("the echo server to say its address", START_DEADLINE, || {
            process.output().lines().next()?.parse().ok()
        });
        Self { _process: process, address }
    }
}
