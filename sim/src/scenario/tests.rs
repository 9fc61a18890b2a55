//! Files read and planned; what is carried out is tested through the simulator.

use super::*;

const WHOLE: &str = r#"
from = "first-session"
seed = 9
[faults]
latency_ms = 20

[[step]]
at = "1m30s"
cut = { side = "agent", how = "blackhole", for_s = 4 }

[[step]]
at = 10
for = 5
faults = { latency_ms = 300, api = "silent" }

[[step]]
at = 20.5
every = "10s"
times = 3
jitter = 2
cut = { side = "client", how = "reset" }

[[step]]
at = 100
clear = true
restart_agents = true
close = "Over."
"#;

fn plan(text: &str, seed: u64) -> Vec<Moment> {
    Scenario::parse(text).unwrap().plan(&Dice::new(seed))
}

#[test]
fn a_plan_is_in_order_and_repeats_and_ends_its_faults() {
    let scenario = Scenario::parse(WHOLE).unwrap();
    assert_eq!((scenario.from, scenario.seed, scenario.faults.latency_ms), (From::FirstSession, Some(9), 20));
    let plan = plan(WHOLE, 1);
    assert!(plan.is_sorted_by_key(|moment| moment.at));
    let acts: Vec<_> = plan.iter().map(Moment::to_string).collect();
    assert_eq!(acts[0], r#"   10.000 s  faults {"api":"silent","latency_ms":300}"#);
    assert_eq!(acts[1], r#"   15.000 s  faults {"api":"up","latency_ms":20}"#);
    assert_eq!(plan.iter().filter(|moment| matches!(&moment.act, Act::Cut(cut) if cut.for_s.is_none())).count(), 3);
    assert_eq!(
        acts[5..],
        [
            "   90.000 s  cut Agent Blackhole for 4 s",
            "  100.000 s  clear",
            "  100.000 s  restart agents",
            r#"  100.000 s  close "Over.""#
        ]
    );
}

#[test]
fn the_seed_decides_what_is_left_to_chance_and_nothing_else() {
    assert_eq!(plan(WHOLE, 1), plan(WHOLE, 1));
    let (one, two) = (plan(WHOLE, 1), plan(WHOLE, 2));
    assert_ne!(one, two);
    assert_eq!((&one[..2], &one[5..]), (&two[..2], &two[5..]));
    for (round, moment) in one[2..5].iter().enumerate() {
        let late = moment.at.as_secs_f64() - 20.5 - 10.0 * round as f64;
        assert!((0.0..=2.0).contains(&late), "{late}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (text, place) in [
        ("when = 1", "line 1"),
        ("[[step]]\nat = 1", "step 1, at 1s: nothing to do"),
        ("[[step]]\nat = -1\nclear = true", "line 2"),
        ("[[step]]\nat = \"soon\"\nclear = true", "line 2"),
        (
            "[[step]]\nat = 1\nclear = true\n[[step]]\nat = 2\nfaults = { latency = 1 }",
            "step 2, at 2s: faults: unknown field",
        ),
        ("[[step]]\nat = 1\nfaults = { drop_acks = 2.0 }", "drop_acks is a probability"),
        ("[[step]]\nat = 1\nfor = 2\nclear = true", "`for` belongs to faults"),
        ("[[step]]\nat = 1\nevery = 2\nclear = true", "belong together"),
        ("[[step]]\nat = 1\nevery = 0\ntimes = 2\nclear = true", "more than nothing"),
        ("[[step]]\nat = 1\nevery = 1\ntimes = 90000\nclear = true", "more than 86400 acts"),
        ("[[step]]\nat = 1\ncut = { side = \"client\", how = \"blackhole\", for_s = -1 }", "line 3"),
        ("[faults]\nlatency_ms = \"slow\"", "[faults]"),
    ] {
        let error = Scenario::parse(text).unwrap_err().to_string();
        assert!(error.contains(place), "{text}: {error}");
    }
}
