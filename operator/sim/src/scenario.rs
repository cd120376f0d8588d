//! Scripted scenarios: commands in text, and what they show in text.

use crate::{
    act::Act,
    clock::since_begin,
    fault::{Fault, Mode},
    lens,
    outcome::{End, Outcome, Pending},
    samples::{key, workflow},
    scenes,
    server::ApiError,
    world::{NAMESPACE, World},
};
use hearth_crds::{
    duration::DurationText,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::Kind;
use std::{fmt::Write as _, time::Duration};

/// Why a script cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct BadScript {
    /// Number of the line.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

/// Plays scripts.
pub struct Player<K: Kind<Cr = Workflow, Status = WorkflowStatus>> {
    world: World<K>,
    seen_log: usize,
    out: String,
}

/// Plays a script and returns what it shows. Lines that begin with two blanks belong to the command before them.
///
/// # Errors
/// A line cannot be read.
pub fn play<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(script: &str) -> Result<String, BadScript> {
    Ok(played::<K>(script)?.close())
}

/// Plays a script and returns the object of that name as the API server then has it, if it is there.
///
/// # Errors
/// A line cannot be read.
pub fn object_after<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(
    script: &str,
    name: &str,
) -> Result<Option<serde_json::Value>, BadScript> {
    Ok(played::<K>(script)?.world.server.cr(&key(name)).cloned())
}

fn played<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(script: &str) -> Result<Player<K>, BadScript> {
    let mut player = Player::<K> { world: World::new(lens::workflow(), 1), seen_log: 0, out: String::new() };
    let lines: Vec<&str> = script.lines().collect();
    let mut i = 0;
    while let Some(line) = lines.get(i) {
        let number = i + 1;
        i += 1;
        let mut block = String::new();
        while let Some(more) = lines
            .get(i)
            .filter(|l| l.starts_with("  ") || (l.is_empty() && lines.get(i + 1).is_some_and(|n| n.starts_with("  "))))
        {
            block.push_str(more.get(2..).unwrap_or_default());
            block.push('\n');
            i += 1;
        }
        if line.trim().is_empty() {
            player.out.push('\n');
        } else if line.starts_with('#') {
            let _ = writeln!(player.out, "{line}");
        } else {
            player
                .command(line, &block)
                .map_err(|text| BadScript { line: number, text: format!("`{line}`: {text}") })?;
        }
    }
    Ok(player)
}

fn length(text: &str) -> Result<Duration, String> {
    DurationText(text.to_owned()).parse().map_err(|e| e.to_string())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// The value after a word, as in `after 3s`.
fn option<'a>(words: &[&'a str], word: &str) -> Option<&'a str> {
    let at = words.iter().position(|w| *w == word)?;
    words.get(at + 1).copied()
}

impl<K: Kind<Cr = Workflow, Status = WorkflowStatus>> Player<K> {
    fn command(&mut self, line: &str, block: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let _ = writeln!(self.out, "> {line}");
        match words.as_slice() {
            ["create", name] => {
                let spec = serde_yaml::from_str(block).map_err(|e| e.to_string())?;
                self.world.act(Act::Create(key(name), workflow(&spec)));
            }
            ["trigger", name, id] => {
                let params: serde_json::Value = serde_yaml::from_str(block).map_err(|e| e.to_string())?;
                self.trigger(name, id, &params);
            }
            ["edit", name] => {
                let spec: serde_json::Value = serde_yaml::from_str(block).map_err(|e| e.to_string())?;
                self.world.act(Act::Edit(key(name), serde_json::json!({ "spec": spec })));
            }
            ["pod", step, nth, rest @ ..] => {
                let outcome = outcome(rest, block)?;
                self.world.kubelet.outcomes.set(step, number(nth)?, outcome);
            }
            ["advance", text] => {
                let end = self.world.now.after(length(text)?);
                self.world.run_until(end, |_| false);
                self.world.now = self.world.now.max(end);
            }
            ["run"] => {
                let halt = self.world.run_for(Duration::from_secs(7 * 86_400));
                let _ = writeln!(self.out, "  {} {halt:?}", since_begin(self.world.now));
            }
            ["crash-after", n] => self.fault(n, Mode::KillAfter)?,
            ["crash-before", n] => self.fault(n, Mode::KillBefore)?,
            ["crash-in-flight", n] => self.fault(n, Mode::KillInFlight)?,
            ["lose-reply", n] => self.fault(n, Mode::NoReplyTaken)?,
            ["lose-request", n] => self.fault(n, Mode::NoReplyLost)?,
            ["show", what, rest @ ..] => {
                let text = scenes::show(&self.world, what, rest.first().copied().unwrap_or("demo"), self.seen_log)?;
                if *what == "log" {
                    self.seen_log = self.world.server.log().len();
                }
                self.out.push_str(&text);
            }
            other => {
                let act = deed(other)?;
                self.world.act(act);
            }
        }
        Ok(())
    }

