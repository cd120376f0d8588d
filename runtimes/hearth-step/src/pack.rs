//! What a step wrote, as bytes: a file as it is, a directory as a tar that is the same for the same content.

use crate::failure::Failure;
use hearth_contract::{MAX_BYTES, digest::Hasher, message::Fact};
use std::{
    fs::{self, File, Metadata},
    io::{self, PipeReader, PipeWriter, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread::JoinHandle,
};
use tar::{Builder, EntryType, Header};

/// The most entries of a directory.
pub const MAX_ENTRIES: usize = 100_000;

/// A file or directory that is an output artifact.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    /// What is in the directory, parents before children, siblings sorted by their bytes; None for a file.
    entries: Option<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Below the directory.
    path: PathBuf,
    /// None for a directory.
    file: Option<Regular>,
}

#[derive(Clone, Copy, Debug)]
struct Regular {
    size: u64,
    executable: bool,
}

impl Output {
    /// Looks at what is there. `name` and `shown` are for messages: the artifact and its path in the pod.
    pub fn find(name: &str, shown: &str, path: PathBuf) -> Result<Self, Failure> {
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::Data(format!(
                    "artifact {name}: there is nothing at {shown}: write a file or a directory there, or take the \
                     artifact out of the step"
                )));
            }
            Err(error) => return Err(Failure::Io(format!("artifact {name}: {shown}: {error}"))),
        };
        let entries = if meta.is_dir() {
            let mut entries = Vec::new();
            walk(&path, Path::new(""), &mut entries).map_err(|why| Failure::Data(format!("artifact {name}: {why}")))?;
            Some(entries)
        } else if meta.is_file() {
            None
        } else {
            return Err(Failure::Data(format!("artifact {name}: {shown} is neither a file nor a directory")));
        };
        Ok(Self { path, entries })
    }

    /// Digest and length of its bytes.
    pub fn measure(&self, name: &str) -> Result<Fact, Failure> {
        let mut hasher = Hasher::default();
        let read = self.open().and_then(|mut bytes| io::copy(&mut bytes, &mut hasher));
        read.map_err(|e| Failure::Io(format!("artifact {name}: {e}")))?;
        let bytes = hasher.bytes();
        if bytes > MAX_BYTES {
            return Err(Failure::Data(format!(
                "artifact {name}: {bytes} bytes are more than {MAX_BYTES}: write several"
            )));
        }
        Ok(Fact { digest: hasher.finish(), bytes, directory: self.entries.is_some() })
    }

    /// Its bytes. A directory is packed while it is read, so it needs no room.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        let Some(entries) = &self.entries else {
            return Ok(Box::new(File::open(&self.path)?));
        };
        let (reader, writer) = io::pipe()?;
        let (folder, entries) = (self.path.clone(), entries.clone());
        let packer = std::thread::Builder::new().spawn(move || pack(&folder, &entries, writer))?;
        Ok(Box::new(Packed { reader, packer: Some(packer) }))
    }
}

/// Lists a directory. The error says what is wrong where.
fn walk(root: &Path, below: &Path, entries: &mut Vec<Entry>) -> Result<(), String> {
    let folder = root.join(below);
    let said = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let listed =
        fs::read_dir(&folder).and_then(|list| list.map(|e| Ok(e?.file_name())).collect::<io::Result<Vec<_>>>());
    let mut names = listed.map_err(|e| said(&folder, &e))?;
    names.sort();
    for name in names {
        if entries.len() >= MAX_ENTRIES {
            return Err(format!("more than {MAX_ENTRIES} files: pack them into one"));
        }
        let path = below.join(name);
        let meta = fs::symlink_metadata(root.join(&path)).map_err(|e| said(&root.join(&path), &e))?;
        if meta.is_dir() {
            entries.push(Entry { path: path.clone(), file: None });
            walk(root, &path, entries)?;
        } else if meta.is_file() {
            entries.push(Entry { path, file: Some(regular(&meta)) });
        } else {
            return Err(said(
                &root.join(&path),
                &"is neither a file nor a directory: links and devices are not stored",
            ));
        }
    }
    Ok(())
}

fn regular(meta: &Metadata) -> Regular {
    Regular { size: meta.len(), executable: meta.permissions().mode() & 0o100 != 0 }
}

