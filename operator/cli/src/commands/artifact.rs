//! `artifact`: a file that a step left, fetched and compared with its digest.

use crate::{
    args::ArtifactArgs,
    client::{Download, segment},
    connect::Connected,
    error::CliError,
    record::{find, path},
    terminal::show,
};
use anyhow::{Context, anyhow};
use hearth_contract::digest::Hasher;
use http_body_util::BodyExt;
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

pub async fn artifact(connected: &mut Connected, args: &ArtifactArgs) -> Result<(), CliError> {
    let (step, name) = args
        .artifact
        .split_once('.')
        .ok_or_else(|| CliError::Usage(format!("{:?} is not STEP.ARTIFACT, for example clean.table", args.artifact)))?;
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await?;
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from(name));
    if file != Path::new("-") && file.exists() && !args.force {
        return Err(CliError::Usage(format!(
            "{} is there already: name another file by --to, or add --force",
            file.display()
        )));
    }
    let download = api.download(&format!("{}/artifacts/{}/{}", path(&run), segment(step), segment(name))).await?;
    if file == Path::new("-") {
        receive(download, &mut io::stdout().lock()).await?;
        return Ok(());
    }
    let mut partial = file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let kind = if download.is_tar { "the tar of a directory" } else { "a file" };
    let received = async {
        let mut to = File::create(&partial).with_context(|| format!("make {}", partial.display()))?;
        let bytes = receive(download, &mut to).await?;
        to.sync_all().context("write the file")?;
        std::fs::rename(&partial, &file).with_context(|| format!("make {}", file.display()))?;
        Ok::<_, CliError>(bytes)
    };
    match received.await {
        Ok(bytes) => show(&format!("{} is {kind} of {bytes} bytes, and has its digest\n", file.display())),
        Err(error) => {
            // What is left of it would be taken for the file.
            let _left = std::fs::remove_file(&partial);
            Err(error)
        }
    }
}

/// Copies what comes, and fails if it is not what the answer said that it would be.
async fn receive(mut download: Download, to: &mut impl Write) -> Result<u64, CliError> {
    let mut hasher = Hasher::default();
    while let Some(frame) = download.body.frame().await {
        let frame = frame.context("the download broke off: try again")?;
        if let Some(piece) = frame.data_ref() {
            hasher.update(piece);
            to.write_all(piece).context("write the file")?;
        }
    }
    let bytes = hasher.bytes();
    let found = hasher.finish().checksum_header();
    if download.digest.as_deref().is_some_and(|wanted| wanted != found) {
        return Err(
            anyhow!("what came is not what the record says (SHA-256 {found} in base64): run the step again").into()
        );
    }
    Ok(bytes)
}
