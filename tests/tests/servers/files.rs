//! The file of a Unix server is removed with its listener, wherever its directory has moved.
use super::{path, runtimes};
use futures_lite::StreamExt;
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixStream},
    path::{Path, PathBuf},
};

/// Makes a new directory that contains `parent/directory`.
fn nested(name: &str, of: &str) -> PathBuf {
    let root = path(name, of).with_extension("d");
    fs::create_dir_all(root.join("parent/directory")).unwrap();
    root
}

fn is_empty(directory: impl AsRef<Path>) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

macro_rules! suite {
    ($($name:ident)*) => {$(
        mod $name {
            use super::{*, runtimes::$name::{block_on, net::unix_server}};

            /// What is renamed, the new name, and where the directory of the file is afterwards.
            const RENAMES: [[&str; 3]; 3] = [
                ["parent/directory", "parent/elsewhere", "parent/elsewhere"],
                ["parent", "elsewhere", "elsewhere/directory"],
                ["parent/directory", "directory", "directory"],
            ];

            #[test]
            fn it_is_removed_if_its_directory_or_a_parent_has_been_renamed() {
                for [what, to, then] in RENAMES {
                    for stopped in [false, true] {
                        block_on(async {
                            let root = nested("renamed", module_path!());
                            let at = root.join("parent/directory/socket");
                            let (server, mut connections) = unix_server(&at).await.unwrap();
                            fs::rename(root.join(what), root.join(to)).unwrap();
                            assert!(!is_empty(root.join(then)));
                            if stopped {
                                let _waiting = UnixStream::connect(root.join(then).join("socket")).unwrap();
                                server.stop();
                                assert!(connections.next().await.unwrap().is_ok());
                                assert!(connections.next().await.is_none());
                            } else {
                                drop(connections);
                            }
                            assert!(is_empty(root.join(then)), "{what} became {to}");
                            fs::remove_dir_all(&root).unwrap();
                        });
                    }
                }
            }

            #[test]
            fn a_file_where_its_directory_was_stays() {
                for [what, to, then] in RENAMES {
                    block_on(async {
                        let root = nested("taken", module_path!());
                        let at = root.join("parent/directory/socket");
                        let (_server, connections) = unix_server(&at).await.unwrap();
                        fs::rename(root.join(what), root.join(to)).unwrap();
                        fs::create_dir_all(root.join("parent/directory")).unwrap();
                        let (_other, others) = unix_server(&at).await.unwrap();
                        drop(connections);
                        assert!(is_empty(root.join(then)));
                        assert!(at.exists(), "{what} became {to}");
                        drop(others);
                        assert!(!at.exists());
                        fs::remove_dir_all(&root).unwrap();
                    });
                }
            }

            #[test]
            fn another_file_of_its_name_stays_in_the_renamed_directory() {
                block_on(async {
                    let root = nested("replaced", module_path!());
                    let (_server, connections) = unix_server(root.join("parent/socket")).await.unwrap();
                    fs::rename(root.join("parent"), root.join("elsewhere")).unwrap();
                    let other = root.join("elsewhere/socket");
                    fs::remove_file(&other).unwrap();
                    fs::write(&other, "another program's").unwrap();
                    drop(connections);
                    assert_eq!(fs::read(&other).unwrap(), b"another program's");

                    // A link that leads to the file stays too, because it is no file of the server.
                    let at = root.join("elsewhere/directory/socket");
                    let (_server, connections) = unix_server(&at).await.unwrap();
                    fs::rename(&at, root.join("moved")).unwrap();
                    symlink(root.join("moved"), &at).unwrap();
                    drop(connections);
                    assert!(at.is_symlink() && root.join("moved").exists());
                    fs::remove_dir_all(&root).unwrap();
                });
            }

            #[test]
            fn it_is_removed_from_a_directory_that_a_link_led_to() {
                block_on(async {
                    let root = nested("linked", module_path!());
                    symlink(root.join("parent/directory"), root.join("link")).unwrap();
                    let (_server, connections) = unix_server(root.join("link/socket")).await.unwrap();
                    fs::remove_file(root.join("link")).unwrap();
                    symlink(root.join("parent"), root.join("link")).unwrap();
                    drop(connections);
                    assert!(is_empty(root.join("parent/directory")));
                    fs::remove_dir_all(&root).unwrap();
                });
            }

            #[test]
            fn a_path_without_a_name_or_without_its_directory_is_an_error() {
                block_on(async {
                    let root = nested("mistaken", module_path!());
                    fs::write(root.join("file"), "").unwrap();
                    for path in ["", "/", "..", "a/..", "no/such", "file/socket", "\0"] {
                        let path = match path.starts_with(['/', '\0']) || path.is_empty() {
                            true => path.into(),
                            false => root.join(path),
                        };
                        assert!(unix_server(&path).await.is_err(), "{path:?}");
                    }
                    fs::remove_file(root.join("file")).unwrap();
                    fs::remove_dir(root.join("parent/directory")).unwrap();
                    fs::remove_dir(root.join("parent")).unwrap();
                    fs::remove_dir(root).expect("nothing was made there");
                });
            }
        }
    )*};
}

suite! { tokio_threads tokio_thread smol async_std }