/// Nothing but names, content and whether a file is executable gets into the tar: no times, no owners.
fn pack(folder: &Path, entries: &[Entry], to: PipeWriter) -> io::Result<()> {
    let mut tar = Builder::new(io::BufWriter::with_capacity(64 * 1024, to));
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        match entry.file {
            None => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                tar.append_data(&mut header, &entry.path, io::empty())?;
            }
            Some(file) => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if file.executable { 0o755 } else { 0o644 });
                header.set_size(file.size);
                let path = folder.join(&entry.path);
                let mut content = File::open(&path)?.take(file.size);
                tar.append_data(&mut header, &entry.path, &mut content)?;
                if content.limit() > 0 {
                    return Err(io::Error::other(format!("{} became shorter while it was stored", path.display())));
                }
            }
        }
    }
    tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// What a packer writes. At its end the reader learns how the packer ended.
struct Packed {
    reader: PipeReader,
    packer: Option<JoinHandle<io::Result<()>>>,
}

impl Read for Packed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(to)?;
        if read == 0
            && !to.is_empty()
            && let Some(packer) = self.packer.take()
        {
            packer.join().map_err(|_| io::Error::other("the packer of a directory failed"))??;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unpack::tests::Folder;
    use std::{collections::BTreeMap, os::unix::fs::symlink};

    fn make(files: &[(&str, &str)]) -> Folder {
        let folder = Folder::new();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn fact(folder: &Folder) -> Fact {
        Output::find("a", "/hearth/out/a", folder.path().to_owned()).unwrap().measure("a").unwrap()
    }

    #[test]
    fn the_same_content_is_the_same_tar() {
        let files = [("b/two.txt", "2"), ("a.txt", "1"), ("b/one.txt", "1")];
        let (one, two) = (make(&files), make(&[files[2], files[0], files[1]]));
        let old = fs::File::options().write(true).open(two.path().join("a.txt")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(fact(&one), fact(&two));
        assert!(fact(&one).directory);
        fs::write(two.path().join("a.txt"), "2").unwrap();
        assert_ne!(fact(&one), fact(&two));
        let run = fs::Permissions::from_mode(0o755);
        fs::set_permissions(one.path().join("a.txt"), run).unwrap();
        assert_ne!(fact(&make(&files)), fact(&one), "a program stays one");
    }

    #[test]
    fn the_tar_has_names_and_content_and_nothing_else() {
        let long = format!("{}/{}/x", "d".repeat(120), "e".repeat(120));
        let folder = make(&[("sub/x", "content"), (&long, "long")]);
        fs::create_dir(folder.path().join("empty")).unwrap();
        let bytes = Output::find("a", "/a", folder.path().to_owned()).unwrap().open().unwrap();
        let mut seen = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            let mut content = String::new();
            let path = entry.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
            entry.read_to_string(&mut content).unwrap();
            seen.insert(path, content);
        }
        assert_eq!(seen["sub/x"], "content");
        assert_eq!(seen[&long], "long");
        assert!(seen.contains_key("empty") && seen.len() == 6, "{seen:?}");
    }

    #[test]
    fn links_are_refused_by_name() {
        let folder = make(&[("x", "1")]);
        symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let failure = Output::find("a", "/hearth/out/a", folder.path().to_owned()).unwrap_err();
        assert!(failure.code() == 65 && failure.to_string().contains("link"), "{failure}");
        let failure = Output::find("a", "/hearth/out/link", folder.path().join("link")).unwrap_err();
        assert!(failure.code() == 65 && failure.to_string().contains("/hearth/out/link"), "{failure}");
        let failure = Output::find("a", "/hearth/out/none", folder.path().join("none")).unwrap_err();
        assert!(
            failure.code() == 65 && failure.to_string().contains("artifact a: there is nothing at /hearth/out/none")
        );
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_and_no_short_tar() {
        let folder = make(&[("x", "12345")]);
        let output = Output::find("a", "/a", folder.path().to_owned()).unwrap();
        fs::write(folder.path().join("x"), "1").unwrap();
        assert!(output.measure("a").unwrap_err().to_string().contains("shorter"));
    }
}
