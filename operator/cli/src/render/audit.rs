//! The audit trail.

use super::{
    age::since,
    prose,
    style::{FAINT, of_phase},
    table::{Cell, Table},
};
use hearth_wire::{AuditRecord, Verdict};
use jiff::Timestamp;

/// Records as kubectl lists things.
#[must_use]
pub fn audit(records: &[AuditRecord], width: Option<usize>, now: Timestamp) -> String {
    let mut table = Table::new(&[
        ("AGE", 0),
        ("WHO", 0),
        ("VERB", 0),
        ("RESOURCE", 3),
        ("NAMESPACE", 0),
        ("NAME", 0),
        ("RUN", 4),
        ("FROM", 2),
        ("ALLOWED", 0),
        ("REASON", 1),
    ]);
    for record in records {
        let (style, allowed) = if record.allowed { (of_phase("Succeeded"), "yes") } else { (of_phase("Failed"), "no") };
        table.row(vec![
            since(record.at, now).into(),
            record.who.clone().into(),
            record.verb.clone().into(),
            record.resource.clone().into(),
            record.namespace.clone().into(),
            record.name.clone().into(),
            record.run.clone().unwrap_or_default().into(),
            record.from.clone().into(),
            Cell::styled(style, allowed),
            record.reason.clone().into(),
        ]);
    }
    table.text(width)
}

/// What a check of the trail found.
#[must_use]
pub fn verdict(verdict: &Verdict, newest: Option<&str>, width: Option<usize>) -> String {
    let mut text = String::new();
    for fault in &verdict.faults {
        text += &prose(fault, width, of_phase("Failed"));
    }
    let (records, chains) = (verdict.records, verdict.chains);
    if verdict.faults.is_empty() {
        text += &prose(&format!("{records} records in {chains} chains, all whole"), width, of_phase("Succeeded"));
    } else {
        text += &prose(&format!("{records} records in {chains} chains were read"), width, of_phase("Failed"));
    }
    if let Some(hash) = newest {
        let note = "Note the hash of the newest record where nobody can change it, and give it to a later check with --expect:";
        text += &prose(note, width, FAINT);
        text += hash;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::time::Time;

    #[test]
    fn records_are_lines() {
        let record = AuditRecord {
            writer: "w".to_owned(),
            number: 1,
            at: Time::from_millis(1_795_248_000_000),
            who: "bob".to_owned(),
            verb: "delete".to_owned(),
            resource: "workflows.hearth.dev".to_owned(),
            namespace: "lab".to_owned(),
            name: "co2".to_owned(),
            run: Some("01993b6a-7c00-7000-8000-000000000001".to_owned()),
            from: "10.0.0.1".to_owned(),
            allowed: false,
            reason: "you may not \u{1b}[2J".to_owned(),
            previous: String::new(),
            hash: String::new(),
        };
        let now = Timestamp::from_millisecond(1_795_248_065_000).unwrap();
        let text = anstream::adapter::strip_str(&audit(&[record], None, now)).to_string();
        assert!(text.starts_with("AGE ") && text.contains("bob   delete   workflows.hearth.dev   lab"), "{text}");
        assert!(text.contains("10.0.0.1   no ") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_verdict_says_what_is_wrong() {
        let whole = Verdict { records: 3, chains: 1, faults: Vec::new() };
        let text = anstream::adapter::strip_str(&verdict(&whole, Some("abc"), None)).to_string();
        assert!(text.starts_with("3 records in 1 chains, all whole\n") && text.ends_with("\nabc\n"), "{text}");
        let broken = Verdict { faults: vec!["records 2 to 3 of chain w are gone".to_owned()], ..whole };
        let text = anstream::adapter::strip_str(&verdict(&broken, None, None)).to_string();
        assert_eq!(text, "records 2 to 3 of chain w are gone\n3 records in 1 chains were read\n");
    }
}
