//! The API server's audit log: what the operator asked for, and what it was answered.

use crate::{OPERATOR_NAMESPACE, lab::lab, status::text};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
};

/// The operator's user name.
#[must_use]
pub fn operator() -> String {
    format!("system:serviceaccount:{OPERATOR_NAMESPACE}:hearth")
}

/// The end of the log now.
///
/// # Errors
/// There is no lab.
pub fn mark() -> Result<u64> {
    lab(&["audit", "--mark"])?.trim().parse().context("a mark is a number")
}

/// Calls `each` with every event of the operator's since the mark.
///
/// # Errors
/// The log cannot be read.
pub fn events(since: u64, mut each: impl FnMut(&Value)) -> Result<()> {
    let path = lab(&["audit"])?;
    let mut file = File::open(path.trim()).with_context(|| format!("open {}", path.trim()))?;
    file.seek(SeekFrom::Start(since))?;
    let user = operator();
    for line in BufReader::new(file).lines() {
        let line = line?;
        // Most lines are of others: they are told apart before they are parsed.
        if !line.contains(&user) {
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        if text(&event, "/user/username") == user {
            each(&event);
        }
    }
    Ok(())
}

/// What was forbidden to these pods of the operator, in words, but for one namespace.
///
/// # Errors
/// The log cannot be read.
pub fn forbidden(pods: &[String], except: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    events(0, |event| {
        let pod = event.pointer("/user/extra/authentication.kubernetes.io~1pod-name/0").and_then(Value::as_str);
        if pod.is_some_and(|name| pods.iter().any(|one| one == name))
            && text(event, "/annotations/authorization.k8s.io~1decision") == "forbid"
            && text(event, "/objectRef/namespace") != except
        {
            all.push(format!("{} {}", text(event, "/verb"), text(event, "/requestURI")));
        }
    })?;
    Ok(all)
}

/// Names of the pods that the operator created in a namespace since the mark, in order.
///
/// # Errors
/// The log cannot be read.
pub fn pods_created(namespace: &str, since: u64) -> Result<Vec<String>> {
    let mut names = Vec::new();
    events(since, |event| {
        let created = text(event, "/verb") == "create"
            && text(event, "/objectRef/resource") == "pods"
            && event.pointer("/objectRef/subresource").is_none()
            && text(event, "/objectRef/namespace") == namespace
            && text(event, "/stage") == "ResponseComplete"
            && event.pointer("/responseStatus/code").and_then(Value::as_i64) == Some(201);
        if created {
            names.push(text(event, "/objectRef/name").to_owned());
        }
    })?;
    Ok(names)
}
