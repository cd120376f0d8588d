//! What a lying watch says: events are dropped, repeated and delayed by chance.
//!
//! A watch of Kubernetes may miss events only if it is told so: the stream then ends with 410 Expired, and whoever watches
//! lists anew. So does this one: between its first lie and that end lie at most a few events and a few seconds.

use crate::chance::Chance;
use bytes::Bytes;
use std::{fmt, time::Duration};

/// The longest time from a lie to the end of the stream.
pub const LIE: Duration = Duration::from_secs(3);
/// The most events from a lie to the end of the stream.
const EVENTS: u32 = 8;
/// The longest delay of an event.
const DELAY: Duration = Duration::from_secs(1);

/// The end of a stream whose later events are lost.
pub const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// What was done to how many events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams that were opened.
    pub watches: u32,
    /// Events that the API server sent.
    pub events: u32,
    /// Never said.
    pub dropped: u32,
    /// Said twice in a row.
    pub twice: u32,
    /// Said again after later ones.
    pub late: u32,
    /// Held back, and with them all that came behind.
    pub delayed: u32,
    /// Streams that ended with 410.
    pub expired: u32,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watches, events, dropped, twice, late, delayed, expired } = self;
        write!(
            f,
            "Of {events} events in {watches} watches {dropped} were dropped, {twice} said twice, {late} said again after \
             later ones, and {delayed} delayed by up to {} s; {expired} watches ended with 410 Expired within {} s of a lie.",
            DELAY.as_secs(),
            LIE.as_secs()
        )
    }
}

/// A step in saying something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// These bytes.
    Line(Bytes),
    /// Nothing, for so long.
    Wait(Duration),
    /// That the watch has expired, and nothing more.
    Expired,
}

/// The liar of one stream.
#[derive(Debug)]
pub struct Tamper {
    chance: Chance,
    /// How many events may still come since the first drop or late repeat.
    left: Option<u32>,
    /// What is said again, and after how many events.
    late: Vec<(u32, Bytes)>,
}

impl Tamper {
    /// A liar that has not lied yet.
    pub fn new(chance: Chance) -> Self {
        Self { chance, left: None, late: Vec::new() }
    }

    /// Whether what was said is no longer what happened.
    pub fn has_lied(&self) -> bool {
        self.left.is_some()
    }

    /// What is said of a line of the API server's.
    pub fn take(&mut self, line: Bytes, counts: &mut Counts) -> Vec<Say> {
        if !is_event(&line) {
            return vec![Say::Line(line)];
        }
        counts.events += 1;
        let mut says = self.about(line, counts);
        says.extend(self.due().into_iter().map(Say::Line));
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                says.push(Say::Expired);
            }
        }
        says
    }

    fn about(&mut self, line: Bytes, counts: &mut Counts) -> Vec<Say> {
        match self.chance.number(0..100) {
            0..5 => {
                counts.dropped += 1;
                self.lie();
                Vec::new()
            }
            5..10 => {
                counts.late += 1;
                self.lie();
                // Counted down once for this very event.
                self.late.push((self.chance.number(2..6), line.clone()));
                vec![Say::Line(line)]
            }
            10..20 => {
                counts.twice += 1;
                vec![Say::Line(line.clone()), Say::Line(line)]
            }
            20..30 => {
                counts.delayed += 1;
                vec![Say::Wait(self.chance.time_below(DELAY)), Say::Line(line)]
            }
            _ => vec![Say::Line(line)],
        }
    }

    fn lie(&mut self) {
        self.left.get_or_insert(EVENTS);
    }

    /// What is to be said again now.
    fn due(&mut self) -> Vec<Bytes> {
        self.late.iter_mut().for_each(|(after, _)| *after -= 1);
        self.late.extract_if(.., |(after, _)| *after == 0).map(|(_, line)| line).collect()
    }
}

/// Whether a line tells of an object: bookmarks and errors are left as they are.
fn is_event(line: &[u8]) -> bool {
    ["ADDED", "MODIFIED", "DELETED"].iter().any(|kind| line.starts_with(format!(r#"{{"type":"{kind}""#).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u32) -> Bytes {
        Bytes::from(format!("{{\"type\":\"MODIFIED\",\"object\":{number}}}\n"))
    }

    /// Many streams of many events each: what was said of each stream, and the counts of all.
    fn streams() -> (Vec<Vec<Say>>, Counts) {
        let mut counts = Counts::default();
        let streams = (0..200)
            .map(|seed| {
                let mut tamper = Tamper::new(Chance::new(seed));
                let mut said = Vec::new();
                for number in 0..100 {
                    said.extend(tamper.take(event(number), &mut counts));
                    if said.last() == Some(&Say::Expired) {
                        break;
                    }
                }
                said
            })
            .collect();
        (streams, counts)
    }

    #[test]
    fn every_kind_of_lie_is_told() {
        let (streams, counts) = streams();
        for (what, times) in
            [("dropped", counts.dropped), ("twice", counts.twice), ("late", counts.late), ("delayed", counts.delayed)]
        {
            assert!(times > 20, "{what}: {times} of {}", counts.events);
        }
        let waits = streams.iter().flatten().filter(|say| matches!(say, Say::Wait(_))).count();
        assert_eq!(u32::try_from(waits).unwrap(), counts.delayed);
    }

    #[test]
    fn a_stream_that_lied_ends_soon() {
        for seed in 0..200 {
            let mut tamper = Tamper::new(Chance::new(seed));
            let mut since = 0;
            for number in 0..1000 {
                let said = tamper.take(event(number), &mut Counts::default());
                since += u32::from(tamper.has_lied());
                if said.last() == Some(&Say::Expired) {
                    break;
                }
            }
            assert_eq!(since, EVENTS, "seed {seed}");
        }
    }

    #[test]
    fn what_is_no_event_is_left_alone() {
        let mut tamper = Tamper::new(Chance::new(1));
        let bookmark = Bytes::from_static(b"{\"type\":\"BOOKMARK\",\"object\":{}}\n");
        for _ in 0..100 {
            assert_eq!(tamper.take(bookmark.clone(), &mut Counts::default()), [Say::Line(bookmark.clone())]);
        }
        assert!(EXPIRED.ends_with('\n') && serde_json::from_str::<serde_json::Value>(EXPIRED).is_ok());
    }
}
