//! Bytes that come without a length: they wait in a file without a name until their digest is known, and no more than a
//! limit of them is ever held. Of more, the middle is left out.

use bytes::Bytes;
use futures::{Stream, stream};
use std::{collections::VecDeque, fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};

/// Bytes per read.
const PIECE: u64 = 256 * 1024;

/// The first half of the limit lies in the file as it came; the second half is a ring with the last that came.
pub(crate) struct Spool {
    file: Arc<File>,
    limit: u64,
    came: u64,
}

/// Some of what is held.
enum Part {
    File(Range<u64>),
    Text(Bytes),
}

impl Spool {
    /// A file in the folder for such files, which is gone with this value, whatever becomes of the process.
    pub(crate) fn new(limit: u64) -> io::Result<Self> {
        Ok(Self { file: Arc::new(tempfile::tempfile()?), limit: limit.max(2), came: 0 })
    }

    /// Takes what comes next.
    pub(crate) async fn push(&mut self, mut piece: Bytes) -> io::Result<()> {
        let mut writes = Vec::new();
        while !piece.is_empty() {
            let (offset, room) = self.place();
            let part = piece.split_to(piece.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.came += length(&part);
            writes.push((offset, part));
        }
        let file = Arc::clone(&self.file);
        aside(move || writes.iter().try_for_each(|(offset, part)| file.write_all_at(part, *offset))).await
    }

    /// Where the next byte goes, and how many may follow it there.
    fn place(&self) -> (u64, u64) {
        let head = self.head();
        if self.came < head {
            return (self.came, head - self.came);
        }
        let at = head + self.turned();
        (at, self.limit - at)
    }

    fn head(&self) -> u64 {
        self.limit / 2
    }

    /// How far the ring's next byte is from its beginning.
    fn turned(&self) -> u64 {
        (self.came - self.head()).checked_rem(self.limit - self.head()).unwrap_or(0)
    }

    /// How many bytes of those that came are not held.
    pub(crate) fn left_out(&self) -> u64 {
        self.came.saturating_sub(self.limit)
    }

    fn parts(&self) -> VecDeque<Part> {
        let left_out = self.left_out();
        if left_out == 0 {
            return [Part::File(0..self.came)].into();
        }
        let (head, oldest) = (self.head(), self.head() + self.turned());
        let text = format!("\n[{left_out} bytes are left out here: the log is longer than {} bytes]\n", self.limit);
        [Part::File(0..head), Part::Text(text.into()), Part::File(oldest..self.limit), Part::File(head..oldest)].into()
    }

    /// What is held, in order; a line stands for what is not.
    pub(crate) fn pieces(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let held = (Arc::clone(&self.file), self.parts());
        stream::try_unfold(held, |(file, mut parts)| async move {
            loop {
                let range = match parts.pop_front() {
                    None => return Ok(None),
                    Some(Part::Text(text)) => return Ok(Some((text, (file, parts)))),
                    Some(Part::File(range)) if range.is_empty() => continue,
                    Some(Part::File(range)) => range,
                };
                let end = range.end.min(range.start + PIECE);
                parts.push_front(Part::File(end..range.end));
                let from = Arc::clone(&file);
                let piece = aside(move || {
                    let mut piece = vec![0; usize::try_from(end - range.start).unwrap_or(0)];
                    from.read_exact_at(&mut piece, range.start)?;
                    Ok(piece)
                });
                return Ok(Some((piece.await?.into(), (file, parts))));
            }
        })
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Calls of the file system that may take long, where they hold up nobody: the leader renews its lease on these threads.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn held(limit: u64, pieces: &[&str]) -> (String, u64) {
        let mut spool = Spool::new(limit).unwrap();
        for piece in pieces {
            spool.push(Bytes::copy_from_slice(piece.as_bytes())).await.unwrap();
        }
        let all: Vec<Bytes> = spool.pieces().try_collect().await.unwrap();
        (String::from_utf8(all.concat()).unwrap(), spool.left_out())
    }

    #[tokio::test]
    async fn up_to_the_limit_all_is_held() {
        assert_eq!(held(10, &[]).await, (String::new(), 0));
        assert_eq!(held(10, &["", "abc", "", "defghij"]).await, ("abcdefghij".to_owned(), 0));
        let long = "x".repeat(3 * 256 * 1024 + 7);
        assert_eq!(held(1 << 20, &[&long]).await, (long, 0));
    }

    /// Whatever the pieces are: the first and the last five bytes, and how many lay between.
    #[tokio::test]
    async fn of_more_the_middle_is_left_out() {
        let all = "abcdefghijklmnopqrstuvwxyz0123456789";
        for length in 11..all.len() {
            for size in [1, 2, 3, 5, 7, 11, 40] {
                let came = &all[..length];
                let pieces: Vec<&str> = (0..length).step_by(size).map(|at| &came[at..length.min(at + size)]).collect();
                let note = format!("\n[{} bytes are left out here: the log is longer than 10 bytes]\n", length - 10);
                let want = format!("abcde{note}{}", &came[length - 5..]);
                assert_eq!(held(10, &pieces).await, (want, length as u64 - 10), "{length} bytes by {size}");
            }
        }
    }
}
