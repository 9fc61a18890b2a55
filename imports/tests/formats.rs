//! What each format comes to, as people really write it.

use std::path::Path;
use tunnels_imports::{Format, Forward, Report, Target, read, slug};

const NODE: &str = "i-0123456789abcdef0";
const HOST: &str = "orders.cluster-abc.eu-west-1.rds.amazonaws.com";

fn files(path: &str) -> Result<String, String> {
    match path {
        "params.json" => Ok(format!(r#"{{"host":["{HOST}"],"portNumber":["5432"],"localPortNumber":["15432"]}}"#)),
        _ => Err("no such file".to_owned()),
    }
}

fn script(text: &str) -> Report {
    read(Format::Script, text, &files)
}

#[track_caller]
fn one(report: &Report) -> &Forward {
    let ([forward], []) = (report.forwards.as_slice(), report.refusals.as_slice()) else { panic!("{report:#?}") };
    forward
}

fn orders() -> Forward {
    Forward {
        line: 1,
        name: "orders".to_owned(),
        host: Some(HOST.to_owned()),
        port: 5432,
        local_port: Some(15432),
        target: Some(Target::Id(NODE.to_owned())),
        ..Forward::default()
    }
}

#[test]
fn a_command_line_in_every_spelling() {
    let remote = "--document-name AWS-StartPortForwardingSessionToRemoteHost";
    for text in [
        format!(
            r#"aws ssm start-session --target {NODE} {remote} --parameters '{{"host":["{HOST}"],"portNumber":["5432"],"localPortNumber":["15432"]}}'"#
        ),
        format!(
            r#"aws ssm start-session --target {NODE} {remote} --parameters "{{\"host\":[\"{HOST}\"],\"portNumber\":[\"5432\"],\"localPortNumber\":[\"15432\"]}}""#
        ),
        format!(
            "aws ssm start-session --target={NODE} {remote} --parameters host={HOST},portNumber=5432,localPortNumber=15432"
        ),
        format!(
            r#"aws ssm start-session {remote} --parameters host="{HOST}",portNumber="5432",localPortNumber="15432" --target {NODE}"#
        ),
        format!(
            "aws ssm start-session --parameters host={HOST} portNumber=5432 localPortNumber=15432 {remote} --target {NODE}"
        ),
        format!(
            "aws ssm start-session \\\n  --target {NODE} \\\n  {remote} \\\n  --parameters 'host=[{HOST}],portNumber=[5432],localPortNumber=[15432]'"
        ),
        format!(
            "aws ssm start-session ^\r\n  --target {NODE} ^\r\n  {remote} --parameters host={HOST},portNumber=5432,localPortNumber=15432"
        ),
        format!(
            "aws --no-cli-pager ssm --debug start-session --output text --target {NODE} {remote} --parameters file://params.json > /dev/null 2>&1 &"
        ),
        format!(
            r#"exec /usr/local/bin/aws ssm start-session --cli-input-json '{{"Target":"{NODE}","DocumentName":"AWS-StartPortForwardingSessionToRemoteHost","Parameters":{{"host":["{HOST}"],"portNumber":["5432"],"localPortNumber":["15432"]}}}}'"#
        ),
        format!(
            "HOST={HOST}; PORT=15432; T={NODE}; aws ssm start-session --target \"$T\" {remote} --parameters \"host=$HOST,portNumber=${{DB_PORT:-5432}},localPortNumber=$PORT\""
        ),
    ] {
        assert_eq!(one(&script(&text)), &orders(), "{text}");
    }
}

#[test]
fn scope_and_reason_wherever_they_stand() {
    let rest = format!(
        "ssm start-session --target {NODE} --document-name AWS-StartPortForwardingSession --parameters portNumber=8080"
    );
    let web = Forward {
        line: 1,
        name: "port-8080".to_owned(),
        port: 8080,
        target: Some(Target::Id(NODE.to_owned())),
        profile: Some("dev".to_owned()),
        region: Some("eu-west-1".to_owned()),
        ..Forward::default()
    };
    for text in [
        format!("aws --profile dev --region eu-west-1 {rest}"),
        format!("aws {rest} --region=eu-west-1 --profile=dev"),
        format!("AWS_PROFILE=dev AWS_REGION=eu-west-1 aws {rest}"),
        format!("export AWS_PROFILE=dev; AWS_DEFAULT_REGION='eu-west-1' aws {rest}"),
    ] {
        assert_eq!(one(&script(&text)), &web, "{text}");
    }
    let vault = script(&format!("aws-vault exec dev -- aws {rest} --region eu-west-1"));
    assert_eq!(one(&vault), &Forward { notes: one(&vault).notes.clone(), ..web.clone() });
    assert!(one(&vault).notes[0].contains("aws-vault"), "{vault:?}");
    let options = script(&format!("aws-vault exec --duration=1h dev -- aws {rest} --region=\"${{R:=eu-west-1}}\""));
    assert_eq!(one(&options), one(&vault));
    // What is handed on may be anything.
    let handed = script(&format!("AWS_PROFILE=dev aws {rest} --region eu-west-1 \"$@\""));
    assert_eq!(one(&handed), &Forward { notes: one(&handed).notes.clone(), ..web.clone() });
    assert!(one(&handed).notes[0].starts_with("$@ may hold"), "{handed:?}");
    let more =
        script(&format!("aws {rest} --reason 'INC 4711' --endpoint-url https://vpce.example --document-name Own-Doc"));
    let more = one(&more);
    assert_eq!((more.reason.as_deref(), more.endpoint.as_deref()), (Some("INC 4711"), Some("https://vpce.example")));
    assert_eq!(more.document.as_deref(), Some("Own-Doc"));
    // A variable that stands before one command is none of the next.
    let two = script(&format!("AWS_PROFILE=dev aws {rest}\naws {rest}"));
    let profiles: Vec<Option<&str>> = two.forwards.iter().map(|forward| forward.profile.as_deref()).collect();
    assert_eq!(profiles, [Some("dev"), None]);
}

#[test]
fn a_script_with_functions_aliases_and_comments() {
    let text = format!(
        "#!/usr/bin/env bash\nset -euo pipefail\n\n# the bastion\nBASTION=$(aws ec2 describe-instances \\\n  --filters \
         \"Name=tag:Name,Values=bastion\" \"Name=instance-state-name,Values=running\" \\\n  --query x --output text)\n\n\
         orders_db() {{\n  aws ssm start-session --target \"$BASTION\" --document-name \
         AWS-StartPortForwardingSessionToRemoteHost --parameters host={HOST},portNumber=5432\n}}\n\n\
         alias web='aws ssm start-session --target {NODE} --document-name AWS-StartPortForwardingSession --parameters portNumber=80,localPortNumber=8080'\n\
         # aws ssm start-session --target {NODE}\n\
         aws s3 ls && aws ssm send-command --document-name x\n\
         aws ssm start-session --target {NODE} --document-name AWS-StartPortForwardingSession --parameters portNumber=9090,localPortNumber=0\n"
    );
    let report = script(&text);
    assert_eq!(report.refusals, []);
    let names: Vec<(&str, usize, Option<u16>)> =
        report.forwards.iter().map(|one| (one.name.as_str(), one.line, one.local_port)).collect();
    assert_eq!(names, [("orders_db", 10, None), ("web", 13, Some(8080)), ("port-9090", 16, None)]);
    assert_eq!(report.forwards[0].target, Some(Target::Tag("Name=bastion".to_owned())));
    assert!(report.forwards[0].notes[0].contains("Name=bastion"), "{report:?}");
}

#[test]
fn what_cannot_be_taken_says_why_and_where() {
    let port = "--document-name AWS-StartPortForwardingSession --parameters";
    for (line, why) in [
        (format!("aws ssm start-session --target {NODE}"), "opens a shell"),
        (format!("aws ssm start-session --target {NODE} --document-name AWS-StartSSHSession"), "SSH"),
        (
            format!(
                "aws ssm start-session --target {NODE} --document-name AWS-StartInteractiveCommand --parameters command=top"
            ),
            "no `portNumber`",
        ),
        (format!("aws ssm start-session --target \"$1\" {port} portNumber=80"), "`--target` is $1"),
        (format!("aws ssm start-session --target $(./find.sh) {port} portNumber=80"), "the output of `./find.sh`"),
        (format!("aws ssm start-session --target {NODE} {port} \"portNumber=$PORT\""), "`--parameters` is $PORT"),
        (format!("aws ssm start-session --target=$1 {port} portNumber=80"), "`--target` is $1"),
        (format!("aws ssm start-session --target={NODE} {port}=$X"), "`--parameters` is $X"),
        (format!("aws ssm start-session --target={NODE} {port}=portNumber=$X"), "`--parameters` is $X"),
        (format!("aws ssm start-session --target={NODE} {port} host=db portNumber=$X"), "`--parameters` is $X"),
        (format!("aws ssm start-session --target={NODE} {port} portNumber=${{X%-a}}"), "`--parameters` is $X%-a"),
        (format!("aws --profile=$P ssm start-session --target {NODE} {port} portNumber=80"), "`--profile` is $P"),
        (
            format!("export AWS_PROFILE=\"$1\"; aws ssm start-session --target {NODE} {port} portNumber=80"),
            "`AWS_PROFILE` is $1",
        ),
        (
            format!("declare -x AWS_REGION=$(cat r); aws ssm start-session --target {NODE} {port} portNumber=80"),
            "`AWS_REGION` is the output of `cat r`",
        ),
        (
            format!("aws-vault exec \"$1\" -- aws ssm start-session --target {NODE} {port} portNumber=80"),
            "the profile of `aws-vault exec`",
        ),
        (format!("aws ssm start-session --target bastion {port} portNumber=80"), "no managed node's id"),
        (format!("aws ssm start-session --target {NODE} {port} portNumber=http"), "which is no port"),
        (format!("aws ssm start-session --target {NODE} {port} file://gone.json"), "cannot be read: no such file"),
        (format!("aws ssm start-session --target {NODE} {port} '{{\"portNumber\":'"), "no JSON"),
    ] {
        let report = script(&format!("\n{line}\n"));
        assert_eq!(report.forwards, [], "{line}");
        let [refusal] = report.refusals.as_slice() else { panic!("{line}: {report:?}") };
        assert!(refusal.line == 2 && refusal.why.contains(why), "{line}: {refusal:?}");
    }
    for text in ["", "aws", "aws ssm", "aws s3 ls", "echo aws ssm start-session", "start-session --target x"] {
        let report = script(text);
        assert!(text.starts_with("echo") || report == Report::default(), "{text}: {report:?}");
    }
}

#[test]
fn what_is_set_under_a_condition_is_known_only_there() {
    let start = format!(
        "aws ssm start-session --target {NODE} --document-name AWS-StartPortForwardingSessionToRemoteHost --parameters \
         \"host=$HOST,portNumber=5432\""
    );
    let case = "case \"$1\" in\ndev) HOST=dev-db;;\nprod|live)\n  HOST=prod-db\n  ;;\nesac";
    for (before, why) in [
        (case, "the `case` in line 1"),
        ("HOST=dev\nif [ \"$1\" = prod ]; then HOST=prod; fi", "the `if` in line 2"),
        ("if a; then HOST=x; elif HOST=b c; then HOST=y; else :; fi", "the `if` in line 1"),
        ("HOST=dev; for x in a; do HOST=$x; done", "the `for` in line 1"),
        ("for HOST in a b; do :; done", "the `for` in line 1"),
        ("HOST=dev; while read -r HOST; do :; done", "the `while` in line 1"),
        ("HOST=dev\nread -p host HOST", "which is read"),
        ("HOST=dev\n[ \"$1\" = prod ] && HOST=prod", "the `&&` in line 2"),
        ("HOST=dev\n[ -z \"$1\" ] ||\n\n  { HOST=x; PORT=1; }", "the `||` in line 2"),
        ("if a; then [ b ] && { HOST=x; }; fi", "the `if` in line 1"),
        ("prod() { HOST=a; }; dev() { HOST=b; }; \"$1\"", "whether `dev` is called"),
        ("HOST=a; HOST+=$1", "is $1"),
    ] {
        let report = script(&format!("{before}\n{start}\n"));
        let ([], [refusal]) = (report.forwards.as_slice(), report.refusals.as_slice()) else {
            panic!("{before}: {report:?}")
        };
        assert!(refusal.why.contains("$HOST") || refusal.why.contains("$1"), "{before}: {refusal:?}");
        assert!(refusal.why.contains(why), "{before}: {refusal:?}");
    }
    // Within the branch it is known, and so is what no branch touches.
    for (text, expected) in [
        (format!("HOST=a; if x; then HOST=b; {start}; else {start}; fi"), &["b", "a"][..]),
        (format!("case $1 in a) HOST=b; {start};; c) HOST=d; {start}; esac"), &["b", "d"]),
        (format!("HOST=a; if x; then PORT=1; fi; {start}"), &["a"]),
        (format!("cd x && HOST=a && {start}"), &["a"]),
        (format!("{{ HOST=a; }}; {start}"), &["a"]),
        (format!("HOST=a; if x; then HOST=b; fi; HOST=c; {start}"), &["c"]),
        (format!("set_up() {{ HOST=a; }}\ndb() {{ set_up; {start}; }}"), &["a"]),
        (format!("one() {{ local HOST=a; {start}; }}\ntwo() {{ local HOST=b; {{ {start}; }}; }}"), &["a", "b"]),
        (format!("HOST=a; HOST+=-b; {start}"), &["a-b"]),
        (format!("fi; }}; esac; done; else HOST=a; {start}"), &["a"]),
    ] {
        let report = script(&text);
        let hosts: Vec<&str> = report.forwards.iter().filter_map(|forward| forward.host.as_deref()).collect();
        assert_eq!((hosts.as_slice(), report.refusals.as_slice()), (expected, &[][..]), "{text}");
    }
    let two = script(&format!("one() {{ HOST=a; {start}; }}\ntwo() {{ {{ HOST=b; }}; {start}; }}"));
    let names: Vec<&str> = two.forwards.iter().map(|forward| forward.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
}

#[test]
fn aliases_of_the_aws_cli() {
    let text = format!(
        "[toplevel]\n\nwhoami = sts get-caller-identity\n\norders =\n  ssm start-session --target {NODE}\n    \
         --document-name AWS-StartPortForwardingSessionToRemoteHost\n    --parameters host={HOST},portNumber=5432,localPortNumber=15432\n\
         cache = !f() {{\n    aws ssm start-session --target {NODE} --profile dev \\\n      --document-name \
         AWS-StartPortForwardingSessionToRemoteHost \\\n      --parameters '{{\"host\":[\"c.example\"],\"portNumber\":[\"6379\"]}}'\n  }}; f\n\
         any = !f() {{ aws ssm start-session --target $1 --document-name AWS-StartPortForwardingSession --parameters portNumber=1; }}; f\n\n\
         [command ssm]\nweb = start-session --target {NODE} --document-name AWS-StartPortForwardingSession --parameters portNumber=80\nnonsense\n"
    );
    let path = Path::new("/home/u/.aws/cli/alias");
    assert_eq!((Format::guess(path, ""), Format::guess(Path::new("x"), &text)), (Format::Aliases, Format::Aliases));
    let report = read(Format::Aliases, &text, &files);
    let names: Vec<(&str, u16)> = report.forwards.iter().map(|one| (one.name.as_str(), one.port)).collect();
    assert_eq!(names, [("orders", 5432), ("cache", 6379), ("web", 80)]);
    assert_eq!(report.forwards[0].host.as_deref(), Some(HOST));
    assert_eq!(report.forwards[1].profile.as_deref(), Some("dev"));
    let refused: Vec<usize> = report.refusals.iter().map(|refusal| refusal.line).collect();
    assert_eq!(refused, [14, 18], "{report:#?}");
    assert!(report.forwards[1].line >= 9 && report.forwards[2].line == 17, "{report:#?}");
}

#[test]
fn connections_of_basti() {
    let text = "# team\nconnections:\n  orders:\n    target:\n      rdsInstance: orders-dev\n      awsProfile: dev\n    \
                localPort: 5432\n  search:\n    target: search\n    localPort: 9200\n  \"Half Done\":\n    target: gone\n\
                targets:\n  search:\n    customTargetVpc: vpc-1\n    customTargetHost: search.internal\n    \
                customTargetPort: 443\n    awsProfile: prod\n    awsRegion: us-east-1\n";
    assert_eq!(Format::guess(Path::new("a/.basti.yaml"), ""), Format::Basti);
    assert_eq!(Format::guess(Path::new("-"), text), Format::Basti);
    let report = read(Format::Basti, text, &files);
    let expected = Forward {
        line: 8,
        name: "search".to_owned(),
        host: Some("search.internal".to_owned()),
        port: 443,
        local_port: Some(9200),
        profile: Some("prod".to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Forward::default()
    };
    assert_eq!(report.forwards, [expected]);
    let [orders, half] = report.refusals.as_slice() else { panic!("{report:#?}") };
    assert_eq!((orders.line, half.line), (3, 11));
    assert!(orders.next.as_deref().is_some_and(|next| next.contains("orders-dev") && next.contains("tunnels add")));
    assert!(half.why.contains("no target `gone`"), "{half:?}");

    let unnamed = "connections:\n  данные:\n    target: {customTargetHost: search.internal, customTargetPort: 443}\n";
    assert_eq!(one(&read(Format::Basti, unnamed, &files)).name, "search");

    let json =
        r#"{"connections": {"a": {"target": {"customTargetHost": "h", "customTargetPort": 0}, "localPort": 1}}}"#;
    let report = read(Format::Basti, json, &files);
    assert!(report.refusals[0].why.contains("`customTargetPort` is no port"), "{report:?}");
    for text in ["", "[", "a: b", "connections: 5", "connections:\n  a: 5\n", "a:\n\t- b"] {
        let report = read(Format::Basti, text, &files);
        assert_eq!(report.forwards, [], "{text}");
    }
    for deep in ["[".repeat(50_000), "- ".repeat(30_000), "{a: ".repeat(10_000)] {
        let report = read(Format::Basti, &deep, &files);
        assert!(report.refusals[0].why.contains("larger or nested"), "{report:?}");
    }
}

#[test]
fn a_name_that_is_none_is_made_one() {
    assert_eq!(slug("Half Done"), "half-done");
}
