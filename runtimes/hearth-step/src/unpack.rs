//! The tar of a directory, unpacked: files and directories below one folder, and nothing else.

use crate::pack::MAX_ENTRIES;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};
use tar::{Archive, Entry, EntryType};

/// Why a tar is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It holds something that is refused.
    #[error("{entry:?} in the tar {why}")]
    Refused {
        /// Which entry.
        entry: String,
        /// What it is.
        why: &'static str,
    },
    /// It holds more than is allowed.
    #[error("the tar holds more than {0}")]
    TooMuch(String),
    /// It cannot be read, or its content not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Unpacks into a folder that nobody else writes to; it is made. `most` bounds the bytes of all files.
pub fn unpack(from: impl Read, folder: &Path, most: u64) -> Result<(), UnpackError> {
    fs::create_dir(folder)?;
    let (mut entries, mut left) = (0_usize, most);
    for entry in Archive::new(from).entries()? {
        let mut entry = entry?;
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(UnpackError::TooMuch(format!("{MAX_ENTRIES} entries")));
        }
        let path = folder.join(plain(&entry)?);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(path)?,
            EntryType::Regular => {
                left = left
                    .checked_sub(entry.size())
                    .ok_or_else(|| UnpackError::TooMuch(format!("{most} bytes of files")))?;
                write(&mut entry, &path)?;
            }
            _ => return Err(refused(&entry, "is neither a file nor a directory")),
        }
    }
    Ok(())
}

/// The entry's path, if it is made of plain names alone.
fn plain(entry: &Entry<'_, impl Read>) -> Result<PathBuf, UnpackError> {
    let path = entry.path()?;
    let all_plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    if all_plain && path.components().next().is_some() {
        Ok(path.into_owned())
    } else {
        Err(refused(entry, "leads out of its folder"))
    }
}

fn refused(entry: &Entry<'_, impl Read>, why: &'static str) -> UnpackError {
    UnpackError::Refused { entry: String::from_utf8_lossy(&entry.path_bytes()).into_owned(), why }
}

fn write(entry: &mut Entry<'_, impl Read>, path: &Path) -> Result<(), UnpackError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let executable = entry.header().mode()? & 0o100 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    io::copy(entry, &mut file)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tar::{Builder, Header};

    /// A folder that goes with this value.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("hearth-step-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A tar with one entry whose name is written as it is, whatever it says.
    fn tar(name: &[u8], kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let mut tar = Builder::new(Vec::new());
        tar.append(&header, content).unwrap();
        tar.into_inner().unwrap()
    }

    fn refused(bytes: &[u8]) -> UnpackError {
        let folder = Folder::new();
        let error = unpack(bytes, &folder.path().join("in"), 1000).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside the folder");
        error
    }

    #[test]
    fn ways_out_of_the_folder_are_refused() {
        for name in [&b"../x"[..], b"/etc/x", b"a/../../x", b"..", b"a/..", b"."] {
            let error = refused(&tar(name, EntryType::Regular, b"x"));
            assert!(matches!(error, UnpackError::Refused { .. }), "{}: {error}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn only_files_and_directories_are_made() {
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Block,
            EntryType::Fifo,
            EntryType::Continuous,
            EntryType::GNUSparse,
        ] {
            assert!(unpack(&tar(b"x", kind, b"")[..], &Folder::new().path().join("in"), 1000).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn limits_hold() {
        assert!(matches!(refused(&tar(b"x", EntryType::Regular, &[0; 1001])), UnpackError::TooMuch(_)));
        let mut many = Builder::new(Vec::new());
        for n in 0..=MAX_ENTRIES {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            many.append_data(&mut header, if n == 0 { "a" } else { "a/b" }, io::empty()).unwrap();
        }
        assert!(matches!(refused(&many.into_inner().unwrap()), UnpackError::TooMuch(_)));
    }

    #[test]
    fn the_same_name_twice_is_refused_and_a_cut_tar_too() {
        let mut twice = tar(b"x", EntryType::Regular, b"1");
        twice.truncate(1024);
        twice.extend(tar(b"x", EntryType::Regular, b"2"));
        assert!(matches!(refused(&twice), UnpackError::Io(_)));
        let cut = tar(b"x", EntryType::Regular, &[1; 900]);
        assert!(matches!(refused(&cut[..800]), UnpackError::Io(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_write_beside_the_folder(junk in prop::collection::vec(any::<u8>(), 0..1500), name in prop::collection::vec(any::<u8>(), 1..90)) {
            let folder = Folder::new();
            let _ = unpack(&junk[..], &folder.path().join("in"), 1000);
            let _ = unpack(&tar(&name, EntryType::Regular, b"x")[..], &folder.path().join("in2"), 1000);
            prop_assert!(fs::read_dir(folder.path()).unwrap().count() <= 2);
        }
    }
}
