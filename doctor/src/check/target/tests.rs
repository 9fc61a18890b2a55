use super::*;
use crate::check::fixture::tunnel;
use std::time::{Duration, UNIX_EPOCH};
use tunnels_daemon::aws::TagFilter;

const ID: &str = "i-0123456789abcdef0";
const OTHER: &str = "i-0fedcba9876543210";

fn node(id: &str, ping: &str) -> Node {
    Node {
        id: id.into(),
        ping: ping.into(),
        last_ping: Some(UNIX_EPOCH + Duration::from_mins(10)),
        agent_version: Some("3.3.987.0".into()),
    }
}

fn by_id(nodes: Result<Vec<Node>, AwsError>, connected: Result<bool, AwsError>) -> Seen {
    Seen { candidate: Candidate::Id(ID.into()), nodes, connected: vec![(ID.into(), connected)] }
}

fn by_tag(nodes: Vec<Node>, connected: &[(&str, bool)]) -> Seen {
    let tag = TagFilter { key: "Name".into(), value: "bastion".into() };
    let connected = connected.iter().map(|(id, is)| ((*id).to_owned(), Ok(*is))).collect();
    Seen { candidate: Candidate::Tag(tag), nodes: Ok(nodes), connected }
}

fn judged(seen: &[Seen]) -> Outcome {
    let who = Identity { account: "123456789012".into(), arn: "arn".into() };
    let place = Place { region: "eu-west-1", account: Some("123456789012") };
    judge(seen, About { tunnel: &tunnel(""), place, who: Some(&who), now: UNIX_EPOCH + Duration::from_hours(3) })
}

fn denied() -> AwsError {
    AwsError::AccessDenied(
        "User: a is not authorized to perform: ssm:DescribeInstanceInformation on resource: *".into(),
    )
}

#[test]
fn a_node_is_there_or_it_is_said_what_is_wrong_with_it() {
    for (nodes, connected, verdict, says) in [
        (Ok(vec![node(ID, "Online")]), Ok(true), Verdict::Ok, "is connected in eu-west-1 of account 123456789012"),
        // The inventory may be minutes behind.
        (Ok(vec![node(ID, "ConnectionLost")]), Ok(true), Verdict::Ok, "is connected"),
        (Ok(vec![node(ID, "Online")]), Ok(false), Verdict::Fail, "channel for sessions is not open"),
        (Ok(vec![node(ID, "ConnectionLost")]), Ok(false), Verdict::Fail, "is not online"),
        (Ok(vec![]), Ok(false), Verdict::Fail, "there is no managed node"),
        (Err(denied()), Ok(true), Verdict::Ok, "is connected"),
        (Err(denied()), Ok(false), Verdict::Fail, "is not connected to Systems Manager"),
        (Err(denied()), Err(denied()), Verdict::Ok, "a session will show"),
    ] {
        let outcome = judged(&[by_id(nodes.clone(), connected.clone())]);
        let context = format!("{nodes:?} {connected:?}: {:?}", outcome.finding);
        assert_eq!(outcome.finding.verdict, verdict, "{context}");
        assert!(outcome.finding.text.contains(says), "{context}");
        assert_eq!(outcome.carrier.is_some(), verdict == Verdict::Ok, "{context}");
        assert_eq!(outcome.finding.next.is_some(), verdict == Verdict::Fail, "{context}");
    }
    let lost = judged(&[by_id(Ok(vec![node(ID, "ConnectionLost")]), Ok(false))]).finding;
    assert_eq!(lost.evidence.as_deref(), Some("its ping status is ConnectionLost, last heard of 2 h ago"));
}

#[test]
fn a_tag_finds_one_or_is_told_to_be_ambiguous() {
    let both = || vec![node(ID, "Online"), node(OTHER, "Online")];
    for (nodes, connected, verdict, says, carrier) in [
        (vec![node(ID, "Online")], vec![(ID, true)], Verdict::Ok, "is connected", Some(ID)),
        (
            both(),
            vec![(ID, true), (OTHER, true)],
            Verdict::Warn,
            "2 nodes that are online have tag:Name=bastion",
            Some(ID),
        ),
        (both(), vec![(ID, false), (OTHER, true)], Verdict::Warn, "carries the tunnel", Some(OTHER)),
        (both(), vec![(ID, false), (OTHER, false)], Verdict::Fail, "channel for sessions is not open", None),
        (vec![node(ID, "Online"), node(OTHER, "Inactive")], vec![(ID, true)], Verdict::Ok, "is connected", Some(ID)),
        (vec![node(ID, "ConnectionLost")], vec![], Verdict::Fail, "the node with tag:Name=bastion, i-0123", None),
        (vec![node(ID, "Inactive"), node(OTHER, "Inactive")], vec![], Verdict::Fail, "none of the 2 nodes", None),
        (vec![], vec![], Verdict::Fail, "no managed node has the tag Name=bastion", None),
    ] {
        let outcome = judged(&[by_tag(nodes.clone(), &connected)]);
        let context = format!("{nodes:?} {connected:?}: {:?}", outcome.finding);
        assert_eq!(outcome.finding.verdict, verdict, "{context}");
        assert!(outcome.finding.text.contains(says), "{context}");
        assert_eq!(outcome.carrier.map(|(id, _)| id).as_deref(), carrier, "{context}");
    }
}

#[test]
fn who_may_not_list_nodes_needs_that_for_a_tag() {
    let seen = Seen { nodes: Err(denied()), ..by_tag(vec![], &[]) };
    let outcome = judged(&[seen]);
    assert_eq!((outcome.finding.check, outcome.finding.verdict), (Check::Permission, Verdict::Fail));
    assert_eq!(outcome.finding.policy.unwrap()["Action"], "ssm:DescribeInstanceInformation");
}

#[test]
fn the_next_candidate_takes_over_and_is_named() {
    let gone = || by_id(Ok(vec![]), Ok(false));
    let outcome = judged(&[gone(), by_tag(vec![node(OTHER, "Online")], &[(OTHER, true)])]);
    assert_eq!(outcome.finding.verdict, Verdict::Warn);
    assert!(outcome.finding.text.ends_with(&format!("{OTHER} carries the tunnel instead")), "{}", outcome.finding.text);
    let none = judged(&[gone(), by_tag(vec![], &[])]);
    assert_eq!((none.finding.verdict, none.carrier), (Verdict::Fail, None));
    assert!(none.finding.evidence.unwrap().contains("nor the others: no managed node has the tag"));
}
