//! `tree`: the steps of a run as a tree.

use super::{json, yaml};
use crate::{
    args::{DescribeArgs, Output},
    connect::Connected,
    error::CliError,
    graph::{Graph, tree as placed},
    record::{find, steps},
    render,
    terminal::{Terminal, put, show},
};
use jiff::Timestamp;

pub async fn tree(connected: &mut Connected, args: &DescribeArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await.map_err(without_the_record)?;
    let steps = steps(api, &run).await?;
    let graph = Graph::recorded(&run, &steps);
    let width = Terminal::of_stdout().width;
    match args.output {
        Output::Table => show(&render::graph(&graph, false, width, Timestamp::now())),
        Output::Wide => show(&render::graph(&graph, true, width, Timestamp::now())),
        Output::Name => {
            let names = placed(&graph.steps);
            let names = names.iter().filter_map(|p| graph.steps.get(p.index));
            put(&names.map(|s| format!("step/{}\n", s.name)).collect::<String>())
        }
        Output::Json => json(&graph),
        Output::Yaml => yaml(&graph),
    }
}

/// The record may be away while the run goes on.
fn without_the_record(error: CliError) -> CliError {
    match error {
        CliError::Away(detail) => {
            CliError::Away(format!("{detail}; the cluster itself shows a run: kubectl hearth watch WORKFLOW"))
        }
        other => other,
    }
}
