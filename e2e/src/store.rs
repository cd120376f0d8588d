//! The rows as Postgres holds them.

use crate::process::capture;
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// What a query gives, each row as JSON. The query is ours; values of others are never part of it.
///
/// # Errors
/// Postgres does not answer, or refuses.
pub fn query(sql: &str) -> Result<Vec<Value>> {
    let url = std::env::var("HEARTH_LAB_DATABASE_URL").or_else(|_| std::env::var("HEARTH_DATABASE_URL")).context(
        "neither HEARTH_LAB_DATABASE_URL nor HEARTH_DATABASE_URL is set: rows are compared with what Postgres holds",
    )?;
    let wrapped = format!("SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q");
    let said = capture(
        Command::new("psql").env("PGCONNECT_TIMEOUT", "10").args([
            "--no-psqlrc",
            "-v",
            "ON_ERROR_STOP=1",
            "-At",
            "-d",
            &url,
            "-c",
            &wrapped,
        ]),
        None,
    )?;
    serde_json::from_str(said.trim()).context("psql's JSON")
}

/// The row of a run.
///
/// # Errors
/// Postgres does not answer.
pub fn run(id: &str) -> Result<Option<Value>> {
    Ok(query(&format!("SELECT * FROM hearth.runs WHERE id = '{}'", safe(id)))?.into_iter().next())
}

/// All runs of the objects of a namespace, oldest first.
///
/// # Errors
/// Postgres does not answer.
pub fn runs_in(namespace: &str) -> Result<Vec<Value>> {
    query(&format!("SELECT * FROM hearth.runs WHERE namespace = '{}' ORDER BY name, number", safe(namespace)))
}

/// The rows of a run's steps.
///
/// # Errors
/// Postgres does not answer.
pub fn steps(run: &str) -> Result<Vec<Value>> {
    query(&format!("SELECT * FROM hearth.steps WHERE run_id = '{}' ORDER BY step, item, attempt", safe(run)))
}

/// The rows of a run's whole logs.
///
/// # Errors
/// Postgres does not answer.
pub fn logs(run: &str) -> Result<Vec<Value>> {
    query(&format!("SELECT * FROM hearth.logs WHERE run_id = '{}' ORDER BY step, item, attempt", safe(run)))
}

/// Letters, digits and dashes: what ids and names are made of.
fn safe(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}
