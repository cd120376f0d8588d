//! Tests of the tests: three rules are broken by hand, and the suite must notice each.

use crate::common::{happy_diamond, tale};
use hearth_sim::{clock::secs, pass::Breakage, properties::broken};

fn finds(breakage: Breakage, what: &str) {
    let found = broken(&tale("diamond", &happy_diamond, secs(3600)), breakage).expect_err("the suite finds nothing");
    println!("{breakage:?}:\n{found}");
    assert!(found.contains(what), "it finds something else:\n{found}");
}

#[test]
fn creating_before_the_intent_is_noticed() {
    finds(Breakage::CreateBeforeIntent, "live pods, 0 are allowed");
}

#[test]
fn skipping_the_fence_is_noticed() {
    finds(Breakage::SkipFence, "is posted a second time");
}

#[test]
fn a_row_from_an_unaccepted_status_is_noticed() {
    finds(Breakage::RowFromUnaccepted, "no such status was accepted");
}
