//! A company's network: a proxy between here and AWS, and a certificate authority of its own.

use tunnels_tests::{ProxyAnswer, SimOptions, TestDaemon, TestProxy, TestRemote, TestSim, echo_once, wait_until};

use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// The strict simulator's own keys.
const KEYS: (&str, &str) = ("SIMULATED", "simulated");

fn strict() -> TestSim {
    TestSim::start_with(&SimOptions { arguments: vec!["--strict".to_owned()], ..SimOptions::default() })
}

/// A user behind a proxy, with one tunnel to AWS as the proxy knows it.
fn behind(proxy: &TestProxy, sim: &TestSim, remote: &TestRemote, user: &str) -> TestDaemon {
    TestDaemon::new(sim)
        .with_keys(KEYS.0, KEYS.1)
        .tunnel_with("files", &remote.address().to_string(), &proxy.endpoints())
        .with_variable("HTTPS_PROXY", proxy.url(user))
}

#[test]
fn calls_and_websockets_go_through_the_proxy_with_its_login_and_authority() {
    let (remote, sim) = (TestRemote::start(), strict());
    let proxy = TestProxy::start(&sim, ProxyAnswer::OpenFor("Basic bWU6cEBzc3dvcmQ="));
    let mut user = behind(&proxy, &sim, &remote, "me:p%40ssword@")
        .with_variable("AWS_CA_BUNDLE", proxy.ca().display().to_string());
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    echo_once(user.port("files"), 100_000, 1).unwrap();
    let hosts =
        |name: &str| proxy.asked().iter().filter(|head| head.starts_with(&format!("CONNECT {name}:443 "))).count();
    assert!(hosts("ssm.aws.invalid") >= 1, "{:?}", proxy.asked());
    assert!(hosts("ssmmessages.aws.invalid") >= 1, "{:?}", proxy.asked());

    // A resume finds its way again.
    let before = hosts("ssmmessages.aws.invalid");
    sim.cut("client", "reset");
    wait_until("the resume to come through the proxy", DEADLINE, || {
        (hosts("ssmmessages.aws.invalid") > before).then_some(())
    });
    user.wait_for("files", "ready");
    echo_once(user.port("files"), 100_000, 2).unwrap();

    let mut seen = user.state_files();
    seen.push(user.process().output());
    seen.push(user.ls().to_string());
    for text in seen {
        for secret in ["p%40ssword", "p@ssword", "bWU6"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn the_profile_s_ca_bundle_counts_for_its_tunnels() {
    let (remote, sim) = (TestRemote::start(), strict());
    let proxy = TestProxy::start(&sim, ProxyAnswer::Open);
    let config = format!("[default]\nca_bundle = {}\n", proxy.ca().display());
    let mut user = behind(&proxy, &sim, &remote, "").with_home_file(".aws/config", &config);
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    echo_once(user.port("files"), 10_000, 1).unwrap();
}

#[test]
fn a_refusal_names_the_proxy_its_variable_and_its_answer_and_heals() {
    let (remote, sim) = (TestRemote::start(), strict());
    let proxy = TestProxy::start(&sim, ProxyAnswer::Refuse("403 Forbidden by policy"));
    let mut user = behind(&proxy, &sim, &remote, "").with_variable("AWS_CA_BUNDLE", proxy.ca().display().to_string());
    user.start();
    user.run(&["up"]).expect_success();
    let cause = cause(&user, |cause| cause.contains("403"));
    let expected = format!(
        "the proxy {} (HTTPS_PROXY) refused a connection to ssm.aws.invalid:443: HTTP 403 Forbidden by policy",
        proxy.url("")
    );
    assert_eq!((&cause["kind"], &cause["text"]), (&"proxy".into(), &expected.as_str().into()));
    assert!(cause["next"].as_str().is_some_and(|next| next.contains("NO_PROXY")), "{cause}");

    proxy.answer(ProxyAnswer::OpenFor("Basic nobody"));
    user.run(&["restart", "files"]).expect_success();
    let login = self::cause(&user, |cause| cause.contains("407"));
    assert!(login["next"].as_str().is_some_and(|next| next.contains("http://user:password@")), "{login}");

    proxy.answer(ProxyAnswer::Open);
    user.wait_for("files", "ready");
}

#[test]
fn an_inspecting_proxy_without_its_authority_is_explained() {
    let (remote, sim) = (TestRemote::start(), strict());
    let proxy = TestProxy::start(&sim, ProxyAnswer::Open);
    let mut user = behind(&proxy, &sim, &remote, "");
    user.start();
    user.run(&["up"]).expect_success();
    let cause = cause(&user, |cause| cause.contains("certificate"));
    assert_eq!(cause["kind"], "certificate");
    assert_eq!(
        cause["text"],
        "the certificate of ssm.aws.invalid is signed by an authority that this machine does not trust"
    );
    assert!(cause["next"].as_str().is_some_and(|next| next.contains("AWS_CA_BUNDLE")), "{cause}");
}

#[test]
fn settings_that_cannot_work_fail_the_tunnels_that_need_them_and_no_other() {
    let (remote, sim) = (TestRemote::start(), strict());
    let proxy = TestProxy::start(&sim, ProxyAnswer::Open);
    for (variable, value, says) in [
        (
            "HTTPS_PROXY",
            "socks5h://me:s3cret@127.0.0.1:1080",
            "HTTPS_PROXY names no proxy that can be used: it is a socks5h",
        ),
        ("AWS_CA_BUNDLE", "/nonexistent/ca.pem", "AWS_CA_BUNDLE names /nonexistent/ca.pem, which cannot be read"),
    ] {
        let mut user =
            behind(&proxy, &sim, &remote, "").tunnel("local", remote.address()).with_variable(variable, value);
        user.start();
        let waited = user.run(&["up", "--wait"]);
        assert_eq!(waited.code, Some(8), "{}", waited.stderr);
        let cause = cause(&user, |cause| cause.contains(says));
        assert!(!cause.to_string().contains("s3cret") && !user.process().output().contains("s3cret"));
        assert_eq!(user.status("files")["state"], "failed");
        user.wait_for("local", "ready");
    }
}

#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    let proxy = TestProxy::start(&sim, ProxyAnswer::Open);
    let mut user = TestDaemon::new(&sim).tunnel("files", remote.address());
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        user = user.with_variable(variable, proxy.url(""));
    }
    user = user.with_variable("AWS_USE_FIPS_ENDPOINT", "true");
    user.start();
    user.run(&["up", "--wait"]).expect_success();
    echo_once(user.port("files"), 10_000, 1).unwrap();
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn calls_go_to_the_endpoint_that_partition_and_settings_ask_for() {
    let (remote, sim) = (TestRemote::start(), TestSim::start());
    // It knows none of AWS's own names, and says so.
    let proxy = TestProxy::start(&sim, ProxyAnswer::Open);
    let (fips, dual_stack) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    for (region, variables, host) in [
        ("us-east-1", vec![], "ssm.us-east-1.amazonaws.com"),
        ("us-east-1", vec![fips], "ssm-fips.us-east-1.amazonaws.com"),
        ("us-east-1", vec![dual_stack], "ssm.us-east-1.api.aws"),
        ("us-east-1", vec![fips, dual_stack], "ssm-fips.us-east-1.api.aws"),
        ("us-gov-west-1", vec![], "ssm.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", vec![], "ssm.cn-north-1.amazonaws.com.cn"),
    ] {
        let mut user = behind(&proxy, &sim, &remote, "");
        user.overwrite_config(&format!(
            "[tunnels.files]\nremote = 1\nlocal = {}\ntarget = \"i-0123456789abcdef0\"\nregion = \"{region}\"\n",
            user.port("files")
        ));
        for variable in variables {
            user = user.with_variable(variable, "true");
        }
        user.start();
        user.run(&["up"]).expect_success();
        cause(&user, |cause| cause.contains("HTTP 502 Bad Gateway"));
        let last = proxy.asked().last().cloned().unwrap_or_default();
        assert!(last.starts_with(&format!("CONNECT {host}:443 HTTP/1.1\r\n")), "{last}");
    }
}

/// Waits for a cause of the tunnel `files` whose text is right.
fn cause(user: &TestDaemon, is: impl Fn(&str) -> bool) -> serde_json::Value {
    wait_until("the cause to be shown", DEADLINE, || {
        let cause = user.status("files")["cause"].clone();
        cause["text"].as_str().is_some_and(&is).then_some(cause)
    })
}
