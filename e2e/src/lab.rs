//! The lab's parts: stopping, hanging and starting them, and people's kubeconfigs.

use crate::{cluster, process::capture};
use anyhow::{Context, Result, ensure};
use std::{
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::NamedTempFile;

/// `cargo xtask lab …` on the lab that these tests run in.
///
/// # Errors
/// These tests do not run in a lab, or the lab refuses.
pub fn lab(args: &[&str]) -> Result<String> {
    let name = std::env::var("HEARTH_LAB").unwrap_or_default();
    ensure!(!name.is_empty(), "this test stops and starts parts of the cluster: it needs the lab (`make lab`)");
    let program = cluster::built("HEARTH_XTASK", "xtask")?;
    capture(Command::new(program).current_dir(cluster::root()).args(["lab", "--name", &name]).args(args), None)
}

/// A part that is down or hangs, and is up again when this value goes, whatever happens in between.
#[derive(Debug)]
pub struct Away {
    part: &'static str,
    back: Option<&'static str>,
}

impl Away {
    /// Stops a part.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn stopped(part: &'static str) -> Result<Self> {
        lab(&["stop", part])?;
        Ok(Self { part, back: Some("start") })
    }

    /// Makes a part hang: it takes connections and answers nothing.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn hanging(part: &'static str) -> Result<Self> {
        lab(&["pause", part])?;
        Ok(Self { part, back: Some("cont") })
    }

    /// Brings it back.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn back(mut self) -> Result<()> {
        self.back.take().map_or(Ok(()), |verb| lab(&[verb, self.part]).map(drop))
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let Some(verb) = self.back.take()
            && let Err(error) = lab(&[verb, self.part])
        {
            eprintln!("{} is still away: {error:#}", self.part);
        }
    }
}

/// Where the lab's S3 server keeps the bucket: an object is a file.
///
/// # Errors
/// There is no lab.
pub fn bucket() -> Result<PathBuf> {
    std::env::var_os("HEARTH_LAB_BUCKET").map(PathBuf::from).context("HEARTH_LAB_BUCKET is not set: run within the lab")
}

/// What S3 says when it has too much to do.
const BUSY: &str = r#"while IFS= read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
body='<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
printf 'HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' ${#body} "$body"
"#;

/// Something that stands where the S3 server is when it runs, and answers 503 to all, until this value goes.
#[derive(Debug)]
pub struct Busy {
    server: Child,
    _script: NamedTempFile,
}

impl Busy {
    /// In place of the S3 server, which is stopped.
    ///
    /// # Errors
    /// It does not listen in time.
    pub fn s3(address: &str) -> Result<Self> {
        let pki = bucket()?.ancestors().nth(3).unwrap_or(Path::new("/")).join("pki");
        let mut script = NamedTempFile::new()?;
        script.write_all(BUSY.as_bytes())?;
        let (host, port) = address.rsplit_once(':').context("an address is HOST:PORT")?;
        let file = |name: &str| pki.join(name).display().to_string();
        let listen = format!(
            "OPENSSL-LISTEN:{port},bind={host},reuseaddr,fork,verify=0,cert={},key={}",
            file("s3.crt"),
            file("s3.key")
        );
        let answer = format!("EXEC:sh {}", script.path().display());
        // It says of each connection that is broken off that it is, also of the first one below.
        let server =
            Command::new("socat").args([listen, answer]).stderr(Stdio::null()).spawn().context("start socat")?;
        let busy = Self { server, _script: script };
        crate::until("the busy S3 server listens", Duration::from_secs(20), || Ok(TcpStream::connect(address).ok()))?;
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _end = self.server.wait();
    }
}

/// Kubeconfig of a user by client certificate.
///
/// # Errors
/// The lab refuses.
pub fn user(name: &str, group: &str) -> Result<PathBuf> {
    path_of(&lab(&["kubeconfig", "--user", name, "--group", group])?)
}

/// Kubeconfig of a service account by token.
///
/// # Errors
/// The lab refuses.
pub fn service_account(namespace: &str, name: &str) -> Result<PathBuf> {
    path_of(&lab(&["kubeconfig", "--service-account", &format!("{namespace}/{name}")])?)
}

fn path_of(said: &str) -> Result<PathBuf> {
    said.lines().last().map(PathBuf::from).context("the lab named no kubeconfig")
}
