//! A server that takes what the operator exports, and keeps it for a look.

use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The longest body that it takes, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What was posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// To which path.
    pub path: String,
    /// The bytes.
    pub body: Vec<u8>,
}

/// Takes every post, until this value goes.
#[derive(Debug)]
pub struct Collector {
    address: String,
    posts: Arc<Mutex<Vec<Post>>>,
    stop: Arc<AtomicBool>,
}

impl Collector {
    /// Listens at that address, HOST:PORT.
    ///
    /// # Errors
    /// It cannot be listened at.
    pub fn listen(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("listening at {address}"))?;
        let (posts, stop): (Arc<Mutex<Vec<Post>>>, Arc<AtomicBool>) = <_>::default();
        let collector = Self { address: address.to_owned(), posts: Arc::clone(&posts), stop: Arc::clone(&stop) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (posts, stop) = (Arc::clone(&posts), Arc::clone(&stop));
                std::thread::spawn(move || serve(&stream, &posts, &stop));
            }
        });
        Ok(collector)
    }

    /// All posts so far.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener looks up only when somebody comes.
        let _woken = TcpStream::connect(&self.address);
    }
}

/// Answers one request after the other with 200. A broken one ends the connection, and whoever sent it tries again.
fn serve(stream: &TcpStream, posts: &Mutex<Vec<Post>>, stop: &AtomicBool) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(120))).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let post = read(&mut reader)?;
        // What came after the last look is not taken.
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        (&mut &*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}

fn read(reader: &mut impl BufRead) -> Option<Post> {
    let (mut path, mut length, mut line) = (None, 0, String::new());
    loop {
        line.clear();
        reader.by_ref().take(16 * 1024).read_line(&mut line).ok().filter(|n| *n > 0)?;
        let head = line.trim_end();
        match path {
            None => path = Some(head.split(' ').nth(1)?.to_owned()),
            Some(_) if head.is_empty() => break,
            Some(_) => {
                let (name, value) = head.split_once(':')?;
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().ok().filter(|n| *n <= LONGEST)?;
                }
            }
        }
    }
    let mut body = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut body).ok()?;
    Some(Post { path: path?, body })
}
