//! A socket in a file, beside the port: who may open the file may connect. One that a dead agent left behind is replaced, one that a live
//! one listens on is not.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Its owner and its group may connect.
const MODE: u32 = 0o660;

/// A socket's file, removed when this is dropped, if it is still ours.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens on the socket. It is made under another name, so that nobody connects before it has its mode.
///
/// # Errors
/// Another process listens on it, something else lies there, or it cannot be made.
pub fn listen(path: &Path) -> io::Result<(UnixListener, Place)> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket lies there"));
        }
        Ok(_) => match UnixStream::connect(path) {
            // Nobody listens: whoever did is dead.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    let _ = fs::remove_file(&aside);
    let made = || {
        let listener = UnixListener::bind(&aside)?;
        fs::set_permissions(&aside, fs::Permissions::from_mode(MODE))?;
        let meta = fs::symlink_metadata(&aside)?;
        fs::rename(&aside, path)?;
        Ok((listener, Place { path: path.to_owned(), inode: (meta.dev(), meta.ino()) }))
    };
    let made = made();
    if made.is_err() {
        let _ = fs::remove_file(&aside);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_or_another_file_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plumbline.sock");
        let (listener, place) = listen(&path).expect("listening");
        let mode = fs::symlink_metadata(&path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, MODE);
        assert_eq!(listen(&path).expect_err("it is in use").kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).expect("it still listens");
        // As after a kill: the file stays and nobody listens.
        drop(listener);
        std::mem::forget(place);
        let (_listener, place) = listen(&path).expect("replaced");
        UnixStream::connect(&path).expect("it listens");
        drop(place);
        assert!(!path.exists());
        fs::write(&path, "a file").expect("written");
        assert_eq!(listen(&path).expect_err("no socket").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is still there"), "a file");
        assert!(listen(&folder.path().join("none/x.sock")).is_err());
        let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
