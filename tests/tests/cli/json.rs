//! The JSON shapes of the README: more fields may be added, none renamed.

use serde_json::Value;
use tunnels_tests::{TestDaemon, TestRemote, TestSim};

/// What a field is to be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// RFC 3339, in UTC.
    Time,
    Whole,
    Number,
    Bool,
    Texts,
    Object,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Time => value.as_str().is_some_and(is_time),
            Self::Whole => value.is_u64(),
            Self::Number => value.is_number(),
            Self::Bool => value.is_boolean(),
            Self::Texts => value.as_array().is_some_and(|all| all.iter().all(Value::is_string)),
            Self::Object => value.is_object(),
        }
    }
}

/// `2026-11-21T06:00:00Z`, with any fraction of a second.
fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd";
    let Some((start, rest)) = text.split_at_checked(pattern.len()) else { return false };
    let fits = |(want, got): (char, char)| if want == 'd' { got.is_ascii_digit() } else { got == want };
    let fraction = rest.strip_suffix('Z').map(|rest| rest.strip_prefix('.').unwrap_or(rest));
    pattern.chars().zip(start.chars()).all(fits)
        && fraction.is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_digit()))
}

/// Panics unless `value` has these fields, and of those that it may lack only such as fit.
#[track_caller]
fn has(value: &Value, always: &[(&str, Kind)], sometimes: &[(&str, Kind)]) {
    for (field, kind) in always {
        assert!(kind.fits(&value[field]), "{field} is missing or is no {kind:?} in {value:#}");
    }
    for (field, kind) in sometimes {
        let found = value.get(field);
        assert!(found.is_none_or(|found| kind.fits(found)), "{field} is no {kind:?} in {value:#}");
    }
}

/// An entry of `ls`, and the whole of `status --json`.
#[track_caller]
fn is_tunnel(value: &Value) {
    let always = [
        ("name", Kind::Text),
        ("state", Kind::Text),
        ("wanted", Kind::Text),
        ("local", Kind::Text),
        ("exposed", Kind::Bool),
        ("remote", Kind::Text),
        ("groups", Kind::Texts),
        ("auto", Kind::Bool),
        ("protected", Kind::Bool),
        ("sessions", Kind::Whole),
        ("sessions_resuming", Kind::Whole),
        ("streams", Kind::Whole),
        ("bytes_in", Kind::Whole),
        ("bytes_out", Kind::Whole),
        ("rate_in", Kind::Number),
        ("rate_out", Kind::Number),
        ("since", Kind::Time),
    ];
    let sometimes = [
        ("cause", Kind::Object),
        ("target", Kind::Text),
        ("profile", Kind::Text),
        ("region", Kind::Text),
        ("probe", Kind::Text),
        ("rtt_ms", Kind::Number),
        ("retry_at", Kind::Time),
    ];
    has(value, &always, &sometimes);
    if let Some(cause) = value.get("cause") {
        has(cause, &[("kind", Kind::Text), ("text", Kind::Text)], &[("next", Kind::Text)]);
    }
}

#[test]
fn ls_and_status_have_their_documented_fields_in_every_state() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let remote = remote.address().to_string();
    let user = TestDaemon::new(&sim)
        .tunnel_with("api", &remote, "groups = [\"web\"]")
        .tunnel_with("lazy", "127.0.0.1:9", "auto = false\nprotected = true")
        .tunnel_with("offline", &remote, "profile = \"dev\"\ntarget = \"i-0bbbbbbbbbbbbbbbb\"");
    user.run(&["up", "api", "--wait"]).expect_success();
    user.run(&["up", "offline", "--wait=0s"]).expect_code(7);
    user.wait_for_cause("offline", "connecting", "target-offline");

    let list = user.ls();
    let tunnels = list["tunnels"].as_array().expect("a list of tunnels");
    assert_eq!(tunnels.iter().map(|tunnel| &tunnel["name"]).collect::<Vec<_>>(), ["api", "lazy", "offline"]);
    for tunnel in tunnels {
        is_tunnel(tunnel);
        let name = tunnel["name"].as_str().expect("a name");
        is_tunnel(&user.run(&["status", name, "--json"]).expect_success().json());
    }
    let picked = user.run(&["ls", "@web", "--json"]).expect_success().json();
    assert_eq!(picked["tunnels"].as_array().map(Vec::len), Some(1), "{picked}");

    let api = user.status("api");
    assert_eq!(api["local"], format!("127.0.0.1:{}", user.port("api")));
    assert_eq!((&api["remote"], &api["groups"]), (&remote.into(), &serde_json::json!(["web"])));
    assert_eq!((&api["sessions"], &api["wanted"]), (&1.into(), &"up".into()));
    has(&api, &[("rtt_ms", Kind::Number), ("region", Kind::Text), ("target", Kind::Text)], &[]);
    assert!(api.get("retry_at").is_none() && api.get("cause").is_none(), "nothing is wrong: {api}");

    let lazy = user.status("lazy");
    assert_eq!((&lazy["state"], &lazy["wanted"]), (&"down".into(), &"down".into()), "{lazy}");
    assert_eq!((&lazy["auto"], &lazy["protected"]), (&false.into(), &true.into()), "{lazy}");
    assert!(lazy.get("rtt_ms").is_none(), "{lazy}");

    let offline = user.status("offline");
    has(&offline, &[("cause", Kind::Object), ("profile", Kind::Text)], &[]);
    has(&offline["cause"], &[("next", Kind::Text)], &[]);
}

