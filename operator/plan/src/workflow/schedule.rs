//! Runs that start by the clock.
//!
//! A time is used up by the same status patch that starts its run, so that it is run once at most, whatever the clock does:
//! after a jump back nothing is due until the clock has passed `usedUntil` again; after a jump ahead, or when nobody was
//! there, the latest missed time alone is due.

use super::{
    digest,
    lifecycle::Work,
    valid::{Invalid, invalid},
    validate::duration,
};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use hearth_crds::{
    condition::{ConditionStatus, ConditionType, Reason},
    time::Time,
    workflow::{Concurrency, RunPolicy, Schedule, ScheduleStatus, WorkflowSpec},
};
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::time::Duration;

/// What is said of a cron that cannot be read.
const FORM: &str =
    "write five fields (minute, hour, day of the month, month, day of the week), for example `0 6 * * 1`";

/// Schedules that can be followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedules {
    digest: String,
    all: Vec<ValidSchedule>,
}

#[derive(Clone, Debug, PartialEq)]
struct ValidSchedule {
    cron: Cron,
    zone: TimeZone,
    deadline: Option<Duration>,
}

/// When the object runs by itself.
pub(super) fn policy(spec: &WorkflowSpec) -> RunPolicy {
    let default = if spec.schedules.is_empty() { RunPolicy::OnChange } else { RunPolicy::OnSchedule };
    spec.run_policy.unwrap_or(default)
}

/// Checks the schedules and what goes with them.
pub(super) fn schedules(spec: &WorkflowSpec) -> Result<Schedules, Invalid> {
    let none = spec.schedules.is_empty();
    match policy(spec) {
        RunPolicy::OnSchedule if none => {
            return invalid("spec.schedules", "runPolicy is OnSchedule, but there is no schedule: add one");
        }
        RunPolicy::Manual if !none => {
            return invalid(
                "spec.runPolicy",
                "is Manual, so that no schedule is followed: remove spec.schedules, or this",
            );
        }
        RunPolicy::OnSchedule | RunPolicy::Manual | RunPolicy::OnChange => {}
    }
    if none && spec.concurrency.is_some() {
        return invalid("spec.concurrency", "has no meaning without spec.schedules: remove it");
    }
    let one = |(index, schedule)| ValidSchedule::of(&format!("spec.schedules[{index}]"), schedule);
    Ok(Schedules {
        digest: digest::schedules_digest(spec),
        all: spec.schedules.iter().enumerate().map(one).collect::<Result<_, _>>()?,
    })
}

impl ValidSchedule {
    fn of(field: &str, schedule: &Schedule) -> Result<Self, Invalid> {
        let at = format!("{field}.cron");
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = match parser.parse(&schedule.cron) {
            Ok(cron) => cron,
            Err(e) => {
                let why = e.to_string();
                return invalid(
                    at,
                    format!("`{}` is not a cron ({}): {FORM}", schedule.cron, why.trim_end_matches('.')),
                );
            }
        };
        let name = schedule.time_zone.as_deref().unwrap_or("Etc/UTC");
        let Ok(zone) = TimeZoneDatabase::bundled().get(name) else {
            return invalid(
                format!("{field}.timeZone"),
                format!("`{name}` is no time zone: use an IANA name, for example Europe/Vienna"),
            );
        };
        let deadline = duration(&format!("{field}.startingDeadline"), schedule.starting_deadline.as_ref())?;
        let valid = Self { cron, zone, deadline };
        if valid.next(Time::from_millis(0)).is_none() {
            return invalid(at, format!("`{}` names a time that never comes: {FORM}", schedule.cron));
        }
        Ok(valid)
    }

    /// The latest time after `after` and not after `until`.
    fn latest(&self, after: Time, until: Time) -> Option<Time> {
        let found = self.cron.find_previous_occurrence(&self.at(until)?, true).ok()?;
        Some(Time::new(found.timestamp())).filter(|at| *at > after)
    }

    /// The first time after `after`.
    fn next(&self, after: Time) -> Option<Time> {
        let found = self.cron.find_next_occurrence(&self.at(after)?, false).ok()?;
        Some(Time::new(found.timestamp()))
    }

    /// That time to the second on the schedule's own clock: a cron knows nothing finer.
    fn at(&self, time: Time) -> Option<jiff::Zoned> {
        let second = Timestamp::from_second(time.millis().div_euclid(1000)).ok()?;
        Some(second.to_zoned(self.zone.clone()))
    }
}

impl Schedules {
    /// The first time after `after` of any of them.
    #[must_use]
    pub fn next(&self, after: Time) -> Option<Time> {
        self.all.iter().filter_map(|s| s.next(after)).min()
    }

    /// The latest time in `(after, until]` whose run may still start, or the latest one of all, which is missed.
    fn due(&self, after: Time, until: Time) -> Option<Result<Time, Time>> {
        let passed: Vec<_> = self.all.iter().filter_map(|s| Some((s, s.latest(after, until)?))).collect();
        let in_time = |(s, at): &&(&ValidSchedule, Time)| s.deadline.is_none_or(|d| until <= at.after(d));
        let due = passed.iter().filter(in_time).map(|(_, at)| *at).max();
        due.map(Ok).or_else(|| passed.iter().map(|(_, at)| *at).max().map(Err))
    }
}

