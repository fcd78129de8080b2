//! A connection, which is the stream of its lines. Each connection has a task of its own, and only
//! this task reads and writes the socket. So a client that sends nothing, reads nothing or waits
//! does not delay other clients.
use super::tally::Tally;
use crate::runtime::{
    Socket,
    aiter::{PushAiter, Pusher, push_aiter},
    sleep, system,
};
use futures_lite::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt,
    stream::{self, Stream},
};
use std::{
    convert::Infallible,
    io::{self, Read},
    net::Shutdown,
    sync::Arc,
    time::Duration,
};

/// The length of the longest line, without its line ending.
const LONGEST_LINE: usize = 64 * 1024;
const TOO_LONG: &[u8] = b"error: a line over 65536 bytes\n";
/// The number of bytes that are read at once, and that are collected before they are written.
const CHUNK: usize = 16 * 1024;
/// The delay of the answer to `wait`.
const PAUSE: Duration = Duration::from_secs(5);
/// The time that a client has to read its replies once the server shuts down.
const GRACE: Duration = Duration::from_secs(5);
/// The time that a client may go on sending after the server has shut down its side of the
/// connection. Closing the socket earlier would reset the connection and lose the replies that are
/// still under way.
const LINGER: Duration = Duration::from_secs(1);

/// A stream that ends when the server shuts down.
pub(crate) type Quit = PushAiter<Infallible>;

/// A line with its line ending, and the pusher for its answer. A clone, which the forks of the
/// lines need, copies no bytes and only increments two reference counts.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) bytes: Arc<[u8]>,
    back: Pusher<Arc<[u8]>>,
}

/// The answer to a line, on its way back to the connection.
pub(crate) struct Answer(Line);

impl Line {
    pub(crate) fn says(&self, word: &[u8]) -> bool {
        without_end(&self.bytes) == word
    }

    pub(crate) fn echo(self) -> Answer {
        Answer(self)
    }
}

impl Answer {
    /// Sends the answer to its connection without waiting. A connection that was closed drops it.
    pub(crate) fn send(self) {
        let _ = self.0.back.push(self.0.bytes);
    }
}

/// Strips the line ending. Terminals end their lines with `\r\n`.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the lines of a connection. The stream yields a line only after the line before it was
/// answered, and closes the connection at its end.
pub(crate) fn lines(
    socket: Socket,
    quit: Quit,
    tally: Arc<Tally>,
) -> impl Stream<Item = Line> + Send + 'static {
    let (back, answers) = push_aiter();
    let connection = Connection {
        socket,
        chunk: vec![0; CHUNK].into(),
        input: Vec::new(),
        taken: 0,
        output: Vec::new(),
        replies: 0,
        back,
        answers,
        is_answered: true,
        unread: None,
        quit,
        tally,
    };
    stream::unfold(connection, |mut connection| async move {
        match connection.next_line().await {
            Ok(Some(line)) => return Some((line, connection)),
            Ok(None) => connection.close().await,
            // The client has disconnected, so the error cannot be reported to it.
            Err(_) => {}
        }
        None
    })
}

struct Connection {
    socket: Socket,
    /// The buffer for a single read.
    chunk: Box<[u8]>,
    /// The bytes that were read. The first `taken` of them have been yielded as lines.
    input: Vec<u8>,
    taken: usize,
    /// The replies to write, and their number.
    output: Vec<u8>,
    replies: u64,
    /// The list through which answers come back, and whether the last line has been answered.
    back: Pusher<Arc<[u8]>>,
    answers: PushAiter<Arc<[u8]>>,
    is_answered: bool,
    /// After `quit`: the number of bytes that were received before it and have not been read yet.
    unread: Option<usize>,
    quit: Quit,
    tally: Arc<Tally>,
}

struct TooLong;

