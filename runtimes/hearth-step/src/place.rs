//! Where things are in the pod.

use crate::{failure::Failure, say::say};
use hearth_contract::{
    CA, STORE_CA, TOKEN,
    spec::{MAX_SPEC, Spec},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The most that is read of a token, a bundle of certificates or the termination log.
const MAX_FILE: u64 = 1024 * 1024;

/// Paths below a root, which is `/` in a pod.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// Below that root.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where an absolute path of the pod is.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What this attempt reads and writes.
    pub fn spec(&self) -> Result<Spec, Failure> {
        let path = self.at("/hearth/spec.json");
        let text = read(&path, u64::try_from(MAX_SPEC).unwrap_or(MAX_FILE) + 1)
            .map_err(|e| Failure::Config(format!("{}: {e}", path.display())))?;
        Spec::parse(&text).map_err(|e| Failure::Config(e.to_string()))
    }

    /// The token that the kubelet keeps fresh.
    pub fn token(&self) -> io::Result<String> {
        read(&self.at(TOKEN), MAX_FILE).map(|t| t.trim().to_owned())
    }

    /// The certificate authorities of the operator, in PEM. There may be two while they change.
    pub fn ca(&self) -> io::Result<String> {
        read(&self.at(CA), MAX_FILE)
    }

    /// The certificate authorities of the artifact store, in PEM; empty when the public ones are enough.
    pub fn store_ca(&self) -> io::Result<String> {
        match read(&self.at(STORE_CA), MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            other => other,
        }
    }

    /// What the command wrote as its outputs. Bytes that are no text become signs that no JSON has.
    pub fn outputs(&self) -> io::Result<String> {
        match File::open(self.log()) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(MAX_FILE).read_to_end(&mut bytes)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the termination message. The file is a mount, so it is written in place.
    pub fn conclude(&self, message: &str) -> io::Result<()> {
        fs::write(self.log(), message)
    }

    /// Says in the termination message why the task was not done.
    pub fn explain(&self, failure: &Failure) {
        let text = format!("hearth-step: {failure}\n");
        let text: String = text.chars().take(1000).collect();
        if let Err(error) = self.conclude(&text) {
            // The log has it, and the kubelet falls back to the log.
            say(format_args!("/dev/termination-log: {error}"));
        }
    }

    fn log(&self) -> PathBuf {
        self.at("/dev/termination-log")
    }
}

fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}
