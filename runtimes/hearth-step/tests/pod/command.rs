//! The command under the wrapper: as if it ran alone.

use crate::harness::{Pod, until};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

fn pod() -> Pod {
    Pod::new(&json!({"version": "1", "step": "fit", "attempt": 1}), "")
}

#[tokio::test]
async fn exit_codes_and_streams_pass_through() {
    let pod = pod();
    for code in [0, 1, 3, 64, 75, 143, 255] {
        assert_eq!(pod.run(&format!("exit {code}")).await.code, code);
    }
    let ended = pod.run("echo out; echo err >&2; printf plain > $ROOT/dev/termination-log").await;
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("out\n", "err\n"));
    assert_eq!(pod.said(), "plain", "the message of a step without artifacts is left as it is");
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139)] {
        assert_eq!(pod.run(&format!("kill -{signal} $$")).await.code, code, "{signal}");
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_a_wrong_configuration() {
    let pod = pod();
    let ended = pod.step(&["run", "--", "/no/such/program"]).await;
    assert_eq!(ended.code, 78);
    assert!(pod.said().contains("cannot run /no/such/program"), "{}", pod.said());
    assert_eq!(pod.step(&["run"]).await.code, 64);
    fs::write(pod.at("/hearth/spec.json"), "{").unwrap();
    assert_eq!(pod.run("exit 0").await.code, 78);
    fs::remove_file(pod.at("/hearth/spec.json")).unwrap();
    assert_eq!(pod.run("exit 0").await.code, 78);
    assert!(pod.said().contains("spec.json"), "{}", pod.said());
}

#[tokio::test]
async fn signals_reach_the_command() {
    for (signal, code) in [("TERM", 7), ("INT", 8), ("USR1", 9)] {
        let pod = pod();
        let script = "trap 'exit 7' TERM; trap 'exit 8' INT; trap 'exit 9' USR1; touch $ROOT/ready; n=0; while [ $n -lt 1000 ]; do n=$((n+1)); sleep 0.02; done; exit 99";
        let child = pod.start(&["run", "--", "sh", "-c", script]);
        until("the command is ready", || pod.at("ready").exists()).await;
        Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        assert_eq!(ended.status.code(), Some(code), "{signal}");
    }
}

/// In a namespace of process ids of its own, where the wrapper is process 1 as it is in a container.
#[tokio::test]
async fn process_1_reaps_what_others_leave() {
    let pod = pod();
    let script = "(sleep 0.05 & echo $! > $ROOT/orphan); orphan=$(cat $ROOT/orphan); tries=0; \
                  while [ -e /proc/$orphan ]; do tries=$((tries+1)); [ $tries -gt 200 ] && exit 9; sleep 0.05; done; \
                  [ $PPID = 1 ] || exit 10; \
                  for n in 1 2 3 4 5 6 7 8; do (sleep 60 & echo $! >> $ROOT/many); done; kill -9 $(cat $ROOT/many); exit 4";
    let unshare = |user: &[&str]| {
        Command::new("timeout")
            .args(["--signal=KILL", "60", "unshare"])
            .args(user)
            .args(["--pid", "--fork", "--mount-proc", "--"])
            .arg(env!("CARGO_BIN_EXE_hearth-step"))
            .arg("--root")
            .arg(pod.at("/"))
            .args(["run", "--", "sh", "-c", script])
            .env("ROOT", pod.at("/"))
            .status()
            .unwrap()
            .code()
    };
    // 1 is unshare's own: without the right to make namespaces, a user's namespace gives it.
    let code = match unshare(&[]) {
        Some(1) => unshare(&["--user", "--map-root-user"]),
        other => other,
    };
    assert_eq!(
        code,
        Some(4),
        "9: a zombie stayed; 10: the wrapper was not process 1; 1: no namespaces can be made here; none: it did not end"
    );
}

#[tokio::test]
async fn the_installed_copy_runs() {
    let pod = pod();
    let folder = pod.at("/hearth/bin");
    assert_eq!(pod.step(&["install", folder.to_str().unwrap()]).await.code, 0);
    let copy = folder.join("hearth-step");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o755);
    let output = Command::new(&copy).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hearth-step "));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
