//! A copy of the repository in which the crate has its mutants.

use crate::{
    list::Mutant,
    switch::{self, Site},
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// What the crate is asked which mutant is on: `MUTANT` is its number, and `MUTANTS_SEEN` a file that takes the numbers
/// of all that are reached.
const MODULE: &str = include_str!("module.txt");

/// The copy.
pub struct Tree {
    /// The repository.
    from: PathBuf,
    /// Where the copy is.
    pub root: PathBuf,
    /// The crate's folder in it.
    package: PathBuf,
}

impl Tree {
    /// Copies all files that git knows or would take; those that have not changed stay as they are, for the compiler's
    /// sake.
    ///
    /// # Errors
    /// git does not answer, or a file cannot be copied.
    pub fn copy(from: &Path, root: &Path, package: &Path) -> Result<Self> {
        let output = Command::new("git")
            .current_dir(from)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("start git")?;
        ensure!(output.status.success(), "git ls-files: {}", output.status);
        for path in String::from_utf8_lossy(&output.stdout).split('\0').filter(|p| !p.is_empty()) {
            // A file that was deleted and not yet committed is listed, too.
            if let Ok(content) = std::fs::read(from.join(path)) {
                write(&root.join(path), &content)?;
            }
        }
        Ok(Self { from: from.to_owned(), root: root.to_owned(), package: package.to_owned() })
    }

    /// Writes these files of the crate with these mutants in them. Gives what was put in, by file.
    ///
    /// # Errors
    /// A file cannot be read, parsed or written.
    pub fn switch(
        &self,
        files: &BTreeSet<PathBuf>,
        mutants: &[(usize, &Mutant)],
    ) -> Result<BTreeMap<PathBuf, Vec<Site>>> {
        let mut by_file: BTreeMap<&Path, Vec<(usize, &Mutant)>> =
            files.iter().map(|f| (f.as_path(), Vec::new())).collect();
        for (id, mutant) in mutants {
            by_file.entry(&mutant.file).or_default().push((*id, mutant));
        }
        let mut sites = BTreeMap::new();
        for (file, mutants) in by_file {
            let switched =
                switch::switch(&self.original(file)?, &mutants).with_context(|| file.display().to_string())?;
            write(&self.root.join(file), switched.text.as_bytes())?;
            sites.insert(file.to_owned(), switched.sites);
        }
        let library = self.package.join("src/lib.rs");
        let text = self.original(&library)? + "\nmod mutant;\n";
        write(&self.root.join(library), text.as_bytes())?;
        write(&self.root.join(&self.package).join("src/mutant.rs"), MODULE.as_bytes())?;
        // What is put in heeds no lint.
        let manifest = self.package.join("Cargo.toml");
        let text = self.original(&manifest)?.replace("[lints]\nworkspace = true\n", "");
        write(&self.root.join(manifest), text.as_bytes())?;
        Ok(sites)
    }

    /// Writes the crate with this one mutant, as cargo-mutants would.
    ///
    /// # Errors
    /// A file cannot be read or written, or is another one than was listed.
    pub fn change(&self, mutant: &Mutant) -> Result<()> {
        let text = self.original(&mutant.file)?;
        let (start, end) = (mutant.span.start.offset(&text), mutant.span.end.offset(&text));
        let (before, after) =
            start.and_then(|s| text.get(..s)).zip(end.and_then(|e| text.get(e..))).context("its place")?;
        write(&self.root.join(&mutant.file), format!("{before}{}{after}", mutant.replacement).as_bytes())
    }

    /// Writes these files as they were.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn restore(&self, files: &BTreeSet<PathBuf>) -> Result<()> {
        files.iter().try_for_each(|file| write(&self.root.join(file), self.original(file)?.as_bytes()))
    }

    fn original(&self, file: &Path) -> Result<String> {
        std::fs::read_to_string(self.from.join(file)).with_context(|| format!("read {}", file.display()))
    }
}

/// Writes a file, unless it holds that already.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("write {}", path.display()))
}