impl Connection {
    /// Returns the next line, or `None` if the connection is to be closed.
    async fn next_line(&mut self) -> io::Result<Option<Line>> {
        if !self.is_answered {
            let reply = self.answers.next().await;
            self.output
                .extend_from_slice(&reply.expect("a pusher is kept here"));
            self.replies += 1;
            self.is_answered = true;
        }
        let bytes = loop {
            match self.take_line() {
                Some(Err(TooLong)) => {
                    self.output.extend(TOO_LONG);
                    return Ok(None);
                }
                Some(Ok(line)) if without_end(&line).is_empty() => return Ok(None),
                Some(Ok(line)) => break line,
                None => {
                    self.flush().await?;
                    if !self.read().await? {
                        return Ok(None);
                    }
                }
            }
        };
        self.is_answered = false;
        let back = self.back.clone();
        let line = Line { bytes, back };
        if line.says(b"wait") {
            self.flush().await?;
            self.pause().await;
        } else if self.output.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(Some(line))
    }

    /// Takes a line with its line ending from the bytes that were read.
    fn take_line(&mut self) -> Option<Result<Arc<[u8]>, TooLong>> {
        let rest = &self.input[self.taken..];
        match rest
            .iter()
            .take(LONGEST_LINE + 1)
            .position(|byte| *byte == b'\n')
        {
            Some(end) => {
                self.taken += end + 1;
                Some(Ok(rest[..=end].into()))
            }
            None if rest.len() > LONGEST_LINE => Some(Err(TooLong)),
            None => None,
        }
    }

    /// Reads more bytes. Returns `false` if there are none to come.
    async fn read(&mut self) -> io::Result<bool> {
        self.input.drain(..self.taken);
        self.taken = 0;
        if !self.quit.is_stopped() {
            let read = async { self.socket.read(&mut self.chunk).await.map(Some) };
            let quit = async {
                self.quit.next().await;
                Ok(None)
            };
            if let Some(read) = read.or(quit).await? {
                self.input.extend_from_slice(&self.chunk[..read]);
                return Ok(read > 0);
            }
        }
        self.read_received()
    }

    /// Reads more of the bytes that had been received before `quit`, without waiting.
    fn read_received(&mut self) -> io::Result<bool> {
        let unread = match &mut self.unread {
            Some(unread) => unread,
            none => none.insert(received(&self.socket)?),
        };
        let chunk = &mut self.chunk[..CHUNK.min(*unread)];
        // Read from the system's socket, because the runtime may not have been notified yet of the
        // bytes that arrived last.
        match (&*system(&self.socket)).read(chunk) {
            Ok(read) => {
                self.input.extend_from_slice(&chunk[..read]);
                *unread -= read;
                Ok(read > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the replies, and waits until the client has taken them. After `quit` it waits for
    /// [`GRACE`] at most.
    async fn flush(&mut self) -> io::Result<()> {
        let grace = async {
            self.quit.next().await;
            sleep(GRACE).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        self.socket.write_all(&self.output).or(grace).await?;
        self.tally.replies.add(self.replies);
        self.replies = 0;
        self.output.clear();
        self.output.shrink_to(CHUNK);
        Ok(())
    }

    async fn pause(&mut self) {
        let quit = async {
            self.quit.next().await;
        };
        quit.or(sleep(PAUSE)).await;
    }

    async fn close(&mut self) {
        if self.flush().await.is_err() || system(&self.socket).shutdown(Shutdown::Write).is_err() {
            return;
        }
        let rest = async { while matches!(self.socket.read(&mut self.chunk).await, Ok(1..)) {} };
        rest.or(sleep(LINGER)).await;
    }
}

/// Returns the number of bytes that the system has received and that have not been read.
#[cfg(unix)]
fn received(socket: &Socket) -> io::Result<usize> {
    Ok(rustix::io::ioctl_fionread(&*system(socket))?
        .try_into()
        .unwrap_or(usize::MAX))
}

/// Returns an upper bound of the number of bytes that the system has received and that have not
/// been read.
#[cfg(not(unix))]
fn received(socket: &Socket) -> io::Result<usize> {
    system(socket).recv_buffer_size()
}
