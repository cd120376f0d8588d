//! Whether each test that docs/guarantees.md names exists.

use crate::repo;

#[test]
fn every_test_that_shows_a_guarantee_exists() {
    let text = std::fs::read_to_string(repo::root().join("docs/guarantees.md")).unwrap();
    let named: Vec<(&str, &str)> = text.split('`').filter_map(|word| word.split_once(".rs::")).collect();
    assert!(named.len() > 10, "only {} tests are named", named.len());
    for (path, test) in named {
        let source = std::fs::read_to_string(repo::root().join(format!("{path}.rs"))).unwrap_or_default();
        assert!(
            source.contains(&format!("fn {test}(")),
            "docs/guarantees.md names {path}.rs::{test}, which is not there"
        );
    }
}
