//! Trying again, for a while.

use crate::{failure::Failure, say::say};
use hearth_contract::exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);
/// How soon a request to stop is noticed in a pause.
const NOTICE: Duration = Duration::from_millis(50);

/// Why a try failed.
#[derive(Debug)]
pub enum Trouble {
    /// It may work later.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// How long it is tried, and whether somebody asked to stop.
pub struct Patience {
    end: Instant,
    length: Duration,
    stop: Arc<AtomicBool>,
}

impl Patience {
    /// For that long from now, and not after SIGTERM or SIGINT: they end the process.
    pub fn until_stopped(length: Duration) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(true));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_conditional_shutdown(signal, exit::STOPPED.into(), Arc::clone(&stop))?;
        }
        Ok(Self { end: Instant::now() + length, length, stop: Arc::default() })
    }

    /// For that long from now. SIGTERM and SIGINT end the process no more: they mean that the try under way is the last.
    pub fn finishing(length: Duration) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { end: Instant::now() + length, length, stop })
    }

    /// Counts from now on.
    pub fn begin(self) -> Self {
        Self { end: Instant::now() + self.length, ..self }
    }

    /// Does it until it is done, will never be, or time is up. `what` is named in the failure.
    pub fn with<T>(&self, what: &str, mut work: impl FnMut() -> Result<T, Trouble>) -> Result<T, Failure> {
        let mut pause = FIRST;
        loop {
            let why = match work() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(why)) => return Err(Failure::Io(format!("{what}: {why}"))),
                Err(Trouble::Passing(why)) => why,
            };
            let next = jittered(pause);
            if Instant::now() + next > self.end {
                return Err(Failure::Again(format!("{what}: {why} (tried for {} s)", self.length.as_secs())));
            }
            say(format_args!("{what}: {why} (next try in {} ms)", next.as_millis()));
            if self.stopped_within(next) {
                return Err(Failure::Stopped(format!("{what}: {why} (told to stop)")));
            }
            pause = pause.saturating_mul(2).min(LONGEST);
        }
    }

    fn stopped_within(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(NOTICE));
        }
    }
}

/// Between half and all of it, so that many pods do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(()) % 1000;
    pause / 2 + pause.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(length: Duration) -> Patience {
        Patience { end: Instant::now() + length, length, stop: Arc::default() }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_lasts_is_not() {
        let mut tries = 0;
        let done = patience(Duration::from_secs(10)).with("x", || {
            tries += 1;
            if tries < 3 { Err(Trouble::Passing("away".to_owned())) } else { Ok(tries) }
        });
        assert_eq!(done.unwrap(), 3);
        let failure = patience(Duration::from_secs(10)).with("x", || Err::<(), _>(Trouble::Lasting("no".to_owned())));
        assert_eq!(failure.unwrap_err().to_string(), "x: no");
    }

    #[test]
    fn time_and_a_request_to_stop_end_it() {
        let away = || Err::<(), _>(Trouble::Passing("away".to_owned()));
        let failure = patience(Duration::from_millis(300)).with("x", away).unwrap_err();
        assert_eq!(failure.code(), hearth_contract::exit::AGAIN);
        let stopped = patience(Duration::from_secs(60));
        stopped.stop.store(true, Ordering::Relaxed);
        let mut tries = 0;
        let failure = stopped.with("x", || {
            tries += 1;
            away()
        });
        assert_eq!((failure.unwrap_err().code(), tries), (hearth_contract::exit::STOPPED, 1));
    }

    #[test]
    fn pauses_differ_within_bounds() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(2));
            assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_secs(2));
        }
    }
}
