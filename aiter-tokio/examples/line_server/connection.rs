//! A connection: the stream of its lines. It has a task of its own, which alone reads and writes the socket: a client that
//! sends nothing, reads nothing, or waits, holds up nobody else.
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

/// The longest line, without its end.
const LONGEST_LINE: usize = 64 * 1024;
const TOO_LONG: &[u8] = b"error: a line over 65536 bytes\n";
/// How much is read at once, and how much is collected before it is written.
const CHUNK: usize = 16 * 1024;
/// What the answer to `wait` takes.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a client may take to read its replies once the server shuts down.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client that was told the end may go on sending. Closing earlier would reset the connection, and with it the
/// replies that are still on their way.
const LINGER: Duration = Duration::from_secs(1);

/// Ends when the server shuts down.
pub(crate) type Quit = PushAiter<Infallible>;

/// A line with its end, and where its answer goes. A clone is two counts: one fork of the lines answers, another looks.
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
    /// Gives the answer to its connection, which may be gone. Never waits.
    pub(crate) fn send(self) {
        let _ = self.0.back.push(self.0.bytes);
    }
}

/// Terminals end their lines with both.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The lines of a connection; the stream goes on when the last line was answered, and closes the connection at its end.
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
            // The client has vanished, there is nobody to tell.
            Err(_) => {}
        }
        None
    })
}

struct Connection {
    socket: Socket,
    /// Where the system puts what was read.
    chunk: Box<[u8]>,
    /// What was read; the first `taken` bytes have been handed out.
    input: Vec<u8>,
    taken: usize,
    /// Replies to write, and their number.
    output: Vec<u8>,
    replies: u64,
    /// Where answers come back, and whether the one to the line that was handed out last has come.
    back: Pusher<Arc<[u8]>>,
    answers: PushAiter<Arc<[u8]>>,
    is_answered: bool,
    /// After `quit`: what had been received before it and was not read yet.
    unread: Option<usize>,
    quit: Quit,
    tally: Arc<Tally>,
}

struct TooLong;

impl Connection {
    /// The next line, or `None` if the connection is to be closed.
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

    /// Takes a line with its end out of what was read.
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

    /// Reads more; `false` if no more will come.
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

    /// Reads more of what had been received when the server was told to quit, without waiting.
    fn read_received(&mut self) -> io::Result<bool> {
        let unread = match &mut self.unread {
            Some(unread) => unread,
            none => none.insert(received(&self.socket)?),
        };
        let chunk = &mut self.chunk[..CHUNK.min(*unread)];
        // Asks the system and not the runtime, which may not have heard yet of what came last.
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

    /// Writes the replies, as fast as the client takes them.
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

/// How much the system has received that nobody has read.
#[cfg(unix)]
fn received(socket: &Socket) -> io::Result<usize> {
    Ok(rustix::io::ioctl_fionread(&*system(socket))?
        .try_into()
        .unwrap_or(usize::MAX))
}

/// At most so much can have been received that nobody has read.
#[cfg(not(unix))]
fn received(socket: &Socket) -> io::Result<usize> {
    system(socket).recv_buffer_size()
}
