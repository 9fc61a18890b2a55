//! The region, and the way to AWS.

use super::{Broken, Scene};
use serde_json::json;
use tunnels_tests::{NODE, ProxyAnswer, TestDaemon, TestProxy, free_port};

pub(super) const SETUPS: &[Broken] = &[
    Broken::new("no region", "region", &["no AWS region is set", "set `region`"], |world| {
        let endpoint = world.sim.url();
        let user = TestDaemon::with_defaults(&format!("target = \"{NODE}\"\n"))
            .tunnel("db", world.remote.address())
            .with_variable("AWS_ENDPOINT_URL_STS", endpoint);
        user.into()
    }),
    Broken::new("a region that does not exist", "region", &["eu-wset-1", "did you mean `eu-west-1`?"], |world| {
        // Its proxy knows no such name, either; nothing leaves this machine.
        let proxy = TestProxy::start(&world.sim, ProxyAnswer::Open);
        let user = TestDaemon::with_defaults(&format!("target = \"{NODE}\"\nregion = \"eu-wset-1\"\n"))
            .tunnel("db", world.remote.address())
            .with_variable("AWS_ENDPOINT_URL_STS", world.sim.url())
            .with_variable("HTTPS_PROXY", proxy.url(""));
        Scene::from(user).with(proxy)
    }),
    Broken::new("an endpoint where nothing listens", "ssm-endpoint", &["refused", "`endpoints.ssm`"], |world| {
        let keys = format!("endpoints = {{ ssm = \"http://127.0.0.1:{}\" }}", free_port());
        world.user_with(&keys).into()
    }),
    Broken::new(
        "an endpoint whose name nobody knows",
        "ssm-endpoint",
        &["cannot resolve ssm.aws.invalid", "DNS"],
        |world| {
            let keys = "endpoints = { ssm = \"https://ssm.aws.invalid\" }";
            world.user_with(keys).with_variable("AWS_ENDPOINT_URL_STS", world.sim.url()).into()
        },
    ),
    Broken::new(
        "a VPC endpoint that is not there any more",
        "ssm-endpoint",
        &["VPC endpoint in `endpoints.ssm`"],
        |world| {
            let keys = "endpoints = { ssm = \"https://vpce-0a1b.ssm.us-east-1.vpce.invalid\" }";
            world.user_with(keys).with_variable("AWS_ENDPOINT_URL_STS", world.sim.url()).into()
        },
    ),
    Broken::new("an endpoint of STS without encryption", "ssm-endpoint", &["unencrypted"], |world| {
        world
            .user_with("endpoints = { ssm = \"https://127.0.0.1:1\" }")
            .with_variable("AWS_ENDPOINT_URL_STS", "http://sts.example")
            .into()
    }),
    Broken::new("a firewall that swallows what is sent", "ssm-endpoint", &["does not answer", "firewall"], |world| {
        world.alone(&json!({ "api": "silent" }))
    }),
    Broken::new("something that hangs up", "ssm-endpoint", &["does not answer", "closed"], |world| {
        world.alone(&json!({ "api": "closed" }))
    }),
    Broken::new("a proxy that refuses", "ssm-endpoint", &["HTTP 403", "allow this host"], |world| {
        world.proxied(ProxyAnswer::Refuse("403 Forbidden by policy"), true)
    }),
    Broken::new("a proxy that wants a login", "ssm-endpoint", &["HTTP 407", "http://user:password@"], |world| {
        world.proxied(ProxyAnswer::OpenFor("Basic nobody"), true)
    }),
    Broken::new("a proxy that is not there", "ssm-endpoint", &["cannot be reached", "check HTTPS_PROXY"], |world| {
        let scene = world.proxied(ProxyAnswer::Open, true);
        let nowhere = format!("http://127.0.0.1:{}", free_port());
        Scene { user: scene.user.with_variable("HTTPS_PROXY", nowhere), held: scene.held }
    }),
    Broken::new(
        "a proxy of a kind that cannot be used",
        "ssm-endpoint",
        &["HTTPS_PROXY names no proxy", "socks5"],
        |world| {
            let scene = world.proxied(ProxyAnswer::Open, true);
            Scene { user: scene.user.with_variable("HTTPS_PROXY", "socks5://127.0.0.1:1080"), held: scene.held }
        },
    ),
    Broken::new("a proxy that inspects TLS", "ssm-endpoint", &["does not trust", "AWS_CA_BUNDLE"], |world| {
        world.proxied(ProxyAnswer::Open, false)
    }),
    Broken::new(
        "a bundle of certificates that is not there",
        "ssm-endpoint",
        &["AWS_CA_BUNDLE names /nonexistent/ca.pem"],
        |world| {
            let scene = world.proxied(ProxyAnswer::Open, false);
            Scene { user: scene.user.with_variable("AWS_CA_BUNDLE", "/nonexistent/ca.pem"), held: scene.held }
        },
    ),
    Broken::new(
        "a gateway that cannot be reached",
        "messages-endpoint",
        &["refused", "`endpoints.ssmmessages`"],
        |world| {
            let (sim, port) = (world.sim.url(), free_port());
            let keys = format!("endpoints = {{ ssm = \"{sim}\", ssmmessages = \"http://127.0.0.1:{port}\" }}");
            world.user_with(&keys).into()
        },
    ),
];
