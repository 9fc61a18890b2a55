//! Fixed vectors, none of them made by the code under test: AWS's published test suite, and signatures computed with a
//! separate script (Python's `hmac` and `urllib`, with Go's reading of the query).

use std::time::{Duration, SystemTime};

use super::*;
use crate::{sign_upgrade, signing::SERVICE, stream_url::StreamUrl};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE//token==";

/// A raw `+`, `/` and `=` in `cell-number`, as the service writes it.
const TARGET: &str = "/v1/data-channel/jane-0123456789abcdef0?role=publish_subscribe&cell-number=AAEAAa+b/c9d==";
const HOST: &str = "ssmmessages.eu-west-1.amazonaws.com";
const TIME: &str = "20261121T060000Z";
const TIME_UNIX: u64 = 1_795_240_800;
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/ssmmessages/aws4_request, \
                      SignedHeaders=host;x-amz-date, \
                      Signature=2c10930d302e8e07f562da538bed370c1f4c132728527ab478898d3840aef971";
const SIGNED_WITH_TOKEN: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/ssmmessages/aws4_request, \
                                 SignedHeaders=host;x-amz-date;x-amz-security-token, \
                                 Signature=424b6650fea59873d8c5ca7cbe485f8d6fff0aec1dc77268aaa603a54945e51c";

fn credentials(token: Option<&str>) -> SigningCredentials {
    SigningCredentials::new(ACCESS_KEY, SECRET_KEY, token)
}

fn check(
    target: &str,
    headers: &[(&str, &str)],
    credentials: &SigningCredentials,
    service: &str,
) -> Result<(), VerifyError> {
    let body_sha256 = sha256_hex(b"");
    verify(&Request { method: "GET", target, headers, body_sha256: &body_sha256 }, credentials, service)
}

#[test]
fn the_published_vanilla_vector_is_accepted() {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                         SignedHeaders=host;x-amz-date, \
                         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let headers = [
        ("Host", "example.amazonaws.com"),
        ("X-Amz-Date", "20150830T123600Z"),
        ("Authorization", authorization),
        ("Not-Signed", "x"),
    ];
    assert_eq!(check("/", &headers, &credentials(None), "service"), Ok(()));
}

#[test]
fn a_raw_plus_is_signed_as_a_space() {
    let headers = [("host", HOST), ("x-amz-date", TIME), ("authorization", SIGNED)];
    assert_eq!(check(TARGET, &headers, &credentials(None), SERVICE), Ok(()));
    assert_eq!(canonical_query("b=1&a=x+y/z%2B%zz==&a=&c"), "a=&a=x%20y%2Fz%2B%25zz%3D%3D&b=1&c=");
}

#[test]
fn the_signer_gives_the_same_signatures() {
    let url = StreamUrl::parse(&format!("wss://{HOST}{TARGET}")).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TIME_UNIX);
    let plain = sign_upgrade(&url, &credentials(None), "eu-west-1", time).unwrap();
    assert_eq!(plain["authorization"], SIGNED);
    assert_eq!(plain["x-amz-date"], TIME);
    assert!(!plain.contains_key("x-amz-security-token"));
    let temporary = sign_upgrade(&url, &credentials(Some(TOKEN)), "eu-west-1", time).unwrap();
    assert_eq!(temporary["authorization"], SIGNED_WITH_TOKEN);
    assert_eq!(temporary["x-amz-security-token"], TOKEN);
    assert!(!format!("{temporary:?}").contains(TOKEN), "headers show the token");
}

#[test]
fn what_the_signer_signs_the_verifier_accepts() {
    for target in ["/v1/data-channel/a%20b?x=%2B+&y=~*", "/v1/data-channel/s?cell-number=+/=", "/p"] {
        let url = StreamUrl::parse(&format!("ws://127.0.0.1:8129{target}")).unwrap();
        let credentials = credentials(Some(TOKEN));
        let signed = sign_upgrade(&url, &credentials, "us-east-1", SystemTime::now()).unwrap();
        let mut headers = vec![("Host", "127.0.0.1:8129")];
        headers.extend(signed.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())));
        assert_eq!(check(target, &headers, &credentials, SERVICE), Ok(()), "{target}");
    }
}

#[test]
fn what_does_not_match_is_refused() {
    let good = [("host", HOST), ("x-amz-date", TIME), ("authorization", SIGNED)];
    let encoded_plus = TARGET.replace('+', "%2B");
    assert_eq!(check(&encoded_plus, &good, &credentials(None), SERVICE), Err(VerifyError::Mismatch));
    let other_secret = SigningCredentials::new(ACCESS_KEY, "other", None::<String>);
    assert_eq!(check(TARGET, &good, &other_secret, SERVICE), Err(VerifyError::Mismatch));
    let other_key = SigningCredentials::new("AKIDOTHER", SECRET_KEY, None::<String>);
    assert_eq!(check(TARGET, &good, &other_key, SERVICE), Err(VerifyError::Scope("access key")));
    assert_eq!(check(TARGET, &good, &credentials(None), "ssm"), Err(VerifyError::Scope("service")));
    let other_day = [("host", HOST), ("x-amz-date", "20261122T060000Z"), ("authorization", SIGNED)];
    assert_eq!(check(TARGET, &other_day, &credentials(None), SERVICE), Err(VerifyError::Scope("day")));
    assert_eq!(check(TARGET, &good[..2], &credentials(None), SERVICE), Err(VerifyError::Unsigned));
    assert!(matches!(check(TARGET, &good, &credentials(Some(TOKEN)), SERVICE), Err(VerifyError::MissingHeader(_))));
    let unsigned_token = [("x-amz-security-token", TOKEN)].into_iter().chain(good).collect::<Vec<_>>();
    let refused = check(TARGET, &unsigned_token, &credentials(Some(TOKEN)), SERVICE);
    assert_eq!(refused, Err(VerifyError::MissingHeader("x-amz-security-token".to_owned())));
}

#[test]
fn malformed_headers_are_refused() {
    for bad in [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/other, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Nonsense=host, Signature=00",
    ] {
        assert_eq!(Authorization::parse(bad), Err(VerifyError::Malformed), "{bad}");
    }
    let odd = SIGNED.replace("2c10930d", "2c10930");
    let headers = [("host", HOST), ("x-amz-date", TIME), ("authorization", odd.as_str())];
    assert_eq!(check(TARGET, &headers, &credentials(None), SERVICE), Err(VerifyError::Malformed));
}

#[test]
fn debug_hides_the_secrets() {
    let shown = format!("{:?}", credentials(Some(TOKEN)));
    assert!(shown.contains(ACCESS_KEY) && !shown.contains(SECRET_KEY) && !shown.contains(TOKEN), "{shown}");
}
