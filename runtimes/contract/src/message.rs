//! The termination message of a step with output artifacts.
//!
//! The command writes its outputs, a JSON object of at most [`MAX_OUTPUTS`] bytes, to `/dev/termination-log`. When it has
//! ended well and its artifacts are stored, the wrapper replaces the text by
//!
//! ```json
//! {"hearth.dev/v1":{"outputs":{…},"artifacts":{"model":["DIGEST",1234],"plots":["DIGEST",5678,"dir"]}}}
//! ```
//!
//! where DIGEST is SHA-256 in base64url without padding (43 characters), the number is the length in bytes, and `dir` says
//! that the bytes are the tar of a directory. The kubelet keeps 4,096 bytes: eight artifacts of at most 100 bytes each,
//! the outputs and the frame stay below that.

use crate::{MAX_ARTIFACTS, digest::Digest, name::is_artifact_name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use std::collections::BTreeMap;

/// The most bytes of a step's outputs.
pub const MAX_OUTPUTS: usize = 3072;
/// The most bytes of the whole message: the kubelet cuts at 4,096, so a message of that length was cut.
pub const MAX_MESSAGE: usize = 4095;
/// What an entry of `artifacts` says of a directory.
const DIRECTORY: &str = "dir";

/// What is known of an artifact once it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of the stored bytes.
    pub digest: Digest,
    /// Length of the stored bytes.
    pub bytes: u64,
    /// Whether they are the tar of a directory.
    pub directory: bool,
}

impl Fact {
    /// The media type of the stored bytes.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        if self.directory { "application/x-tar" } else { "application/octet-stream" }
    }
}

/// What a step with output artifacts wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its outputs.
    pub outputs: Map<String, Value>,
    /// Its artifacts by name.
    pub artifacts: BTreeMap<String, Fact>,
}

/// Why a message is not one.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The outputs are too long.
    #[error("the outputs are {0} bytes long and may be {MAX_OUTPUTS}: write less to /dev/termination-log")]
    OutputsTooLong(usize),
    /// The outputs are not a JSON object.
    #[error("/dev/termination-log does not hold a JSON object ({0}): write {{\"name\": value}}")]
    NotAnObject(serde_json::Error),
    /// The whole is too long.
    #[error("the termination message is {0} bytes long and may be {MAX_MESSAGE}")]
    TooLong(usize),
    /// Not what the wrapper writes.
    #[error("the termination message is not what hearth-step writes: {0}")]
    Foreign(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Framed<O> {
    #[serde(rename = "hearth.dev/v1")]
    v1: Body<O>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<O> {
    outputs: O,
    artifacts: BTreeMap<String, Entry>,
}

/// `[digest, bytes]` or `[digest, bytes, "dir"]`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    File(String, u64),
    Directory(String, u64, String),
}

impl From<&Fact> for Entry {
    fn from(fact: &Fact) -> Self {
        if fact.directory {
            Self::Directory(fact.digest.short(), fact.bytes, DIRECTORY.to_owned())
        } else {
            Self::File(fact.digest.short(), fact.bytes)
        }
    }
}

impl TryFrom<Entry> for Fact {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let (digest, bytes, directory) = match entry {
            Entry::File(digest, bytes) => (digest, bytes, false),
            Entry::Directory(digest, bytes, kind) if kind == DIRECTORY => (digest, bytes, true),
            Entry::Directory(_, _, kind) => return Err(format!("an artifact is of the unknown kind {kind:?}")),
        };
        let digest =
            Digest::from_short(&digest).map_err(|_| "an artifact has no digest of 43 characters".to_owned())?;
        Ok(Self { digest, bytes, directory })
    }
}

/// Puts what the command wrote and what became of its artifacts together. Text of only white space is no outputs.
///
/// # Errors
/// The outputs are too long or not a JSON object.
pub fn compose(written: &str, artifacts: &BTreeMap<String, Fact>) -> Result<String, MessageError> {
    let text = written.trim();
    let text = if text.is_empty() { "{}" } else { text };
    if text.len() > MAX_OUTPUTS {
        return Err(MessageError::OutputsTooLong(text.len()));
    }
    // An object is asked for, but the text goes on as it was written: numbers keep all their digits.
    serde_json::from_str::<Map<String, Value>>(text).map_err(MessageError::NotAnObject)?;
    let outputs: &RawValue = serde_json::from_str(text).map_err(MessageError::NotAnObject)?;
    let artifacts = artifacts.iter().map(|(name, fact)| (name.clone(), fact.into())).collect();
    let message = serde_json::to_string(&Framed { v1: Body { outputs, artifacts } })
        .map_err(|e| MessageError::Foreign(e.to_string()))?;
    if message.len() > MAX_MESSAGE { Err(MessageError::TooLong(message.len())) } else { Ok(message) }
}

