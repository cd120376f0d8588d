//! The simulator's API server answers like a real one.

use hearth_sim::conformance::{Executor, SCRIPT};

/// What the simulator answers, to be read as a diff when it changes.
#[test]
fn the_simulator_plays_the_script() {
    let lines = Executor::sim().play(SCRIPT).unwrap();
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("conformance", lines.join("\n"));
    });
}

/// The same script against the API server that HEARTH_CONFORMANCE_KUBECTL (a kubectl wrapper) reaches.
/// It is ignored here and called by the cluster tests, which set the variable; without it, it fails.
#[test]
#[ignore = "needs a cluster: HEARTH_CONFORMANCE_KUBECTL"]
fn a_real_api_server_answers_alike() {
    let kubectl = std::env::var_os("HEARTH_CONFORMANCE_KUBECTL")
        .expect("HEARTH_CONFORMANCE_KUBECTL names a kubectl that reaches the cluster");
    let want = Executor::sim().play(SCRIPT).unwrap();
    let have = Executor::Real(kubectl.into()).play(SCRIPT).unwrap();
    let pairs: Vec<String> =
        want.iter().zip(&have).filter(|(a, b)| a != b).map(|(a, b)| format!("sim:  {a}\nreal: {b}")).collect();
    assert!(pairs.is_empty(), "{} of {} answers differ:\n{}", pairs.len(), want.len(), pairs.join("\n"));
    println!("{} answers alike", have.len());
}
