//! What lists are narrowed by.

use hearth_crds::time::Time;
use std::{collections::BTreeMap, time::Duration};

/// Which runs a list shows. What is None or empty does not narrow it, unless its text says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFilter {
    /// Kind of the object.
    pub kind: Option<String>,
    /// Namespaces that may be seen: None is all, an empty list is none at all.
    pub namespaces: Option<Vec<String>>,
    /// UIDs of namespaces that may be seen, beside their names: None is all, an empty list is none at all.
    /// A list with the empty text also shows rows whose namespace's UID was not known.
    pub namespace_uids: Option<Vec<String>>,
    /// Name of the object.
    pub name: Option<String>,
    /// UID of the object.
    pub uid: Option<String>,
    /// Phases, in the store's words.
    pub phases: Vec<String>,
    /// Reason of the run.
    pub reason: Option<String>,
    /// Failure class: runs of which an attempt ended with that class.
    pub class: Option<String>,
    /// What started it.
    pub trigger: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Labels of the object, all of them.
    pub labels: BTreeMap<String, String>,
    /// Params by their value as text, all of them.
    pub params: BTreeMap<String, String>,
    /// Started at or after.
    pub from: Option<Time>,
    /// Started before.
    pub to: Option<Time>,
    /// Took at least as long; runs without an end are left out.
    pub min_duration: Option<Duration>,
}

/// The order of a list of runs, always by (start, id).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// Narrows by everything: a test prepares what comes of it.
#[cfg(test)]
pub(crate) fn filled() -> RunFilter {
    RunFilter {
        kind: Some("Workflow".into()),
        namespaces: Some(vec!["a".into(), "b".into()]),
        namespace_uids: Some(vec!["u".into()]),
        name: Some("n".into()),
        uid: Some("u".into()),
        phases: vec!["Failed".into()],
        reason: Some("r".into()),
        class: Some("Application".into()),
        trigger: Some("Changed".into()),
        owner: Some("o".into()),
        labels: [("l".to_owned(), "v".to_owned())].into(),
        params: [("p".to_owned(), "v".to_owned()), ("q".to_owned(), "w".to_owned())].into(),
        from: Some(Time::from_millis(0)),
        to: Some(Time::from_millis(1)),
        min_duration: Some(Duration::from_secs(1)),
    }
}
