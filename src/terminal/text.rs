//! Text in columns of a terminal: how many it takes, and what is left of it where there are fewer.

use std::collections::{BTreeMap, BTreeSet};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What stands for the part that is not there.
const ELLIPSIS: &str = "…";

/// Names come from files and containers: what would move the cursor, end a line or turn the direction of writing is shown as a mark.
#[must_use]
pub fn plain(text: &str) -> String {
    let moves = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

/// How many columns a text takes: a Chinese character takes two, an accent none.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// As much of the beginning as has room.
fn head(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        taken += UnicodeWidthStr::width(grapheme);
        if taken > room {
            break;
        }
        end = at + grapheme.len();
    }
    &text[..end]
}

/// As much of the end as has room.
fn tail(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        taken += UnicodeWidthStr::width(grapheme);
        if taken > room {
            break;
        }
        start = at;
    }
    &text[start..]
}

/// The text, or its beginning and an ellipsis, in no more columns than there are.
#[must_use]
pub fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 { String::new() } else { format!("{}{ELLIPSIS}", head(text, room - 1).trim_end()) }
}

/// The text, or its two ends with an ellipsis between: of a path or an image it is the end that tells.
fn cut_within(text: &str, room: usize) -> String {
    if width(text) <= room || room < 4 {
        return cut(text, room);
    }
    let begins = (room - 1) / 2;
    format!("{}{ELLIPSIS}{}", head(text, begins), tail(text, room - 1 - begins))
}

/// Names in no more columns than there are. Two that differ look different, however few these are: where what is left is the same, they
/// are numbered.
#[must_use]
pub fn distinct(names: &[String], room: usize) -> Vec<String> {
    let mut shown: BTreeMap<&str, String> = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    // The next number for those of which the same is left.
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for name in names {
        if shown.contains_key(name.as_str()) {
            continue;
        }
        let whole = cut_within(name, room);
        let number = next.entry(whole.clone()).or_insert(2);
        let mut short = whole;
        while taken.contains(&short) {
            let mark = format!("~{number}");
            short = format!("{}{mark}", cut_within(name, room.saturating_sub(mark.len())));
            *number += 1;
        }
        taken.insert(short.clone());
        shown.insert(name, short);
    }
    names.iter().map(|name| shown.get(name.as_str()).cloned().unwrap_or_default()).collect()
}

/// The text with blanks before or after it, to so many columns.
#[must_use]
pub fn padded(text: &str, to: usize, right: bool) -> String {
    let blanks = " ".repeat(to.saturating_sub(width(text)));
    if right { blanks + text } else { format!("{text}{blanks}") }
}

/// The text in lines of no more columns than there are, parted between words; one that is longer than a line is parted within.
#[must_use]
pub fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room.filter(|room| width(text) > *room) else { return vec![text.to_owned()] };
    let room = room.max(2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_inclusive(' ') {
        let mut word = word;
        if !line.is_empty() && width(&line) + width(word.trim_end()) > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        while width(word.trim_end()) > room {
            let part = head(word, room);
            lines.push(part.to_owned());
            word = &word[part.len()..];
        }
        line.push_str(word);
    }
    let line = line.trim_end();
    if !line.is_empty() || lines.is_empty() {
        lines.push(line.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_no_more_than_its_room() {
        for text in ["short", "模型的名字很长", "a\u{301}e\u{301}i\u{301}", "👩‍👩‍👧 family", "שלום עולם", ""]
        {
            for room in 0..20 {
                assert!(width(&cut(text, room)) <= room, "{text} in {room}");
                assert!(width(&cut_within(text, room)) <= room, "{text} in {room}");
                assert!(
                    room < 2 || wrapped(text, Some(room)).iter().all(|line| width(line) <= room),
                    "{text} in {room}"
                );
            }
        }
        assert_eq!((cut("模型的名字", 6), width("模型的")), ("模型…".to_owned(), 6));
        assert_eq!(cut_within("shop/Deployment/checkout/api", 16), "shop/De…kout/api");
        assert_eq!(padded("模", 4, true), "  模");
    }

    #[test]
    fn words_are_parted_between_and_long_ones_within() {
        assert_eq!(wrapped("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrapped("one abcdefghijk z", Some(4)), ["one", "abcd", "efgh", "ijk", "z"]);
        assert_eq!(wrapped("one two three", None), ["one two three"]);
        assert_eq!(wrapped("", Some(5)), [""]);
    }

    #[test]
    fn names_that_differ_look_different() {
        let names: Vec<String> = (0..30).map(|i| format!("a-very-long-prefix-{i}-a-very-long-suffix")).collect();
        for room in 5..40 {
            let shown = distinct(&names, room);
            assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 30, "{room}: {shown:?}");
            assert!(shown.iter().all(|name| width(name) <= room), "{room}: {shown:?}");
        }
        // A name that looks like a number of ours; and one that is there twice, which is one.
        let names = ["aaaaaaaaaaX1bbbbb", "aaaaaaaaaaX2bbbbb", "a…~2", "a…~2"].map(str::to_owned);
        let shown = distinct(&names, 5);
        assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 3, "{shown:?}");
        assert_eq!(shown[2], shown[3]);
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\u{202e}c\u{9b}"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}");
    }
}
