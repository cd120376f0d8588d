//! Whether each test and scenario that the documents name exists.

use crate::repo;

#[test]
fn every_test_that_shows_a_promise_exists() {
    for page in ["docs/guarantees.md", "docs/contract.md"] {
        let text = std::fs::read_to_string(repo::root().join(page)).unwrap();
        let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let tests: Vec<_> = quoted.iter().filter_map(|word| word.split_once(".rs::")).collect();
        assert!(tests.len() > 10, "only {} tests are named in {page}", tests.len());
        for (path, test) in tests {
            let source = std::fs::read_to_string(repo::root().join(format!("{path}.rs"))).unwrap_or_default();
            assert!(source.contains(&format!("fn {test}(")), "{page} names {path}.rs::{test}, which is not there");
        }
        let files = quoted.iter().filter(|word| word.contains("/tests/scenarios/"));
        for file in files {
            assert!(repo::root().join(file).exists(), "{page} names {file}, which is not there");
        }
    }
}
