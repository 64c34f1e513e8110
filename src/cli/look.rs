//! What standard output is: how wide, and whether in colour.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::ENV;
use crate::terminal::Look;

/// How a result looks on standard output, or in a file where one is named.
pub(super) fn look(output: Option<&PathBuf>) -> Look {
    if output.is_some() {
        return Look::PLAIN;
    }
    let stdout = std::io::stdout();
    Look::of(stdout.is_terminal(), columns(stdout), &ENV)
}

/// The columns of the terminal behind a stream.
fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