    /// What the API makes of a trigger.
    fn trigger(&mut self, target: &str, id: &str, params: &serde_json::Value) {
        let uid =
            self.world.server.cr(&key(target)).and_then(|cr| cr.pointer("/metadata/uid")?.as_str().map(str::to_owned));
        let uid = uid.unwrap_or_default();
        let mut object = workflow(&serde_json::json!({"from": {"workflow": target, "params": params}}));
        if let Some(fields) = object.as_object_mut() {
            let annotations = hearth_crds::trigger::annotations(&uid, id, "ada");
            fields.insert("metadata".to_owned(), serde_json::json!({ "annotations": annotations }));
        }
        self.world.act(Act::Create(key(&hearth_crds::trigger::name(target, &uid, id)), object));
    }

    /// The fault strikes at the `n`th write from now.
    fn fault(&mut self, n: &str, mode: Mode) -> Result<(), String> {
        let write = self.world.faults.writes + number::<usize>(n)?;
        self.world.faults.list.push(Fault { write, mode });
        Ok(())
    }

    fn close(mut self) -> String {
        let found = match self.world.violations() {
            [] => "judge: nothing wrong\n".to_owned(),
            list => format!("judge:\n  {}\n", list.join("\n  ")),
        };
        self.out.push_str(&found);
        scenes::name_ids(&self.world, &self.out)
    }
}

fn deed(words: &[&str]) -> Result<Act, String> {
    Ok(match words {
        ["delete", "namespace"] => Act::DeleteNamespace(NAMESPACE.to_owned()),
        ["delete", "pod", step] => Act::DeletePod((*step).to_owned()),
        ["delete", name] => Act::Delete(key(name)),
        ["cancel", name] => Act::Cancel(key(name)),
        ["approve", name, step] => Act::Approve(key(name), (*step).to_owned()),
        ["request", name, id, kind] => Act::Request(key(name), serde_json::json!({"id": id, "kind": kind})),
        ["request", name, id, kind, word, value] => {
            let mut entry = serde_json::json!({"id": id, "kind": kind});
            if let Some(fields) = entry.as_object_mut() {
                fields.insert((*word).to_owned(), serde_json::json!(value));
            }
            Act::Request(key(name), entry)
        }
        ["mangle", "pod", step] => Act::Mangle((*step).to_owned()),
        ["unmanage", "pod", step] => Act::Unmanage((*step).to_owned()),
        ["store", "down"] => Act::StoreDown,
        ["store", "up"] => Act::StoreUp,
        ["artifacts", "down"] => Act::ArtifactsDown,
        ["artifacts", "up"] => Act::ArtifactsUp,
        ["lose", "blobs"] => Act::LoseBlobs,
        ["crash"] => Act::Restart,
        ["depose"] => Act::Depose,
        ["relist"] => Act::Relist,
        ["quota", "none"] => Act::Quota(None),
        ["quota", n] => Act::Quota(Some(number(n)?)),
        ["refuse", step, code, reason, message @ ..] => {
            let step = Some((*step).to_owned()).filter(|s| s != "all");
            Act::Refuse(step, ApiError::new(number(code)?, reason, &message.join(" ")), None)
        }
        ["allow"] => Act::Allow,
        ["squat", step] => Act::Squat((*step).to_owned()),
        ["panic", name] => Act::Panic(key(name)),
        ["corrupt", name] => Act::Corrupt(key(name)),
        _ => return Err("no such command".to_owned()),
    })
}

/// `exit 137`, `oom`, `evicted`, `image clears 30s` …, `after 3s`; a block is the termination message.
fn outcome(words: &[&str], block: &str) -> Result<Outcome, String> {
    let clears = option(words, "clears").map(length).transpose()?;
    let back = option(words, "back").map(length).transpose()?;
    let run_for = option(words, "after").map(length).transpose()?.unwrap_or(Outcome::default().run_for);
    let message = block.strip_suffix('\n').unwrap_or(block).to_owned();
    let (pending, end) = match words {
        ["exit", code, ..] => (Pending::Nothing, End::Exit(number(code)?, message)),
        ["writes", "bytes", n, ..] => (Pending::Nothing, End::Exit(0, "x".repeat(number(n)?))),
        ["writes", "text", n, ..] => {
            (Pending::Nothing, End::Exit(0, format!("{{\"t\": \"{}\"}}", "x".repeat(number(n)?))))
        }
        ["writes", ..] => (Pending::Nothing, End::Exit(0, message)),
        ["oom", ..] => (Pending::Nothing, End::Oom),
        ["evicted", "own", ..] => (Pending::Nothing, End::Evicted { own_limits: true }),
        ["evicted", ..] => (Pending::Nothing, End::Evicted { own_limits: false }),
        ["preempted", ..] => (Pending::Nothing, End::Preempted),
        ["node-lost", ..] => (Pending::Nothing, End::NodeLost(back)),
        ["hangs", ..] => (Pending::Nothing, End::Never),
        ["no-node", ..] => (Pending::Node(clears), End::Exit(0, message)),
        ["no-image", ..] => (Pending::Image(clears), End::Exit(0, message)),
        ["no-secret", ..] => (Pending::Config, End::Exit(0, message)),
        _ => return Err("no such fate".to_owned()),
    };
    Ok(Outcome { pending, run_for, end })
}
