//! An S3 server: versitygw over a folder of the lab, with TLS by the lab's authority, on the node's address.

use super::pki;
use super::place::{ADDRESS, Lab};
use crate::tools;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const PORT: u16 = 7070;
const BUCKET: &str = "hearth";
const ACCESS_KEY: &str = "hearth";

/// The bucket, as the operator is told of it.
#[derive(Debug)]
pub struct Bucket {
    /// Its name.
    pub name: &'static str,
    /// `https://HOST:PORT`, good within the namespace and in pods.
    pub endpoint: String,
    /// The user.
    pub access_key: &'static str,
    /// The user's secret, made once for each lab.
    pub secret_key: String,
    /// The certificate that the server's own is signed by, in PEM.
    pub authority: String,
    /// Where the server keeps it: an object is a file.
    pub folder: PathBuf,
}

/// The lab's bucket.
pub fn bucket(lab: &Lab) -> Result<Bucket> {
    let authority = authority(lab);
    Ok(Bucket {
        name: BUCKET,
        endpoint: format!("https://{ADDRESS}:{PORT}"),
        access_key: ACCESS_KEY,
        secret_key: pki::secret(lab, "s3-secret")?,
        authority: fs::read_to_string(&authority).with_context(|| format!("read {}", authority.display()))?,
        folder: folder(lab),
    })
}

/// Where the server keeps the bucket.
pub fn folder(lab: &Lab) -> PathBuf {
    data(lab).join(BUCKET)
}

/// The server, in the foreground.
pub fn command(lab: &Lab) -> Result<Command> {
    // What it knows of an object lies beside the data: not every file system has extended attributes.
    let known = lab.state.join("s3/known");
    for folder in [&folder(lab), &known] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let pki = pki::folder(lab);
    let mut command = lab.inside(tools::versitygw()?);
    command
        .env("ROOT_ACCESS_KEY_ID", ACCESS_KEY)
        .env("ROOT_SECRET_ACCESS_KEY", pki::secret(lab, "s3-secret")?)
        .args(["--port", &format!("{ADDRESS}:{PORT}"), "--cert"])
        .arg(pki.join("s3.crt"))
        .arg("--key")
        .arg(pki.join("s3.key"))
        .args(["posix", "--sidecar"])
        .arg(known)
        .arg(data(lab));
    Ok(command)
}

/// A command that ends well when the server answers with a certificate that is good.
pub fn greeting(lab: &Lab) -> Command {
    let mut command = lab.inside("openssl");
    command
        .args(["s_client", "-connect", &format!("{ADDRESS}:{PORT}"), "-verify_ip", ADDRESS, "-verify_return_error"])
        .arg("-CAfile")
        .arg(authority(lab));
    command
}

fn data(lab: &Lab) -> PathBuf {
    lab.state.join("s3/data")
}

fn authority(lab: &Lab) -> PathBuf {
    pki::folder(lab).join("ca.crt")
}
