//! `artifact`: a file that a step left, fetched and compared with its digest.

use crate::{
    args::ArtifactArgs,
    client::segment,
    connect::Connected,
    error::CliError,
    record::{find, path},
    terminal::show,
};
use anyhow::Context;
use std::{
    fs::File,
    io,
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
    let download = api.download(&format!("{}/artifacts/{}/{}", path(&run), segment(step), segment(name)), &[]).await?;
    if file == Path::new("-") {
        download.copy(&mut io::stdout().lock()).await?;
        return Ok(());
    }
    let mut partial = file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let kind = if download.is_tar { "the tar of a directory" } else { "a file" };
    let received = async {
        let mut to = File::create(&partial).with_context(|| format!("make {}", partial.display()))?;
        let bytes = download.copy(&mut to).await?;
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
