//! The digest of a file.

use hearth_runtime::Failure;
use sha2::{Digest, Sha256};
use std::{fmt::Write, fs::File, io::Read, path::Path};

/// The SHA-256 of a file's content as `sha256:` and 64 hexadecimal digits, and its bytes.
///
/// # Errors
///
/// 74 when the file can't be read.
pub fn digest(path: &Path) -> Result<(String, u64), Failure> {
    let io = |error: std::io::Error| Failure::io(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        bytes += u64::try_from(read).unwrap_or_default();
    }
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    Ok((text, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_sha256sum() {
        let path = std::env::temp_dir().join(format!("hearth-table-digest-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let found = digest(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        // FIPS 180-4, example of one block.
        assert_eq!(found.0, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(found.1, 3);
        assert_eq!(digest(&path).unwrap_err().code.number(), 74);
    }
}
