//! A simulator for trying things out: `sim LISTEN [fast|real|AGENT_LISTEN CA_OUT [NODE]]`.
use ssm_sim::{AgentKind, Node, SimConfig, Simulator};

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let agent = match args.get(1).map(String::as_str) {
        Some(pace @ ("fast" | "real")) => AgentKind::BuiltIn(pace.parse().unwrap()),
        Some(listen) => AgentKind::External { listen: listen.parse().unwrap(), ca_out: args.get(2).map(Into::into) },
        None => AgentKind::BuiltIn(ssm_sim::AgentPace::default()),
    };
    let nodes = vec![args.get(3).map_or_else(Node::default, |node| node.parse().unwrap())];
    let config = SimConfig { listen: args[0].parse().unwrap(), agent, nodes, ..SimConfig::default() };
    let sim = Simulator::start(config).await.unwrap();
    println!("{}", sim.endpoint());
    tokio::signal::ctrl_c().await.unwrap();
    sim.shutdown().await;
}
