//! The API server's audit log: who asked for what, and when.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A request that was answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    verb: String,
    stage: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Answer,
    request_object: Option<Body>,
    /// When it came.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: Timestamp,
    /// When it was answered.
    #[serde(rename = "stageTimestamp")]
    pub answered: Timestamp,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    code: i32,
}

#[derive(Clone, Debug, Deserialize)]
struct Body {
    status: Option<BodyStatus>,
}

#[derive(Clone, Debug, Deserialize)]
struct BodyStatus {
    phase: Option<String>,
}

impl Request {
    /// Who asked.
    pub fn user(&self) -> &str {
        &self.user.username
    }

    /// Name of the object, if the request or its answer has one.
    pub fn name(&self) -> &str {
        &self.object_ref.name
    }

    /// Whether it changes something; what was refused counts too. Leases are apart.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
            && self.object_ref.resource != "leases"
    }

    /// Whether it reads pods or their logs: a watch is one request for all of them, and no read of a pod.
    pub fn reads_pods(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list") && self.is_about_pods()
    }

    /// Whether it created a pod.
    pub fn creates_pod(&self) -> bool {
        self.creates("pods")
    }

    /// Whether it created such an object.
    pub fn creates(&self, resource: &str) -> bool {
        let Object { resource: of, subresource, .. } = &self.object_ref;
        self.verb == "create" && of == resource && subresource.is_empty() && self.response_status.code == 201
    }

    /// Whether it is about pods.
    pub fn is_about_pods(&self) -> bool {
        self.object_ref.resource == "pods"
    }

    /// Whether it deleted the pods of a run: the last that is done for one.
    pub fn sweeps_pods(&self) -> bool {
        self.verb == "deletecollection" && self.is_pod("") && self.response_status.code == 200
    }

    /// Whether it wrote a terminal status of a pod.
    pub fn ends_pod(&self) -> bool {
        let phase = self.request_object.as_ref().and_then(|body| body.status.as_ref()).and_then(|s| s.phase.as_deref());
        self.verb == "patch"
            && self.is_pod("status")
            && self.response_status.code == 200
            && matches!(phase, Some("Succeeded" | "Failed"))
    }

    fn is_pod(&self, subresource: &str) -> bool {
        self.is_about_pods() && self.object_ref.subresource == subresource
    }

    /// Verb and resource, for a table; with the answer when that is a refusal.
    pub fn what(&self) -> String {
        let Object { resource, subresource, .. } = &self.object_ref;
        let slash = if subresource.is_empty() { "" } else { "/" };
        let refused = match self.response_status.code {
            code @ 400.. => format!(" ({code})"),
            _ => String::new(),
        };
        format!("{} {resource}{slash}{subresource}{refused}", self.verb)
    }
}

/// The log from a place on.
pub struct Log {
    path: PathBuf,
    at: u64,
    namespace: String,
    user: String,
}

impl Log {
    /// What is written from now on, of requests in this namespace and of those of this user.
    pub fn from_now(path: &Path, namespace: &str, user: &str) -> Result<Self> {
        let at = std::fs::metadata(path).with_context(|| format!("the audit log {}", path.display()))?.len();
        Ok(Self { path: path.to_owned(), at, namespace: namespace.to_owned(), user: user.to_owned() })
    }

    /// What was written since the last call.
    pub fn read(&mut self) -> Result<Vec<Request>> {
        let mut file = File::open(&self.path).with_context(|| format!("open {}", self.path.display()))?;
        ensure!(file.metadata()?.len() >= self.at, "the audit log was rotated: bring the lab up afresh");
        file.seek(SeekFrom::Start(self.at))?;
        let (mut lines, mut line, mut found) = (BufReader::new(file), String::new(), Vec::new());
        loop {
            line.clear();
            let read = lines.read_line(&mut line)?;
            // The last line may not be written to its end yet: it is read the next time.
            if read == 0 || !line.ends_with('\n') {
                return Ok(found);
            }
            self.at += read as u64;
            let request: Request =
                serde_json::from_str(&line).with_context(|| format!("a line of the audit log: {line}"))?;
            if request.stage == "ResponseComplete"
                && (request.object_ref.namespace == self.namespace || request.user.username == self.user)
            {
                found.push(request);
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write;

    /// A line of the log.
    pub fn line(user: &str, verb: &str, resource: &str, name: &str, phase: Option<&str>, times: [&str; 2]) -> String {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        json!({
            "stage": "ResponseComplete", "verb": verb, "user": {"username": user},
            "objectRef": {"resource": resource, "subresource": subresource, "namespace": "n", "name": name},
            "responseStatus": {"code": if verb == "create" { 201 } else { 200 }},
            "requestObject": {"status": {"phase": phase}},
            "requestReceivedTimestamp": times[0], "stageTimestamp": times[1],
        })
        .to_string()
    }

    const TIMES: [&str; 2] = ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.004000Z"];

    pub fn request(line: &str) -> Request {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn requests_are_told_apart() {
        let create = request(&line("o", "create", "pods", "p", None, TIMES));
        assert!(create.is_write() && create.creates_pod() && !create.reads_pods() && !create.ends_pod());
        let end = request(&line("k", "patch", "pods/status", "p", Some("Succeeded"), TIMES));
        assert!(end.ends_pod() && !end.creates_pod());
        assert!(!request(&line("k", "patch", "pods/status", "p", Some("Running"), TIMES)).ends_pod());
        assert!(!request(&line("o", "update", "leases", "l", None, TIMES)).is_write());
        assert!(request(&line("o", "get", "pods/log", "p", None, TIMES)).reads_pods());
        assert!(!request(&line("o", "watch", "pods", "", None, TIMES)).reads_pods());
        assert_eq!(end.what(), "patch pods/status");
    }

    #[test]
    fn a_line_that_is_not_whole_is_read_later() {
        let path = std::env::temp_dir().join(format!("hearth-bench-audit-{}", std::process::id()));
        let whole = line("o", "create", "pods", "p", None, TIMES);
        std::fs::write(&path, format!("{whole}\n")).unwrap();
        let mut log = Log::from_now(&path, "n", "o").unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let (begin, end) = whole.split_at(30);
        write!(file, "{whole}\n{begin}").unwrap();
        assert_eq!(log.read().unwrap().len(), 1);
        writeln!(file, "{end}").unwrap();
        assert_eq!(log.read().unwrap().len(), 1);
        assert_eq!(log.read().unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
    }
}
