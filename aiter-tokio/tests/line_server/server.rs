//! Runs the program as a process and connects clients to it.
use super::*;

pub(super) fn program() -> Command {
    example::example(PROGRAM)
}

/// Returns a command that runs the program with a limit of open files.
pub(super) fn limited(files: usize, arguments: &[&str]) -> Command {
    let program = program();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .args(arguments);
    command
}

/// Runs a command to its end, and panics if it does not end in time.
pub(super) fn run(mut command: Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    waiting::in_time(move || child.wait_with_output().unwrap())
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A server process, which is killed when dropped.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
    pub(super) stdout: mpsc::Receiver<String>,
    pub(super) stderr: mpsc::Receiver<String>,
}

pub(super) fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|text| line.send(text))
    });
    lines
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with_workers(2)
    }

    pub(super) fn with_workers(workers: usize) -> Self {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--workers", &workers.to_string()]);
        Self::run(command)
    }

    pub(super) fn run(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines_of(child.stdout.take().unwrap());
        let stderr = lines_of(child.stderr.take().unwrap());
        let first = stdout
            .recv_timeout(DEADLINE)
            .expect("the server prints its address");
        let address = first
            .strip_prefix("listening on ")
            .unwrap()
            .parse()
            .unwrap();
        Self {
            child,
            address,
            stdout,
            stderr,
        }
    }

    pub(super) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends `quit` to the server and waits until the process has ended.
    pub(super) fn quit(self) -> Tally {
        let mut client = self.connect();
        client.send(b"quit\n");
        client.receive(b"quit\n");
        self.exited()
    }

    /// Waits until the process has ended, and checks the statistics that it prints.
    pub(super) fn exited(mut self) -> Tally {
        let mut stages = Vec::new();
        loop {
            match self.stdout.recv_timeout(DEADLINE) {
                Ok(line) => stages.extend(line.split_whitespace().last().unwrap().parse::<u64>()),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
        let status: ExitStatus = self.child.wait().unwrap();
        assert_eq!(
            status.code(),
            Some(0),
            "{:?}",
            self.stderr.iter().collect::<Vec<_>>()
        );
        let [
            connections,
            lines,
            allowed,
            in_work,
            seen,
            bytes,
            longest,
            answers,
            replies,
        ] = stages[..]
        else {
            panic!("{stages:?}")
        };
        assert_eq!((lines, lines), (seen, answers), "{stages:?}");
        assert!((1..=allowed).contains(&in_work), "{stages:?}");
        assert!(longest <= bytes && bytes <= longest * lines, "{stages:?}");
        Tally {
            connections,
            lines,
            replies,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The statistics that the server prints at its end.
#[derive(Debug, PartialEq)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) lines: u64,
    pub(super) replies: u64,
}

/// A client whose reads and writes fail when they take too long.
pub(super) struct Client(pub(super) BufReader<TcpStream>);

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::new(socket))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    #[track_caller]
    pub(super) fn receive(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(
            bytes.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[track_caller]
    pub(super) fn receive_end(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }

    pub(super) fn echoes(&mut self, line: &[u8]) {
        self.send(line);
        self.receive(line);
    }

    /// Closes the connection with a reset.
    pub(super) fn reset(self) {
        SockRef::from(self.0.get_ref())
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}
