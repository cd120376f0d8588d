//! A folder that stands for a pod's file system.

use crate::scene::{Folder, Scene, TOKEN};
use hearth_contract::message::{Message, parse};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

pub struct Pod {
    root: Folder,
}

impl Pod {
    pub fn new(spec: &Value, ca: &str) -> Self {
        let pod = Self { root: Folder::new() };
        for folder in ["hearth/in", "hearth/out", "hearth/recorder", "dev"] {
            fs::create_dir_all(pod.root.0.join(folder)).unwrap();
        }
        fs::write(pod.at("/hearth/spec.json"), spec.to_string()).unwrap();
        fs::write(pod.at(hearth_contract::TOKEN), TOKEN).unwrap();
        fs::write(pod.at(hearth_contract::CA), ca).unwrap();
        fs::write(pod.at("/dev/termination-log"), "").unwrap();
        pod
    }

    /// The pod of the attempt that a scene knows.
    pub fn of(scene: &Scene) -> Self {
        let known = scene.cluster.known.lock().unwrap().clone();
        let text = known.pod.unwrap()["metadata"]["annotations"]["hearth.dev/spec"].as_str().unwrap().to_owned();
        Self::new(&serde_json::from_str(&text).unwrap(), &scene.ca)
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root.0.join(path.trim_start_matches('/'))
    }

    pub fn said(&self) -> String {
        fs::read_to_string(self.at("/dev/termination-log")).unwrap()
    }

    pub fn message(&self) -> Message {
        parse(&self.said()).unwrap()
    }

    pub fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_hearth-step"))
            .arg("--root")
            .arg(&self.root.0)
            .args(args)
            .env("ROOT", &self.root.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs to its end, on a thread of its own, since servers run on this one's runtime.
    pub async fn step(&self, args: &[&str]) -> Ended {
        let child = self.start(args);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        Ended::from(output)
    }

    /// Runs a shell script under the wrapper.
    pub async fn run(&self, script: &str) -> Ended {
        self.run_for(5, script).await
    }

    pub async fn run_for(&self, seconds: u64, script: &str) -> Ended {
        self.step(&["run", "--deadline", &seconds.to_string(), "--", "sh", "-c", script]).await
    }
}

#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
