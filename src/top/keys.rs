//! Keys out of the bytes that a terminal sends.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// The arrow up.
    Up,
    /// The arrow down.
    Down,
    /// The arrow to the left.
    Left,
    /// The arrow to the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Ctrl and C.
    Interrupt,
}

/// Longer than any sequence a terminal sends.
const LONGEST: usize = 16;

/// The keys in what has come, and how many bytes they are; the rest is the beginning of one.
#[must_use]
pub fn decode(bytes: &[u8]) -> (Vec<Key>, usize) {
    let mut keys = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((key, length)) = first(&bytes[at..]) else {
            // What is no key by now never will be one.
            if bytes.len() - at < LONGEST {
                break;
            }
            at += 1;
            continue;
        };
        keys.extend(key);
        at += length;
    }
    (keys, at)
}

/// The first key and its length; `None` where more is to come. A sequence that means nothing here is no key.
fn first(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let single = |key| Some((Some(key), 1));
    match bytes[0] {
        b'\r' | b'\n' => single(Key::Enter),
        b'\t' => single(Key::Tab),
        3 => single(Key::Interrupt),
        8 | 127 => single(Key::Backspace),
        // Alone it is the key itself: sequences come in one piece.
        0x1b => match bytes.get(1) {
            None | Some(0x1b) => single(Key::Escape),
            Some(b'[') => sequence(bytes),
            Some(b'O') => bytes.get(2).map(|end| (named(*end), 3)),
            Some(_) => Some((None, 2)),
        },
        byte if byte < 0x20 => Some((None, 1)),
        byte if byte < 0x80 => single(Key::Char(char::from(byte))),
        byte => {
            let length = match byte {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return Some((None, 1)),
            };
            let text = std::str::from_utf8(bytes.get(..length)?);
            text.map_or(Some((None, 1)), |text| Some((text.chars().next().map(Key::Char), length)))
        }
    }
}

/// `ESC [ parameters letter`.
fn sequence(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let end = 2 + bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte))?;
    let key = match (bytes[end], &bytes[2..end]) {
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        (b'Z', _) => Some(Key::BackTab),
        (end, _) => named(end),
    };
    Some((key, end + 1))
}

fn named(end: u8) -> Option<Key> {
    Some(match end {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_terminals_send_them() {
        let of = |text: &str| decode(text.as_bytes()).0;
        assert_eq!(of("q\r\t\u{7f}\u{3}"), [Key::Char('q'), Key::Enter, Key::Tab, Key::Backspace, Key::Interrupt]);
        assert_eq!(of("\u{1b}[A\u{1b}OB\u{1b}[5~\u{1b}[6~"), [Key::Up, Key::Down, Key::PageUp, Key::PageDown]);
        assert_eq!(of("\u{1b}[1;5H\u{1b}[4~\u{1b}[Z\u{1b}"), [Key::Home, Key::End, Key::BackTab, Key::Escape]);
        assert_eq!(of("é模"), [Key::Char('é'), Key::Char('模')]);
        assert_eq!(of("\u{1b}[200~x"), [Key::Char('x')], "a sequence that means nothing here is no key");
    }

    #[test]
    fn what_came_in_part_waits_and_what_is_no_key_goes() {
        assert_eq!(decode(b"a\x1b["), (vec![Key::Char('a')], 1));
        assert_eq!(decode(&"模".as_bytes()[..2]), (vec![], 0));
        assert_eq!(decode(b"\xff\xfez"), (vec![Key::Char('z')], 3));
        // Whatever comes, no more than a sequence's length waits, and nothing panics.
        for seed in 0..500_u64 {
            let byte = |i: u64| ((seed * 31 + 7) * (i + 3) * 2_654_435_761).to_le_bytes()[2];
            let bytes: Vec<u8> = (0..64).map(byte).collect();
            let (_, taken) = decode(&bytes);
            assert!(bytes.len() - taken < LONGEST, "{seed}");
        }
    }
}
