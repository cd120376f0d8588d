//! Places where a test build stops the process. None of this is in a build without the feature `failpoints`.

use std::sync::{Mutex, OnceLock, PoisonError};

/// Called with the phase that was hit; it ends the process.
pub type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// The annotation that makes a pass of its object panic.
pub const PANIC_ANNOTATION: &str = "hearth.dev/test-panic";

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

/// Counts a hit, and calls the hook when it is the one that was asked for.
pub(crate) fn hit(name: &str) {
    let Some(armed) = ARMED.get() else { return };
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
