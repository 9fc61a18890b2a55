//! The soak: real load through tunnels for as long as one likes, while one fault after the other strikes.
//!
//! `just soak 30` runs it for half an hour and prints what came of it; `tests/run` for some seconds. Everything
//! random comes from one seed, which is printed first (`TUNNELS_SOAK_SEED` sets it).
//!
//! Two kinds of tunnels. The sessions of the *lasting* ones are never ended, whatever else happens to them: no
//! connection through them may break, and every byte arrives once and in order. The sessions of the *mortal* ones
//! are ended again and again: their connections may be reset, but never end in another way than by an error, and
//! each time the tunnel comes back. Among these are two in an account that lets no session grow old, and those of a second
//! daemon, which is killed.

mod faults;
mod load;
mod outcome;
mod resources;
mod scene;
mod victim;

use std::thread;
use std::time::{Duration, Instant};

use faults::{Deck, Measure, Weather};
use outcome::{Outcome, Report};
use resources::Watch;
use scene::{Group, Scene};
use tunnels_tests::{soak_seed, soak_time, wait_until};

/// In a run of the whole suite: enough for a dozen faults.
const SHORT: Duration = Duration::from_secs(20);
/// Longer than any fault lasts, and the longest pause between two tries after it.
const RECOVERY_DEADLINE: Duration = Duration::from_mins(2);
const END_DEADLINE: Duration = Duration::from_mins(1);
/// Between two faults, at most: some strike while the last one is hardly over.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

#[test]
fn a_random_mix_of_all_faults_costs_no_byte_and_no_connection_that_could_live() {
    let (seed, time) = (soak_seed(), soak_time(SHORT));
    println!("soak of {} s, seed {seed}", time.as_secs());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::set(seed);
    let idle = scene.resources();
    let watch = Watch::start(scene.daemon(), time);
    let load = load::start(&scene, time, seed);
    let mut report = Report::new(seed, time);

    let started = Instant::now();
    let mut deck = Deck::default();
    while started.elapsed() < time {
        if random.u8(0..4) == 0 {
            report.weather(&Weather::turn(&scene, &mut random));
        }
        report.add(one_fault(&scene, &load, deck.draw(&mut random), &mut random));
        thread::sleep(LONGEST_PAUSE.mul_f64(random.f64()));
    }
    scene.sim.clear_faults();
    let load = load.finish();
    report.finish(&load, watch.finish());
    println!("{report}");

    report.judge();
    wait_until("all connections to end", END_DEADLINE, || (scene.streams() == 0).then_some(()));
    wait_until("the daemon to close what it opened", END_DEADLINE, || {
        // What a session more or a call under way needs.
        (scene.resources().files <= idle.files + 4).then_some(())
    });
    // One that nobody knew of is looked for some seconds after its call, and one that was replaced ends with its connections.
    wait_until("one session each to be left, and none forgotten", END_DEADLINE, || {
        (scene.open_sessions() <= scene.tunnels()).then_some(())
    });
    println!("sessions in the account in which they live a minute: {}", scene.strict_sessions());
    scene.stop();
    assert_eq!(scene.open_sessions(), 0, "no orphan");
}

/// Lets one fault strike, waits until all is well again, and says what it has cost.
fn one_fault(scene: &Scene, load: &load::Load, fault: &faults::Fault, random: &mut fastrand::Rng) -> Outcome {
    let open = scene.connections(fault.group);
    let lost_before = load.lost(fault.group);
    println!("{:6.1} s  {}", load.age().as_secs_f64(), fault.name);
    let struck = load.mark();
    let lasts = (fault.strike)(scene, random);
    thread::sleep(lasts);
    if let Some(mend) = fault.mend {
        mend(scene);
    }
    let over = load.mark_end();
    let recovered = wait_until(format!("all to be well after: {}", fault.name), RECOVERY_DEADLINE, || {
        load.check();
        (scene.is_well() && load.is_heard() && (fault.group == Group::Lasting || scene.mortal_ones_carry()))
            .then(Instant::now)
    });
    faults::clear(scene);
    let from = match fault.measure {
        Measure::FromItsBeginning => struck,
        Measure::FromItsEnd => over,
    };
    Outcome {
        fault: fault.name,
        group: fault.group,
        open,
        lost: load.lost(fault.group) - lost_before,
        first_bytes: load.first_bytes(fault.measure),
        well_after: recovered - from,
    }
}
