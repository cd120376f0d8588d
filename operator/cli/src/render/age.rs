//! Ages and durations as kubectl writes them: `45s`, `3m20s`, `2d5h`.

use hearth_crds::time::Time;
use jiff::Timestamp;

/// How long ago it was.
pub fn since(at: Time, now: Timestamp) -> String {
    between(at, now)
}

/// From one to the other.
pub fn between(from: Time, to: Timestamp) -> String {
    human(to.as_millisecond().saturating_sub(from.millis()).div_euclid(1000))
}

/// A duration in milliseconds; those below ten seconds with their fraction.
pub fn human_millis(ms: i64) -> String {
    if (0..10_000).contains(&ms) && ms % 1000 != 0 {
        return format!("{}.{}s", ms / 1000, ms % 1000 / 100);
    }
    human(ms.div_euclid(1000))
}

/// Seconds in at most two units, the second one only while it matters.
fn human(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / (24 * 365));
    match () {
        // Clocks differ by a second or two.
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => pair(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if years < 8 => pair(years, "y", days % 365, "d"),
        () => format!("{years}y"),
    }
}

fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kubectl_does() {
        // The pairs of k8s.io/apimachinery's own table of HumanDuration.
        let (minute, hour, day, year) = (60, 3600, 86_400, 31_536_000);
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (1, "1s"),
            (70, "70s"),
            (190, "3m10s"),
            (70 * minute, "70m"),
            (47 * hour, "47h"),
            (49 * hour, "2d1h"),
            (8 * day + 2 * hour, "8d"),
            (367 * day, "367d"),
            (4 * year + hour, "4y"),
            (4 * year + 23 * day, "4y23d"),
            (8 * year + 2 * day, "8y"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
