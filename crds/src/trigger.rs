//! Run objects: Workflows that ask for one run of another. Somebody's trigger makes one, or a step of another Workflow does.
//!
//! The name follows from the id of the trigger, so that the same trigger makes the same object however often it is sent. Only
//! an object with that name *and* the annotations is one: nothing that is kept in git deletes itself.

use crate::annotation;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// The shortest `ttl`, so that whoever waits for the run can read how it ended.
pub const SHORTEST_TTL: Duration = Duration::from_secs(600);
/// How much of the target's name the object's name shows.
const SHOWN: usize = 41;
/// Bytes of the hash that the name shows, each as two digits.
const HASHED: usize = 5;

/// The name of the object that `id` asks a run of `target` by; `scope` is the UID of the object within which ids are unique:
/// the target itself, or the Workflow whose step it is.
#[must_use]
pub fn name(target: &str, scope: &str, id: &str) -> String {
    let shown: String = target.chars().take(SHOWN).collect();
    let shown = shown.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut name = format!("{shown}-");
    for byte in Sha256::digest(format!("{scope}\n{id}")).iter().take(HASHED) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The annotations that say so.
#[must_use]
pub fn annotations(scope: &str, id: &str, by: &str) -> BTreeMap<String, String> {
    [(annotation::TRIGGER_ID, id), (annotation::TRIGGER_SCOPE, scope), (annotation::REQUESTED_BY, by)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The id of the trigger of a run object of `target`; None when the object is none.
#[must_use]
pub fn id_of<'a>(meta: &'a ObjectMeta, target: &str) -> Option<&'a str> {
    let id = annotated(meta, annotation::TRIGGER_ID)?;
    let scope = annotated(meta, annotation::TRIGGER_SCOPE)?;
    (meta.name.as_deref()? == name(target, scope, id)).then_some(id)
}

/// The value of an annotation.
#[must_use]
pub fn annotated<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The attempt of a step that a run object works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Id of the run.
    pub run: String,
    /// Name of the step.
    pub step: String,
    /// The item, when the step has several.
    pub item: Option<u32>,
    /// Number of the attempt.
    pub attempt: u32,
}

impl Caller {
    /// The id of its trigger.
    #[must_use]
    pub fn id(&self) -> String {
        let item = self.item.map_or_else(|| "-".to_owned(), |item| item.to_string());
        format!("{}/{}/{item}/{}", self.run, self.step, self.attempt)
    }

    /// Reads the id of a trigger.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        let mut parts = id.split('/');
        let (run, step, item, attempt) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let item = if item == "-" { None } else { Some(item.parse().ok()?) };
        let caller = Self { run: run.to_owned(), step: step.to_owned(), item, attempt: attempt.parse().ok()? };
        parts.next().is_none().then_some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::is_dns_label;

    #[test]
    fn names_are_short_and_stable() {
        let long = "a".repeat(40) + "-" + &"b".repeat(11);
        let name = name(&long, "u", "id");
        assert_eq!(name, format!("{}-8cc47faeaf", "a".repeat(40)));
        assert!(name.len() <= 52 && is_dns_label(&name));
        assert_ne!(super::name("t", "u", "1"), super::name("t", "u", "2"));
        assert_ne!(super::name("t", "u", "1"), super::name("t", "v", "1"));
    }

    #[test]
    fn an_object_is_one_by_name_and_annotations() {
        let meta = |name: String, annotations| ObjectMeta {
            name: Some(name),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        };
        let right = meta(name("t", "u", "7"), annotations("u", "7", "ada"));
        assert_eq!(id_of(&right, "t"), Some("7"));
        assert_eq!(id_of(&right, "other"), None, "it runs something else");
        assert_eq!(id_of(&meta("t-copy".into(), annotations("u", "7", "ada")), "t"), None, "a copy by another name");
        assert_eq!(id_of(&meta(name("t", "u", "7"), BTreeMap::new()), "t"), None);
    }

    #[test]
    fn callers_are_read_as_written() {
        for item in [None, Some(12)] {
            let caller = Caller { run: "r".into(), step: "sub".into(), item, attempt: 2 };
            assert_eq!(Caller::read(&caller.id()), Some(caller));
        }
        for odd in ["", "r/s/-", "r/s/x/1", "r/s/-/1/2", "ada's own id"] {
            assert_eq!(Caller::read(odd), None, "{odd}");
        }
    }
}