#[test]
fn the_doctor_s_findings_have_their_documented_fields_worst_first() {
    const WORDS: [&str; 4] = ["fail", "warn", "skipped", "ok"];
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let user = TestDaemon::new(&sim)
        .tunnel("api", remote.address())
        .tunnel_with("offline", "db.example:5432", "target = \"i-0bbbbbbbbbbbbbbbb\"")
        .tunnel_with("prod", "db.example:5432", "protected = true");
    let report = user.run(&["doctor", "--json"]).expect_code(1).json();
    assert_eq!(report.as_object().map(serde_json::Map::len), Some(1), "{report:#}");
    let findings = report["findings"].as_array().expect("a list of findings");
    for finding in findings {
        let always = [("check", Kind::Text), ("verdict", Kind::Text), ("text", Kind::Text)];
        let texts = ["tunnel", "evidence", "next"].map(|field| (field, Kind::Text));
        has(finding, &always, &texts);
        has(finding, &[], &[("tunnels", Kind::Texts), ("policy", Kind::Object)]);
    }
    let place = |finding: &Value| WORDS.iter().position(|word| finding["verdict"] == *word).expect("a known verdict");
    assert!(findings.is_sorted_by_key(place), "{report:#}");
    assert_eq!((&findings[0]["check"], &findings[0]["tunnel"]), (&"target".into(), &"offline".into()), "{report:#}");
}

#[test]
fn version_names_the_daemon_only_while_one_runs() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let mut user = TestDaemon::new(&sim).tunnel("api", remote.address());

    let version = user.run(&["version", "--json"]).expect_success().json();
    has(&version, &[("version", Kind::Text), ("commit", Kind::Text)], &[]);
    assert!(version.get("daemon").is_none(), "{version}");

    let pid = user.start().pid();
    let version = user.run(&["version", "--json"]).expect_success().json();
    let daemon = &version["daemon"];
    let always = [("version", Kind::Text), ("pid", Kind::Whole), ("socket", Kind::Text), ("config_loaded", Kind::Time)];
    let sometimes = [("config", Kind::Text), ("config_error", Kind::Text), ("aws_environment", Kind::Object)];
    has(daemon, &always, &sometimes);
    assert_eq!(daemon["version"], version["version"]);
    assert_eq!(daemon["pid"], pid);
    assert_eq!(daemon["socket"], user.socket().to_str().unwrap());
    assert_eq!(daemon["config"], user.config().to_str().unwrap());
}

#[test]
fn the_simulator_tells_its_sessions_and_calls() {
    let remote = TestRemote::start();
    let sim = TestSim::start();
    let user = TestDaemon::new(&sim).tunnel("api", remote.address());
    user.run(&["up", "--wait"]).expect_success();

    let session = &sim.sessions()[0];
    let always = [("id", Kind::Text), ("target", Kind::Text), ("document", Kind::Text), ("state", Kind::Text)];
    has(session, &always, &[("host", Kind::Text)]);
    assert_eq!(session["document"], "AWS-StartPortForwardingSessionToRemoteHost");
    assert_eq!(session["host"], "127.0.0.1");
    assert_eq!(session["port"].to_string().trim_matches('"'), remote.address().port().to_string());
    assert_eq!(sim.calls("StartSession"), 1);
}
