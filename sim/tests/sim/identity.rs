//! Temporary credentials: STS, the SSO portal and its tokens, and what they are good for.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use ssm_sim::{SimConfig, SimHandle};

use crate::support::{Answer, api, request, start};

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];
const ROLE: &str = "arn:aws:iam::111122223333:role/dev";

async fn assume_role(sim: &SimHandle, more: &str) -> Answer {
    let body = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=test{more}");
    request(sim, Method::POST, "/", &FORM, &body).await
}

fn element<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let (_, rest) =
        answer.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {}", answer.text));
    rest.split_once("</").unwrap().0
}

async fn role_credentials(sim: &SimHandle, token: &str) -> Answer {
    let path = "/federation/credentials?role_name=dev&account_id=111122223333";
    request(sim, Method::GET, path, &[("x-amz-sso_bearer_token", token)], "").await
}

#[tokio::test]
async fn a_role_is_assumed_and_its_credentials_expire() {
    let sim = start().await;
    sim.set_faults(&json!({ "credentials_life_s": 0.001 })).unwrap();
    let assumed = assume_role(&sim, "").await;
    assert_eq!(assumed.status, StatusCode::OK, "{}", assumed.text);
    assert!(element(&assumed, "Arn").ends_with(":assumed-role/dev/test"));
    let expires: jiff::Timestamp = element(&assumed, "Expiration").parse().unwrap();
    let key = element(&assumed, "AccessKeyId").to_owned();
    assert!(key.starts_with("ASIA"));
    while jiff::Timestamp::now() < expires {
        tokio::task::yield_now().await;
    }
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261121/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=00"
    );
    let headers = [("authorization", scope.as_str()), ("x-amz-target", "AmazonSSM.DescribeSessions")];
    let refused = request(&sim, Method::POST, "/", &headers, "{\"State\":\"Active\"}").await;
    assert_eq!(refused.error(), "ExpiredTokenException");
    let calls: Vec<_> = sim.sessions().calls.into_iter().map(|call| (call.operation, call.result)).collect();
    assert_eq!(calls[0], ("AssumeRole".to_owned(), "ok".to_owned()));
}

#[tokio::test]
async fn a_role_may_be_refused_or_want_a_code() {
    let sim = start().await;
    sim.set_faults(&json!({ "mfa_roles": [ROLE] })).unwrap();
    let refused = assume_role(&sim, "").await;
    assert_eq!((refused.status, element(&refused, "Code")), (StatusCode::FORBIDDEN, "AccessDenied"));
    assert!(element(&refused, "Message").ends_with(&format!("sts:AssumeRole on resource: {ROLE}")));
    let with_code = assume_role(&sim, "&SerialNumber=arn:aws:iam::1:mfa/ada&TokenCode=123456").await;
    assert_eq!(with_code.status, StatusCode::OK);
    sim.set_faults(&json!({ "denied_roles": [ROLE] })).unwrap();
    assert_eq!(assume_role(&sim, "&SerialNumber=a&TokenCode=1").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whose_keys_are_asked_for_is_told() {
    let sim = start().await;
    let who = request(&sim, Method::POST, "/", &FORM, "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!((who.status, element(&who, "Account")), (StatusCode::OK, "123456789012"));
    let unknown = request(&sim, Method::POST, "/", &FORM, "Action=Frobnicate").await;
    assert_eq!((unknown.status, element(&unknown, "Code")), (StatusCode::BAD_REQUEST, "InvalidAction"));
}

#[tokio::test]
async fn a_strict_simulator_wants_assume_role_signed() {
    let strict = Some(ssm_sim::SigningCredentials::new("AKID", "secret", None::<String>));
    let sim = crate::support::start_with(SimConfig { strict, ..SimConfig::default() }).await;
    let refused = assume_role(&sim, "").await;
    assert_eq!((refused.status, element(&refused, "Code")), (StatusCode::FORBIDDEN, "MissingAuthenticationToken"));
}

#[tokio::test]
async fn an_sso_token_is_exchanged_for_the_credentials_of_a_role() {
    let sim = start().await;
    let given = role_credentials(&sim, "token").await.json();
    let given = &given["roleCredentials"];
    assert!(given["accessKeyId"].as_str().unwrap().starts_with("ASIA") && given["expiration"].is_i64(), "{given}");

    sim.set_faults(&json!({ "expired_tokens": ["token"], "denied_roles": ["dev"] })).unwrap();
    for (token, status, name) in [
        ("token", StatusCode::UNAUTHORIZED, "UnauthorizedException"),
        ("", StatusCode::UNAUTHORIZED, "UnauthorizedException"),
        ("another", StatusCode::FORBIDDEN, "ForbiddenException"),
    ] {
        let refused = role_credentials(&sim, token).await;
        assert_eq!((refused.status, refused.headers["x-amzn-errortype"].to_str().unwrap()), (status, name));
    }
}

#[tokio::test]
async fn a_token_is_renewed_unless_the_login_is_over() {
    let sim = start().await;
    let renew = async |token: &str| {
        let body = json!({ "clientId": "c", "clientSecret": "s", "grantType": "refresh_token", "refreshToken": token });
        request(&sim, Method::POST, "/token", &[("content-type", "application/json")], &body.to_string()).await
    };
    let renewed: Value = renew("r").await.json();
    assert_eq!((&renewed["tokenType"], &renewed["expiresIn"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(role_credentials(&sim, renewed["accessToken"].as_str().unwrap()).await.status, StatusCode::OK);
    sim.set_faults(&json!({ "expired_tokens": ["r"] })).unwrap();
    let refused = renew("r").await;
    assert_eq!((refused.status, refused.json()["error"].clone()), (StatusCode::BAD_REQUEST, json!("invalid_grant")));
    assert_eq!(api(&sim, "DescribeSessions", json!({ "State": "Active" })).await.status, StatusCode::OK);
}
