//! `api`: the API itself.

use crate::{args::ApiArgs, connect::Connected, error::CliError, terminal::put};
use anyhow::Context;
use std::io::{Read, stdout};

/// The longest body that the API takes, and some more: it says that itself.
const LONGEST: u64 = 2 * 1024 * 1024;

pub async fn api(connected: &mut Connected, asked: &ApiArgs) -> Result<(), CliError> {
    let body = match asked.post.as_deref() {
        // As it comes, however long and whatever it is.
        None => return connected.api.download(&asked.path, &[]).await?.copy(&mut stdout().lock()).await.map(drop),
        Some("-") => stdin()?,
        Some(text) => text.as_bytes().to_vec(),
    };
    let answer = connected.api.raw(&asked.path, asked.id.as_deref(), body).await?;
    put(&format!("{}\n", String::from_utf8_lossy(&answer)))
}

fn stdin() -> Result<Vec<u8>, CliError> {
    let mut body = Vec::new();
    std::io::stdin().lock().take(LONGEST).read_to_end(&mut body).context("read standard input")?;
    Ok(body)
}
