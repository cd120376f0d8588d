//! `usage`: what runs asked for, by namespace and owner.

use super::{
    json,
    runs::{in_flags, since},
    yaml,
};
use crate::{
    args::{Form, UsageArgs},
    connect::Connected,
    error::CliError,
    render,
    terminal::{Terminal, show},
};
use hearth_wire::Usage;
use jiff::Timestamp;

pub async fn usage(connected: &mut Connected, args: &UsageArgs) -> Result<(), CliError> {
    let now = Timestamp::now();
    let mut query = Vec::new();
    if !args.all_namespaces {
        query.push(("namespace", connected.namespace.clone()));
    }
    query.extend(since(Some(&args.since), now)?.map(|t| ("from", t.to_string())));
    let usage: Usage =
        connected.api.get("/api/v1/usage", &query).await.map_err(|e| in_flags(e, args.all_namespaces))?;
    match args.output {
        Form::Table if usage.items.is_empty() => {
            eprintln!("No run started within {}.", args.since);
            Ok(())
        }
        Form::Table => show(&render::usage(&usage, Terminal::of_stdout().width)),
        Form::Json => json(&usage),
        Form::Yaml => yaml(&usage),
    }
}
