//! The shipped binary holds no failure point; the one that is built for tests does.

#![allow(clippy::unwrap_used, reason = "tests fail by panic")]

const MARKS: [&str; 5] =
    ["HEARTH_FAILPOINTS", "hearth.dev/test-exit", "hearth.dev/test-panic", "before-create", "after-patch"];

#[test]
fn failure_points_are_only_where_they_belong() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_hearth")).unwrap();
    let text = String::from_utf8_lossy(&binary);
    for mark in MARKS {
        assert_eq!(text.contains(mark), cfg!(feature = "failpoints"), "{mark}");
    }
}
