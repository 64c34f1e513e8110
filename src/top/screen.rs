//! The terminal while a frame fills it: its other screen, no cursor, keys as they are pressed; and as it was before, however this ends.

use std::io::{self, IsTerminal, Read, Write};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::keys::{Key, decode};

/// To the other screen, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// And back.
const LEAVE: &str = "\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l";

/// Holds the terminal; gives it back when it is dropped, and before a panic is told.
#[derive(Debug)]
pub struct Screen {
    saved: Option<Termios>,
}

impl Screen {
    /// Takes the terminal. Without one at standard input there are no keys.
    ///
    /// # Errors
    /// It cannot be set.
    pub fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let saved = if stdin.is_terminal() { Some(tcgetattr(&stdin)?) } else { None };
        let screen = Self { saved };
        let told = std::panic::take_hook();
        let before = screen.saved.clone();
        std::panic::set_hook(Box::new(move |panic| {
            restore(before.as_ref());
            told(panic);
        }));
        if let Some(mut raw) = screen.saved.clone() {
            raw.make_raw();
            tcsetattr(&stdin, OptionalActions::Flush, &raw)?;
        }
        write(ENTER)?;
        Ok(screen)
    }

    /// Shows these lines from the top.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&self, lines: &[String]) -> io::Result<()> {
        // In one piece, where the terminal knows how; each line is cleared before it is written, as one that is full stands at its end.
        let mut text = "\u{1b}[?2026h\u{1b}[H".to_owned();
        for (at, line) in lines.iter().enumerate() {
            text.push_str(if at > 0 { "\r\n\u{1b}[2K" } else { "\u{1b}[2K" });
            text.push_str(line);
        }
        text.push_str("\u{1b}[?2026l");
        write(&text)
    }

    /// Columns and lines, 80 and 24 where it does not say.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((80, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore(self.saved.as_ref());
    }
}

fn restore(saved: Option<&Termios>) {
    let _ = write(LEAVE);
    if let Some(saved) = saved {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, saved);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Hands every key on until the terminal is gone or nobody wants one: for a thread of its own.
pub fn read_keys(mut take: impl FnMut(Key) -> bool) {
    let mut input = io::stdin().lock();
    let (mut held, mut buffer) = (Vec::new(), [0; 256]);
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => held.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        let (keys, taken) = decode(&held);
        held.drain(..taken);
        if !keys.into_iter().all(&mut take) {
            return;
        }
    }
}
