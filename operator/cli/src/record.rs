//! What the commands read of the record.

use crate::{
    args::RunRef,
    client::{ApiClient, segment},
    error::CliError,
};
use hearth_wire::{MAX_PAGE, Page, Run, RunSummary, Step};
use serde::de::DeserializeOwned;

/// The path of a run.
pub fn path(run: &Run) -> String {
    format!("/api/v1/runs/{}", segment(&run.summary.id))
}

/// The run that the command line names.
pub async fn find(api: &mut ApiClient, namespace: &str, wanted: &RunRef) -> Result<Run, CliError> {
    find_words(api, namespace, &wanted.run).await
}

/// The run that these words name.
pub async fn find_words(api: &mut ApiClient, namespace: &str, words: &[String]) -> Result<Run, CliError> {
    let id = match wanted_run(words)? {
        Wanted::Id(id) => id,
        Wanted::NewestOf(name) => {
            let path = format!("/api/v1/workflows/{}/{}/runs", segment(namespace), segment(&name));
            let page: Page<RunSummary> = api.get(&path, &[("limit", "1".to_owned())]).await?;
            let newest = page.items.into_iter().next().map(|r| r.id);
            newest.ok_or_else(|| {
                CliError::NotFound(format!(
                    "there is no run of a Workflow {name:?} in namespace {namespace}; see: kubectl hearth runs -n {namespace}"
                ))
            })?
        }
    };
    api.get(&format!("/api/v1/runs/{}", segment(&id)), &[]).await
}

/// All attempts of a run.
pub async fn steps(api: &mut ApiClient, run: &Run) -> Result<Vec<Step>, CliError> {
    all(api, &format!("{}/steps", path(run)), &[], u32::MAX).await
}

/// Page after page until `limit`.
pub async fn all<T: DeserializeOwned>(
    api: &mut ApiClient,
    path: &str,
    query: &[(&str, String)],
    limit: u32,
) -> Result<Vec<T>, CliError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found: Vec<T> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let left = u32::try_from(limit.saturating_sub(found.len())).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let mut query = query.to_vec();
        query.push(("limit", left.to_string()));
        query.extend(cursor.take().map(|c| ("cursor", c)));
        let page: Page<T> = api.get(path, &query).await?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || found.len() >= limit {
            return Ok(found);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Id(String),
    NewestOf(String),
}

/// `ID`, `run/ID`, `workflow NAME` or `workflow/NAME`, as kubectl takes them.
fn wanted_run(words: &[String]) -> Result<Wanted, CliError> {
    let is_kind = |word: &str| ["workflow", "workflows", "hwf"].contains(&word);
    let is_run = |kind: &str, id: &str| ["run", "runs"].contains(&kind) && looks_like_id(id);
    match words {
        [kind, name] if is_kind(kind) => Ok(Wanted::NewestOf(name.clone())),
        [kind, id] if is_run(kind, id) => Ok(Wanted::Id(id.clone())),
        [word] => match word.split_once('/') {
            Some((kind, name)) if is_kind(kind) => Ok(Wanted::NewestOf(name.to_owned())),
            Some((kind, id)) if is_run(kind, id) => Ok(Wanted::Id(id.to_owned())),
            None if looks_like_id(word) => Ok(Wanted::Id(word.clone())),
            Some(_) | None => Err(CliError::Usage(format!(
                "{word:?} is not the id of a run; for the newest run of a Workflow say: workflow/{}",
                word.rsplit('/').next().unwrap_or(word)
            ))),
        },
        _ => Err(CliError::Usage("name a run by its id, or say: workflow NAME".to_owned())),
    }
}

fn looks_like_id(word: &str) -> bool {
    word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn runs_are_named_as_kubectl_names_things() {
        let id = "01993b6a-7c00-7000-8000-000000000001";
        for text in [id.to_owned(), format!("run/{id}"), format!("run {id}")] {
            assert_eq!(wanted_run(&words(&text)).unwrap(), Wanted::Id(id.to_owned()), "{text}");
        }
        for text in ["workflow co2", "hwf co2", "workflows/co2", "workflow/co2"] {
            assert_eq!(wanted_run(&words(text)).unwrap(), Wanted::NewestOf("co2".to_owned()), "{text}");
        }
        for text in ["co2", "pod co2", "pod/co2", "run/co2", "a b c"] {
            assert!(matches!(wanted_run(&words(text)), Err(CliError::Usage(_))), "{text}");
        }
    }
}
