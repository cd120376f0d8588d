//! Places where a test build stops the process. None of this is in a build without the feature `failpoints`.

use hearth_plan::Kind;
use kube::Resource;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock, PoisonError},
};

/// Called with the phase that was hit; it ends the process.
pub type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// The annotation that makes a pass of its object panic.
pub const PANIC_ANNOTATION: &str = "hearth.dev/test-panic";

/// The annotation that stops the process in a pass of its object: `NAME@SEQ` with commas between, where SEQ is
/// `status.run.seq` at that moment. A process that comes after sees a later seq, so each stops one process only.
pub const EXIT_ANNOTATION: &str = "hearth.dev/test-exit";

/// What an object asks for, and its seq.
struct Wish {
    points: String,
    seq: i64,
}

static WISHES: Mutex<BTreeMap<String, Wish>> = Mutex::new(BTreeMap::new());

struct Armed {
    points: Mutex<Vec<Point>>,
    hook: Hook,
}

struct Point {
    name: String,
    left: u32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms the points of `spec`: `NAME:exit:N` with commas between, where N counts the hits from 1.
///
/// # Errors
/// The text is not of that form; it is given back with the reason.
pub fn arm(spec: &str, hook: Hook) -> Result<(), String> {
    let point = |text: &str| -> Result<Point, String> {
        let mut parts = text.split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(name), Some("exit"), Some(n), None) => {
                let left = n.parse().map_err(|e| format!("{text}: {e}"))?;
                Ok(Point { name: name.to_owned(), left })
            }
            _ => Err(format!("{text}: write NAME:exit:N")),
        }
    };
    let points = spec.split(',').filter(|t| !t.is_empty()).map(point).collect::<Result<_, _>>()?;
    ARMED.set(Armed { points: Mutex::new(points), hook }).map_err(|_| "armed twice".to_owned())
}

/// Notes what an object asks for, whenever its seq may have changed.
pub(crate) fn note<K: Kind>(cr: &K::Cr) {
    let meta = cr.meta();
    let points = meta.annotations.as_ref().and_then(|a| a.get(EXIT_ANNOTATION));
    let (Some(points), Some(uid)) = (points, &meta.uid) else { return };
    let status = K::status(cr).and_then(|s| serde_json::to_value(s).ok()).unwrap_or_default();
    let seq = status.pointer("/run/seq").and_then(Value::as_i64).unwrap_or(0);
    let mut wishes = WISHES.lock().unwrap_or_else(PoisonError::into_inner);
    wishes.insert(uid.clone(), Wish { points: points.clone(), seq });
}

fn wished(name: &str, uid: &str) -> Option<String> {
    let wishes = WISHES.lock().unwrap_or_else(PoisonError::into_inner);
    let wish = wishes.get(uid)?;
    let here = format!("{name}@{}", wish.seq);
    wish.points.split(',').any(|p| p.trim() == here).then_some(here)
}

/// Counts a hit, and calls the hook when it is the one that was asked for.
pub(crate) fn hit(name: &str, uid: &str) {
    let Some(armed) = ARMED.get() else { return };
    if let Some(here) = wished(name, uid) {
        (armed.hook)(&here);
    }
    let mut points = armed.points.lock().unwrap_or_else(PoisonError::into_inner);
    for point in points.iter_mut().filter(|p| p.name == name && p.left > 0) {
        point.left -= 1;
        if point.left == 0 {
            (armed.hook)(name);
        }
    }
}

/// Panics when the object asks for it.
#[expect(clippy::panic, reason = "this is the panic that the test asks for")]
pub(crate) fn panic_on(meta: &kube::api::ObjectMeta) {
    if meta.annotations.as_ref().is_some_and(|a| a.contains_key(PANIC_ANNOTATION)) {
        panic!("asked for by the annotation {PANIC_ANNOTATION}");
    }
}
