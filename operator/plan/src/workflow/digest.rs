//! Digests and names: what is the same must be named the same, by every process and every version.

use hearth_crds::{
    name::{child_name, digest_hex},
    time::Time,
    workflow::WorkflowSpec,
};
use serde_json::Value;

/// The version that new digests are made in.
pub const DIGEST_VERSION: &str = "v1";

/// The run-affecting fields of a spec as the user wrote them: all but the day-2 fields, when runs start, and what stays after
/// them.
#[must_use]
pub fn run_affecting(spec: &WorkflowSpec) -> Value {
    let pinned = WorkflowSpec {
        run_policy: None,
        schedules: Vec::new(),
        concurrency: None,
        keep_pods: None,
        ttl: None,
        suspend: None,
        rerun: None,
        cancel: None,
        approve: Vec::new(),
        ..spec.clone()
    };
    serde_json::to_value(pinned).unwrap_or(Value::Null)
}

/// The digest of the schedules.
#[must_use]
pub fn schedules_digest(spec: &WorkflowSpec) -> String {
    digest_of(&serde_json::to_value(&spec.schedules).unwrap_or(Value::Null))
}

/// `v1:hex` over the canonical JSON of the run-affecting fields.
#[must_use]
pub fn digest_of(run_affecting: &Value) -> String {
    let mut text = String::new();
    canonical(run_affecting, &mut text);
    format!("{DIGEST_VERSION}:{}", digest_hex(&[&text], 16))
}

/// `v1:hex` over the canonical JSON of what work depends on.
#[must_use]
pub fn work_key(work: &Value) -> String {
    let mut text = String::new();
    canonical(work, &mut text);
    format!("{DIGEST_VERSION}:{}", digest_hex(&["work", &text], 32))
}

/// The digest of a spec.
#[must_use]
pub fn spec_digest(spec: &WorkflowSpec) -> String {
    digest_of(&run_affecting(spec))
}

/// JSON with sorted keys and no spaces.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.iter().collect();
            keys.sort_by_key(|(k, _)| k.as_str());
            out.push('{');
            for (i, (key, item)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(item, out);
            }
            out.push('}');
        }
    }
}

/// UUIDv7 (RFC 9562): the time bits are those of `started_at`, the rest is a hash, so that the same start has the same id.
#[must_use]
pub fn run_id(cluster: &str, uid: &str, number: i64, started_at: Time) -> String {
    let hex = digest_hex(&["run", cluster, uid, &number.to_string(), &started_at.to_string()], 10);
    let mut random = [0u8; 10];
    for (byte, pair) in random.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()).unwrap_or(0);
    }
    let millis = u64::try_from(started_at.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

/// Name of the pod of an attempt, from the object's uid, the run, the step, its item if it has several, and the attempt.
#[must_use]
pub fn pod_name(workflow: &str, uid: &str, run_id: &str, step: &str, item: Option<u32>, attempt: u32) -> String {
    let which = item.map(|index| format!("-{index}")).unwrap_or_default();
    let index = item.unwrap_or(0).to_string();
    child_name(&format!("{workflow}-{step}{which}"), &["pod", uid, run_id, step, &index, &attempt.to_string()])
}

/// Where randomness of a step begins: the same for every attempt. Below 2⁵³, so that every reader of JSON keeps it whole.
#[must_use]
pub fn seed(run_id: &str, step: &str, item: Option<u32>) -> u64 {
    let index = item.unwrap_or(0).to_string();
    let hex = digest_hex(&["seed", run_id, step, &index], 8);
    u64::from_str_radix(&hex, 16).unwrap_or(0) >> 11
}

/// Name of the ControllerRevision that pins a spec.
#[must_use]
pub fn revision_name(workflow: &str, uid: &str, digest: &str) -> String {
    child_name(workflow, &["spec", uid, digest])
}

/// Name of the ControllerRevision that holds a final record until the store is back.
#[must_use]
pub fn spool_name(workflow: &str, uid: &str, run_id: &str) -> String {
    child_name(workflow, &["spool", uid, run_id])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::{
        duration::DurationText,
        workflow::{Concurrency, Schedule, Step},
    };

    #[test]
    fn day_two_fields_change_no_digest() {
        let spec = WorkflowSpec { image: Some("a".into()), ..WorkflowSpec::default() };
        let daily = Schedule { cron: "0 6 * * *".into(), time_zone: None, starting_deadline: None };
        for (what, same) in [
            ("suspend", WorkflowSpec { suspend: Some(true), ..spec.clone() }),
            ("when runs start", WorkflowSpec { schedules: vec![daily], ..spec.clone() }),
            ("how they follow each other", WorkflowSpec { concurrency: Some(Concurrency::Replace), ..spec.clone() }),
            ("when the object goes", WorkflowSpec { ttl: Some(DurationText("2h".into())), ..spec.clone() }),
        ] {
            assert_eq!(spec_digest(&spec), spec_digest(&same), "{what} is no matter of a run");
        }
        let other = WorkflowSpec { image: Some("b".into()), ..spec.clone() };
        assert_ne!(spec_digest(&spec), spec_digest(&other));
    }

    #[test]
    fn the_digest_of_a_spec_never_changes() {
        let step = Step { name: "s".into(), ..Step::default() };
        let spec = WorkflowSpec { image: Some("a".into()), steps: vec![step], ..WorkflowSpec::default() };
        assert_eq!(spec_digest(&spec), "v1:a34f19af6830741ca958db81ed704a24");
    }

    #[test]
    fn run_ids_carry_their_time() {
        let at = Time::from_millis(1_795_000_000_123);
        let id = run_id("c", "u", 1, at);
        let parsed = uuid::Uuid::parse_str(&id).unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_eq!(parsed.get_timestamp().unwrap().to_unix(), (1_795_000_000, 123_000_000));
        assert_ne!(id, run_id("c", "u", 2, at));
    }
}
