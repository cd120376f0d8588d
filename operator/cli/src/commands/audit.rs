//! `audit`: who did what by the API, or was not allowed to, and whether the trail is whole.

use super::{json, runs::since, yaml};
use crate::{
    args::{AuditArgs, Form},
    client::ApiClient,
    connect::Connected,
    error::CliError,
    record::all,
    render,
    terminal::{Terminal, show},
};
use anyhow::anyhow;
use hearth_wire::{AuditAnchor, AuditRecord, MAX_PAGE, Page, Verdict, Verifier};
use jiff::Timestamp;
use serde::Serialize;

const PATH: &str = "/api/v1/audit";

/// `namespace` is the one that the command line names, if it does.
pub async fn audit(connected: &mut Connected, args: &AuditArgs, namespace: Option<&str>) -> Result<(), CliError> {
    if args.verify {
        return verify(&mut connected.api, args).await;
    }
    let now = Timestamp::now();
    let mut query = Vec::new();
    query.extend(namespace.map(|n| ("namespace", n.to_owned())));
    query.extend(args.who.clone().map(|who| ("who", who)));
    query.extend(args.refused.then(|| ("allowed", "false".to_owned())));
    query.extend(since(args.since.as_deref(), now)?.map(|t| ("from", t.to_string())));
    let records: Vec<AuditRecord> = all(&mut connected.api, PATH, &query, args.limit).await?;
    match args.output {
        Form::Table if records.is_empty() => {
            eprintln!("No records found.");
            Ok(())
        }
        Form::Table => show(&render::audit(&records, Terminal::of_stdout().width, now)),
        Form::Json => json(&Page { items: records, next: None }),
        Form::Yaml => yaml(&Page { items: records, next: None }),
    }
}

/// What a check found, and the hash to note.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    verdict: Verdict,
    newest: Option<String>,
}

/// Every record is read and its hash recomputed here: what the operator says of them is not taken on trust.
async fn verify(api: &mut ApiClient, args: &AuditArgs) -> Result<(), CliError> {
    // What is written while it is read may lead to records that were passed already.
    let newest: Page<AuditRecord> = api.get(PATH, &[("limit", "1".to_owned())]).await?;
    let newest = newest.items.into_iter().next();
    let anchors: Vec<AuditAnchor> = all(api, &format!("{PATH}/anchors"), &[], u32::MAX).await?;
    let mut verifier = Verifier::new(newest.as_ref().map(|r| r.at), &anchors);
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", MAX_PAGE.to_string())];
        query.extend(cursor.take().map(|c| ("cursor", c)));
        let page: Page<AuditRecord> = api.get(&format!("{PATH}/chain"), &query).await?;
        page.items.into_iter().for_each(|r| verifier.take(r));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let checked = Checked { verdict: verifier.finish(args.expect.as_deref()), newest: newest.map(|r| r.hash) };
    match args.output {
        Form::Table => {
            show(&render::verdict(&checked.verdict, checked.newest.as_deref(), Terminal::of_stdout().width))?
        }
        Form::Json => json(&checked)?,
        Form::Yaml => yaml(&checked)?,
    }
    if checked.verdict.faults.is_empty() {
        Ok(())
    } else {
        Err(CliError::Other(anyhow!("the audit trail is not whole")))
    }
}