impl Work<'_> {
    /// Keeps account of the schedules. The time that is due, whether or not a run can start now.
    pub(super) fn due(&mut self) -> Option<Time> {
        let schedules = &self.specs.current.checked.as_ref().ok()?.schedules;
        if schedules.all.is_empty() {
            self.next.schedule = None;
            return None;
        }
        let mut mark = self.mark(schedules);
        mark.next = schedules.next(self.now).filter(|_| !self.situation.suspended);
        if let Some(next) = mark.next {
            self.wake_at(next);
        }
        let due = match schedules.due(mark.used_until, self.now).filter(|_| !self.situation.suspended) {
            Some(Ok(at)) => Some(at),
            Some(Err(at)) => {
                mark.used_until = at;
                self.note(Reason::Scheduled, format!("the run of {at} is missed: its startingDeadline has passed"));
                None
            }
            None => None,
        };
        self.next.schedule = Some(mark);
        due
    }

    /// How far the times are used up. Schedules that changed, or were suspended, begin now; those of a new object with it.
    fn mark(&self, schedules: &Schedules) -> ScheduleStatus {
        let created = self.cr.metadata.creation_timestamp.as_ref().map(|t| Time::new(t.0));
        let resumes = !self.situation.suspended && self.cr.status.as_ref().is_some_and(was_suspended);
        let known = self.next.schedule.clone().filter(|m| m.digest == schedules.digest && !resumes);
        known.unwrap_or_else(|| ScheduleStatus {
            digest: schedules.digest.clone(),
            used_until: created.filter(|_| self.cr.status.is_none()).unwrap_or(self.now),
            next: None,
        })
    }

    /// Whether a time that is due ends the run under way.
    pub(super) fn replaces(&self) -> bool {
        self.cr.spec.concurrency == Some(Concurrency::Replace)
    }
}

fn was_suspended(status: &hearth_crds::workflow::WorkflowStatus) -> bool {
    status.conditions.iter().any(|c| c.type_ == ConditionType::Suspended && c.status == ConditionStatus::True)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn schedule(cron: &str, zone: &str) -> Result<ValidSchedule, Invalid> {
        let schedule = Schedule { cron: cron.into(), time_zone: Some(zone.into()), starting_deadline: None };
        ValidSchedule::of("spec.schedules[0]", &schedule)
    }

    fn time(text: &str) -> Time {
        Time::new(text.parse().unwrap())
    }

    /// All times from one day to another, met one by one, ahead and backwards.
    #[rstest]
    #[case::clocks_go_back("30 2 * * *", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z", 3)]
    #[case::clocks_go_forward("30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z", 3)]
    #[case::every_twenty_minutes("*/20 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", 9)]
    #[case::mondays("0 6 * * 1", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", 5)]
    fn ahead_and_back_are_the_same(#[case] cron: &str, #[case] from: &str, #[case] to: &str, #[case] count: usize) {
        let schedule = schedule(cron, "Europe/Vienna").unwrap();
        let (from, to) = (time(from), time(to));
        let ahead: Vec<_> =
            std::iter::successors(schedule.next(from), |at| schedule.next(*at)).take_while(|at| *at <= to).collect();
        let mut back: Vec<_> = std::iter::successors(schedule.latest(from, to), |at| {
            schedule.latest(from, Time::from_millis(at.millis() - 1000))
        })
        .collect();
        back.reverse();
        assert_eq!(ahead, back);
        assert_eq!(ahead.len(), count, "{ahead:?}");
    }

    #[rstest]
    #[case::never_comes("0 0 30 2 *", "Etc/UTC", "never comes")]
    #[case::not_a_cron("every monday", "Etc/UTC", "is not a cron")]
    #[case::six_fields("0 0 6 * * 1", "Etc/UTC", "five fields")]
    #[case::out_of_range("61 * * * *", "Etc/UTC", "is not a cron")]
    #[case::no_zone("0 6 * * *", "Europe/Wien", "is no time zone")]
    fn wrong_ones_are_refused(#[case] cron: &str, #[case] zone: &str, #[case] says: &str) {
        let e = schedule(cron, zone).unwrap_err().to_string();
        assert!(e.contains(says), "{e}");
    }

    #[test]
    fn of_missed_times_the_latest_is_due_while_its_deadline_lasts() {
        let mut hourly = schedule("0 * * * *", "Etc/UTC").unwrap();
        hourly.deadline = Some(Duration::from_secs(600));
        let all = Schedules { digest: String::new(), all: vec![hourly] };
        let since = time("2026-11-21T00:30:00Z");
        assert_eq!(all.due(since, time("2026-11-21T00:59:59Z")), None);
        assert_eq!(all.due(since, time("2026-11-21T05:10:00Z")), Some(Ok(time("2026-11-21T05:00:00Z"))));
        assert_eq!(all.due(since, time("2026-11-21T05:10:01Z")), Some(Err(time("2026-11-21T05:00:00Z"))));
        // A clock that went back makes nothing due twice.
        assert_eq!(all.due(time("2026-11-21T05:00:00Z"), time("2026-11-21T03:00:00Z")), None);
    }
}