/// Reads what [`compose`] wrote. Only for steps that run under the wrapper: in the message of another step the same text
/// would be outputs.
///
/// # Errors
/// Anything else.
pub fn parse(message: &str) -> Result<Message, MessageError> {
    if message.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong(message.len()));
    }
    let framed: Framed<Map<String, Value>> =
        serde_json::from_str(message.trim()).map_err(|e| MessageError::Foreign(e.to_string()))?;
    let Body { outputs, artifacts } = framed.v1;
    if artifacts.len() > MAX_ARTIFACTS {
        return Err(MessageError::Foreign(format!(
            "{} artifacts, at most {MAX_ARTIFACTS} are possible",
            artifacts.len()
        )));
    }
    if let Some(name) = artifacts.keys().find(|name| !is_artifact_name(name)) {
        return Err(MessageError::Foreign(format!("{name:?} is no name of an artifact")));
    }
    let fact = |(name, entry): (String, Entry)| Fact::try_from(entry).map(|f| (name, f)).map_err(MessageError::Foreign);
    Ok(Message { outputs, artifacts: artifacts.into_iter().map(fact).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_BYTES, name::MAX_NAME};
    use proptest::prelude::*;

    fn fact(directory: bool) -> Fact {
        Fact { digest: Digest::of(b"x"), bytes: MAX_BYTES, directory }
    }

    #[test]
    fn the_largest_message_fits_and_an_artifact_takes_at_most_100_bytes() {
        let names: Vec<String> = (0..MAX_ARTIFACTS).map(|n| format!("{n:a>MAX_NAME$}")).collect();
        let artifacts: BTreeMap<String, Fact> = names.into_iter().map(|n| (n, fact(true))).collect();
        let outputs = format!(r#"{{"x":"{}"}}"#, "y".repeat(MAX_OUTPUTS - 8));
        assert_eq!(outputs.len(), MAX_OUTPUTS);
        let whole = compose(&outputs, &artifacts).unwrap();
        let without = compose(&outputs, &BTreeMap::new()).unwrap();
        assert!(whole.len() <= MAX_MESSAGE, "{}", whole.len());
        assert!((whole.len() - without.len()).div_ceil(MAX_ARTIFACTS) <= 100);
        assert_eq!(parse(&whole).unwrap().artifacts, artifacts);
    }

    #[test]
    fn outputs_go_on_as_they_were_written() {
        let text = r#"{"big":12345678901234567890123,"a":1.10,"hearth.dev/v1":{}}"#;
        let message = compose(text, &BTreeMap::from([("m".to_owned(), fact(false))])).unwrap();
        assert!(message.contains(text), "{message}");
        let read = parse(&message).unwrap();
        assert!(read.outputs.contains_key("hearth.dev/v1"), "a step cannot pose as the wrapper");
        assert_eq!(compose(" \n", &BTreeMap::new()).unwrap(), r#"{"hearth.dev/v1":{"outputs":{},"artifacts":{}}}"#);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["[]", "1", "null", "{", "{} x", "done"] {
            assert!(matches!(compose(bad, &BTreeMap::new()), Err(MessageError::NotAnObject(_))), "{bad}");
        }
        let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(MAX_OUTPUTS));
        assert!(matches!(compose(&long, &BTreeMap::new()), Err(MessageError::OutputsTooLong(3080))));
    }

    #[test]
    fn what_the_wrapper_did_not_write_is_refused() {
        let digest = Digest::of(b"x").short();
        for bad in [
            String::new(),
            "{}".to_owned(),
            r#"{"outputs":{},"artifacts":{}}"#.to_owned(),
            r#"{"hearth.dev/v1":{"outputs":[],"artifacts":{}}}"#.to_owned(),
            r#"{"hearth.dev/v1":{"outputs":{},"artifacts":{},"more":1}}"#.to_owned(),
            r#"{"hearth.dev/v1":{"outputs":{},"artifacts":{"m":["short",1]}}}"#.to_owned(),
            format!(r#"{{"hearth.dev/v1":{{"outputs":{{}},"artifacts":{{"m":["{digest}",-1]}}}}}}"#),
            format!(r#"{{"hearth.dev/v1":{{"outputs":{{}},"artifacts":{{"m":["{digest}",1,"zip"]}}}}}}"#),
            format!(r#"{{"hearth.dev/v1":{{"outputs":{{}},"artifacts":{{"../m":["{digest}",1]}}}}}}"#),
            "x".repeat(4096),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = parse(&text);
            let _ = compose(&text, &BTreeMap::new());
        }
    }
}
