//! A connection: the stream of its lines. It has a task of its own, which alone reads and writes the socket: a client that
//! sends nothing, reads nothing, or waits, holds up nobody else.
use crate::server::Tally;
use futures_lite::stream::{self, Stream};
use socket2::SockRef;
use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{oneshot, watch},
    time::{sleep, timeout},
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

/// A line that waits for its answer.
pub(crate) struct Line {
    bytes: Vec<u8>,
    back: oneshot::Sender<Vec<u8>>,
}

/// The answer to a line, on its way back to the connection.
pub(crate) struct Answer(Line);

impl Line {
    pub(crate) fn says(&self, word: &[u8]) -> bool {
        without_return(&self.bytes) == word
    }

    pub(crate) fn echo(mut self) -> Answer {
        self.bytes.push(b'\n');
        Answer(self)
    }
}

impl Answer {
    /// Gives the answer to its connection, which may be gone. Never waits.
    pub(crate) fn send(self) {
        let _ = self.0.back.send(self.0.bytes);
    }
}

/// Terminals end their lines with both.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The lines of a connection; the stream goes on when the last line was answered, and closes the connection at its end.
pub(crate) fn lines(
    socket: TcpStream,
    quit: watch::Receiver<bool>,
    tally: Arc<Tally>,
) -> impl Stream<Item = Line> + Send + 'static {
    let connection = Connection {
        socket,
        input: Vec::new(),
        taken: 0,
        output: Vec::new(),
        replies: 0,
        answer: None,
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
    socket: TcpStream,
    /// What was read; the first `taken` bytes have been handed out.
    input: Vec<u8>,
    taken: usize,
    /// Replies to write, and their number.
    output: Vec<u8>,
    replies: u64,
    /// The answer to the line that was handed out last.
    answer: Option<oneshot::Receiver<Vec<u8>>>,
    /// After `quit`: what had been received before it and was not read yet.
    unread: Option<usize>,
    quit: watch::Receiver<bool>,
    tally: Arc<Tally>,
}

impl Connection {
    /// The next line, or `None` if the connection is to be closed.
    async fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(answer) = self.answer.take() {
            // No answer comes if the server gives up.
            let Ok(reply) = answer.await else {
                return Ok(None);
            };
            self.output.extend(reply);
            self.replies += 1;
        }
        let bytes = loop {
            match self.take_line() {
                Some(line) if line.len() > LONGEST_LINE => {
                    self.output.extend(TOO_LONG);
                    return Ok(None);
                }
                Some(line) if without_return(&line).is_empty() => return Ok(None),
                Some(line) => break line,
                None => {
                    self.flush().await?;
                    if !self.read().await? {
                        return Ok(None);
                    }
                }
            }
        };
        let (back, answer) = oneshot::channel();
        self.answer = Some(answer);
        let line = Line { bytes, back };
        if line.says(b"wait") {
            self.flush().await?;
            self.pause().await;
        } else if self.output.len() >= CHUNK {
            self.flush().await?;
        }
        Ok(Some(line))
    }

    /// Takes a line out of what was read: a whole one, or the start of one that is too long.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.input[self.taken..];
        match rest
            .iter()
            .take(LONGEST_LINE + 1)
            .position(|byte| *byte == b'\n')
        {
            Some(end) => {
                self.taken += end + 1;
                Some(rest[..end].to_vec())
            }
            None if rest.len() > LONGEST_LINE => Some(rest.to_vec()),
            None => None,
        }
    }

    /// Reads more; `false` if no more will come.
    async fn read(&mut self) -> io::Result<bool> {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.reserve(CHUNK);
        if !*self.quit.borrow() {
            tokio::select! {
                biased;
                read = self.socket.read_buf(&mut self.input) => return Ok(read? > 0),
                _ = self.quit.wait_for(|quit| *quit) => {}
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
        let mut chunk = [0; CHUNK];
        // Asks the system and not tokio, which may not have heard yet of what came last.
        match (&*SockRef::from(&self.socket)).read(&mut chunk[..CHUNK.min(*unread)]) {
            Ok(read) => {
                self.input.extend(&chunk[..read]);
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
            let _ = self.quit.wait_for(|quit| *quit).await;
            sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            written = self.socket.write_all(&self.output) => written?,
            () = grace => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.tally.replies.add(self.replies);
        self.replies = 0;
        self.output.clear();
        self.output.shrink_to(CHUNK);
        Ok(())
    }

    async fn pause(&mut self) {
        tokio::select! {
            _ = self.quit.wait_for(|quit| *quit) => {}
            () = sleep(PAUSE) => {}
        }
    }

    async fn close(&mut self) {
        if self.flush().await.is_err() || self.socket.shutdown().await.is_err() {
            return;
        }
        let mut ignored = [0; 1024];
        let rest = async { while matches!(self.socket.read(&mut ignored).await, Ok(1..)) {} };
        let _ = timeout(LINGER, rest).await;
    }
}

/// How much the system has received that nobody has read.
#[cfg(unix)]
fn received(socket: &TcpStream) -> io::Result<usize> {
    Ok(rustix::io::ioctl_fionread(socket)?
        .try_into()
        .unwrap_or(usize::MAX))
}

/// At most so much can have been received that nobody has read.
#[cfg(not(unix))]
fn received(socket: &TcpStream) -> io::Result<usize> {
    SockRef::from(socket).recv_buffer_size()
}
