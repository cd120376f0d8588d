//! The command, and what becomes of its artifacts.

use crate::{
    child,
    failure::Failure,
    pack::Output,
    place::Place,
    recorder::Recorder,
    retry::{Patience, Trouble},
    say::say,
    transfer::Transfer,
};
use hearth_contract::{
    message::{Fact, compose},
    spec::Artifact,
};
use hearth_recorder_proto::v1::{Access, PresignRequest};
use std::{collections::BTreeMap, ffi::OsString, fs};

/// Runs the command and gives its exit code. After 0 the artifacts are stored and the termination message gets its form;
/// after any other code everything is left as it is.
pub fn run(place: &Place, command: &[OsString], patience: Patience) -> Result<u8, Failure> {
    let spec = place.spec()?;
    // A spec that names nobody to ask is said before hours of work.
    let recorder = (!spec.artifacts.is_empty()).then(|| Recorder::new(place, &spec)).transpose()?;
    folders(place, &spec.artifacts)?;
    let code = child::run(command)?;
    let Some(recorder) = recorder.filter(|_| code == 0) else { return Ok(code) };
    let written = place.outputs().map_err(|e| Failure::Io(format!("/dev/termination-log: {e}")))?;
    let message = |facts: &BTreeMap<String, Fact>| compose(&written, facts).map_err(|e| Failure::Data(e.to_string()));
    // What is wrong is said before anything is uploaded.
    message(&BTreeMap::new())?;
    let found = spec.artifacts.iter().map(|artifact| find(place, artifact)).collect::<Result<Vec<_>, _>>()?;
    let facts = store(&recorder, &Transfer::new(place)?, &found, &patience.begin())?;
    place.conclude(&message(&facts)?).map_err(|e| Failure::Io(format!("/dev/termination-log: {e}")))?;
    Ok(0)
}

/// Makes the folders that artifacts lie in.
fn folders(place: &Place, artifacts: &[Artifact]) -> Result<(), Failure> {
    for artifact in artifacts {
        if let Some(parent) = place.at(&artifact.path).parent() {
            fs::create_dir_all(parent).map_err(|e| Failure::Io(format!("{}: {e}", artifact.path)))?;
        }
    }
    Ok(())
}

/// An output artifact that is there.
struct Found<'a> {
    name: &'a str,
    output: Output,
    fact: Fact,
}

fn find<'a>(place: &Place, artifact: &'a Artifact) -> Result<Found<'a>, Failure> {
    let name = artifact.name.as_str();
    let output = Output::find(name, &artifact.path, place.at(&artifact.path))?;
    let fact = output.measure(name)?;
    Ok(Found { name, output, fact })
}

fn store(
    recorder: &Recorder<'_>,
    transfer: &Transfer,
    found: &[Found<'_>],
    patience: &Patience,
) -> Result<BTreeMap<String, Fact>, Failure> {
    for one in found {
        patience.with(&format!("artifact {}", one.name), || upload(recorder, transfer, one))?;
        say(format_args!("artifact {} is stored: {}, {} bytes", one.name, one.fact.digest, one.fact.bytes));
    }
    Ok(found.iter().map(|one| (one.name.to_owned(), one.fact)).collect())
}

fn upload(recorder: &Recorder<'_>, transfer: &Transfer, one: &Found<'_>) -> Result<(), Trouble> {
    let leave = recorder.presign(PresignRequest {
        attempt: 0,
        name: one.name.to_owned(),
        access: Access::Write.into(),
        digest: one.fact.digest.to_string(),
        size: one.fact.bytes,
    })?;
    let mut bytes = one.output.open().map_err(|e| Trouble::Lasting(e.to_string()))?;
    transfer.put(&leave, &mut bytes)
}
