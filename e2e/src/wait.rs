//! Waiting for something to be so, never for time to pass.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks until the answer is `Some`, for at most `limit`. An error ends the waiting.
///
/// # Errors
/// Looking failed, or it was not so in time.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = look()? {
            return Ok(answer);
        }
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}

/// The same for looks that may fail for a while, for example while the API server is away.
///
/// # Errors
/// It was not so in time; the last trouble is named.
pub fn until_despite_errors<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    let mut trouble = String::new();
    loop {
        match look() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(error) => trouble = format!("; last trouble: {error:#}"),
        }
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s{trouble}", limit.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}
