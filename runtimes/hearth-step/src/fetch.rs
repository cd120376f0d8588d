//! Inputs: there and verified before the command starts.

use crate::{
    failure::Failure,
    place::Place,
    recorder::Recorder,
    retry::{Patience, Trouble},
    say::say,
    transfer::Transfer,
    unpack::{UnpackError, unpack},
};
use hearth_contract::{
    digest::Hasher,
    spec::{Input, Spec},
};
use hearth_recorder_proto::v1::{Access, PresignRequest};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Downloads all inputs, one after the other.
pub fn fetch(place: &Place, patience: &Patience) -> Result<(), Failure> {
    let spec: Spec = place.spec()?;
    if spec.inputs.is_empty() {
        return Ok(());
    }
    let recorder = Recorder::new(place, &spec)?;
    let transfer = Transfer::new(place)?;
    for input in &spec.inputs {
        patience.with(&format!("input {}", input.name), || one(place, &recorder, &transfer, input))?;
        say(format_args!("input {} is at {}, {} bytes", input.name, input.path, input.bytes));
    }
    Ok(())
}

fn one(place: &Place, recorder: &Recorder<'_>, transfer: &Transfer, input: &Input) -> Result<(), Trouble> {
    let target = place.at(&input.path);
    let partial = beside(&target);
    let lasting = |e: io::Error| Trouble::Lasting(format!("{}: {e}", input.path));
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(lasting)?;
    }
    remove(&partial).map_err(lasting)?;
    let leave = recorder.presign(PresignRequest {
        attempt: 0,
        name: input.name.clone(),
        access: Access::Read.into(),
        digest: input.digest.to_string(),
        size: input.bytes,
    })?;
    let mut bytes =
        Hashing { from: transfer.get(&leave)?.take(input.bytes.saturating_add(1)), hasher: Hasher::default() };
    let written = write(&mut bytes, &partial, input).and_then(|()| verify(bytes, input));
    match written {
        Ok(()) => fs::rename(&partial, &target).map_err(lasting),
        Err(trouble) => {
            // What is left is removed by the next try as well.
            let _left = remove(&partial);
            Err(trouble)
        }
    }
}

/// Where an input lies until it is whole.
fn beside(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".partial-");
    name.push(target.file_name().unwrap_or_default());
    target.with_file_name(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write(bytes: &mut impl Read, partial: &Path, input: &Input) -> Result<(), Trouble> {
    if !input.directory {
        let copied = File::create(partial).and_then(|mut file| io::copy(bytes, &mut file));
        return copied.map(drop).map_err(|e| local_or_passing(&e));
    }
    match unpack(&mut *bytes, partial, input.bytes) {
        Ok(()) => Ok(()),
        Err(UnpackError::Io(error)) => return Err(local_or_passing(&error)),
        Err(refused) => return Err(Trouble::Lasting(refused.to_string())),
    }?;
    // Behind the last entry there may be padding, which is part of the digest.
    io::copy(bytes, &mut io::sink()).map(drop).map_err(|e| local_or_passing(&e))
}

/// A full volume stays full; what else breaks is the connection.
fn local_or_passing(error: &io::Error) -> Trouble {
    let why = error.to_string();
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::ReadOnlyFilesystem => Trouble::Lasting(why),
        _ => Trouble::Passing(why),
    }
}

fn verify<R: Read>(bytes: Hashing<R>, input: &Input) -> Result<(), Trouble> {
    let came = bytes.hasher.bytes();
    if came < input.bytes {
        return Err(Trouble::Passing(format!("the download ended after {came} of {} bytes", input.bytes)));
    }
    let found = bytes.hasher.finish();
    if came > input.bytes || found != input.digest {
        return Err(Trouble::Lasting(format!(
            "the store gave other bytes ({found}) than {}: the artifact is damaged, make it again",
            input.digest
        )));
    }
    Ok(())
}

/// Bytes that are counted and digested as they pass.
struct Hashing<R> {
    from: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.hasher.update(to.get(..read).unwrap_or_default());
        Ok(read)
    }
}
