use super::*;
use serde_json::json;
use tunnels_api::Check;

fn look(width: u16) -> Look {
    Look { color: false, width: Some(width) }
}

fn denied() -> Checkup {
    let findings = vec![
        Finding::fail(
            Check::Permission,
            "IAM does not allow profile `dev` ssm:StartSession on arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0",
        )
        .with_evidence("User: arn:aws:iam::123456789012:user/ada is not authorized to perform: ssm:StartSession")
        .with_next("ask for this statement in your IAM policy, or choose another `profile`")
        .with_policy(json!({
            "Effect": "Allow",
            "Action": "ssm:StartSession",
            "Resource": ["arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"],
        }))
        .of("orders-db"),
        Finding::warn(Check::Daemon, "the running daemon is 0.1.0, and this command 0.2.0")
            .with_next("to put this version in its place: tunnels daemon --takeover"),
        Finding::skipped(Check::Remote, "because of permission: IAM does not allow it").of("orders-db"),
        Finding::skipped(Check::Tunnel, "because of permission: IAM does not allow it").of("orders-db"),
        Finding::ok(Check::Configuration, "3 tunnels in /home/ada/.config/tunnels/config.toml"),
        Finding { tunnels: vec!["a".into(), "b".into()], ..Finding::ok(Check::Target, "i-0123 is connected") },
    ];
    Checkup { findings }
}

#[test]
fn the_worst_stands_first_with_what_to_do() {
    insta::assert_snapshot!(render(&denied(), look(80)), @r#"
    fail     permission of orders-db
             IAM does not allow profile `dev` ssm:StartSession on
             arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0
             seen: User: arn:aws:iam::123456789012:user/ada is not authorized to
             perform: ssm:StartSession
             next: ask for this statement in your IAM policy, or choose another
             `profile`
               {
                 "Action": "ssm:StartSession",
                 "Effect": "Allow",
                 "Resource": [
                   "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0"
                 ]
               }

    warn     daemon
             the running daemon is 0.1.0, and this command 0.2.0
             next: to put this version in its place: tunnels daemon --takeover

    skipped  remote of orders-db, tunnel of orders-db
             because of permission: IAM does not allow it

    ok       configuration: 3 tunnels in /home/ada/.config/tunnels/config.toml
    ok       target of a, b: i-0123 is connected

    1 problem, 1 warning, 2 checks skipped, 2 checks fine
    "#);
}

#[test]
fn nothing_is_cut_in_a_pipe_and_little_on_a_narrow_terminal() {
    let pipe = render(&denied(), Look::default());
    assert!(pipe.contains("instance/i-0123456789abcdef0\n"), "{pipe}");
    let is_pasted = |line: &&str| line.contains('"') || line.contains("arn:") || line.contains("/home");
    for line in render(&denied(), look(40)).lines().filter(|line| !is_pasted(line)) {
        assert!(text::width(line) <= 40, "{line}");
    }
}

#[test]
fn an_example_keeps_its_lines() {
    let finding = Finding::fail(Check::Configuration, "there is none")
        .with_next("create it, for example with\n\n    [tunnels.db]\n    local = 1\u{1b}[31m");
    let text = render(&Checkup { findings: vec![finding] }, look(80));
    assert!(
        text.contains("next: create it, for example with\n\n             [tunnels.db]\n             local = 1[31m\n"),
        "{text}"
    );
}

#[test]
fn colours_say_nothing_that_words_do_not() {
    let colored = render(&denied(), Look { color: true, width: Some(80) });
    assert!(colored.contains("\u{1b}[1m\u{1b}[31mfail"), "{colored:?}");
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), render(&denied(), look(80)));
}

#[test]
fn what_is_under_way_is_named() {
    let running: Vec<String> = (1..=7).map(|number| format!("session of t{number}")).collect();
    let lines = frame(12, &running, 0, look(80));
    assert_eq!((lines.len(), lines[0].as_str()), (1 + MOST_LINES, "⠋ 12 done, 7 under way"));
    assert_eq!(lines[1], "  session of t1");
}
