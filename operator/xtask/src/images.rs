//! Images, built by buildah and imported into the lab.

use clap::Args;

/// Arguments of `cargo xtask images`.
#[derive(Args)]
pub struct ImagesArgs {}

/// Builds and imports the images.
pub fn run(_args: ImagesArgs) -> anyhow::Result<()> {
    anyhow::bail!("images are not there yet")
}
