//! A Unix server at a relative path, in a process that changes its working directory. It is the
//! only test of its process, because the working directory belongs to the process.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test program")]

#[path = "servers/runtimes.rs"]
mod runtimes;

use futures_lite::StreamExt;
use std::{env::set_current_dir, fs, os::unix::net::UnixStream};

#[test]
fn the_file_of_a_relative_path_is_removed_wherever_the_process_has_moved() {
    let root = std::env::temp_dir().join(format!("aiter-{}-cwd.d", std::process::id()));
    let directory = root.join("here/directory");
    fs::create_dir_all(&directory).unwrap();
    fs::create_dir_all(root.join("elsewhere/directory")).unwrap();

    /// Runs on one runtime after the other.
    macro_rules! on_each {
        ($($name:ident)*) => {$({
            use runtimes::$name::{block_on, net::unix_server};
            for path in ["socket", "./socket", "directory/socket", "../here/socket"] {
                for stopped in [false, true] {
                    block_on(async {
                        set_current_dir(root.join("here")).unwrap();
                        let (server, mut connections) = unix_server(path).await.unwrap();
                        let made = root.join("here").join(path);
                        assert!(made.exists());
                        assert_eq!(server.local_addr().as_pathname().unwrap().to_str(), Some(path));
                        let _waiting = UnixStream::connect(path).unwrap();

                        // Another file of the same name exists there too.
                        set_current_dir(root.join("elsewhere")).unwrap();
                        let (_other, others) = unix_server(path.replace("here", "elsewhere")).await.unwrap();
                        if stopped {
                            server.stop();
                            assert!(connections.next().await.unwrap().is_ok());
                            assert!(connections.next().await.is_none());
                        } else {
                            drop(connections);
                        }
                        assert!(!made.exists(), "{path}");
                        let other = root.join("elsewhere").join(path.replace("here", "elsewhere"));
                        assert!(other.exists(), "{path}");
                        set_current_dir("/").unwrap();
                        drop(others);
                        assert!(!other.exists(), "{path}");
                    });
                }
            }
        })*};
    }
    on_each! { tokio_threads tokio_thread smol async_std }
    fs::remove_dir_all(&root).unwrap();
}
