//! Texts as numbers: how long they are, how many of their words are new, and what characters they are of.
//!
//! **Out of vocabulary.** Of its own words a reference lacks none, so a share that was measured on the rows that the vocabulary is made of
//! would be 0, and any other sample's drift. The reference is cut in twenty parts, one after another; the vocabulary is that of every other
//! part, and the share of the rest is what current rows are held against. Both are then rows that the vocabulary has not seen: without a
//! change they have one distribution, whatever the vocabulary. Parts, not rows, so that what was written in one sitting is on one side.
//!
//! Current rows may be the very ones that the vocabulary is made of: a file held against itself, samples that overlap, the window that a
//! provisional reference was taken from. So no row vouches for its own words: one that occurs in a single row of the vocabulary's is
//! unknown to a text that is the same as that row's.

use std::collections::HashSet;
use std::collections::hash_map::{Entry as Place, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use polars::prelude::Series;
use unicode_segmentation::UnicodeSegmentation;

use super::{Made, Side};
use crate::drift::order::is_to_learn_from;

/// What is made of a text.
pub struct Entry {
    /// As the column is named, after its source and a dot.
    pub name: &'static str,
    /// What it is, with its unit, for people.
    pub help: &'static str,
    of: fn(&Reading) -> Option<f64>,
}

/// Everything that is made of a text; the first counts the rows without one.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "length", help: "characters", of: |read| Some(read.characters as f64) },
    Entry {
        name: OUT_OF_VOCABULARY,
        help: "share of the words that the reference's vocabulary lacks, from 0 to 1",
        of: |read| share(read.unknown, read.words),
    },
    Entry {
        name: "letters",
        help: "share of the characters that are letters, from 0 to 1",
        of: |read| share(read.letters, read.characters),
    },
    Entry {
        name: "capitals",
        help: "share of the letters that are capitals, from 0 to 1",
        of: |read| share(read.capitals, read.letters),
    },
    Entry {
        name: "digits",
        help: "share of the characters that are digits, from 0 to 1",
        of: |read| share(read.digits, read.characters),
    },
    Entry {
        name: "spaces",
        help: "share of the characters that are white space, from 0 to 1",
        of: |read| share(read.spaces, read.characters),
    },
    Entry {
        name: "others",
        help: "share of the characters that are punctuation, symbols and all else, from 0 to 1",
        of: |read| {
            let known = read.letters.saturating_add(read.digits).saturating_add(read.spaces);
            share(read.characters.saturating_sub(known), read.characters)
        },
    },
];

const OUT_OF_VOCABULARY: &str = "out_of_vocabulary";

/// Words of a vocabulary, at most: the first that are met.
const WORDS: usize = 100_000;

/// Fewer values do not say whether they are texts.
const FEWEST: usize = 20;
/// Words of a text, on average and at least.
const LONG: f64 = 3.0;
/// Of so many values in a text column one at least differs from all before it.
const DISTINCT: usize = 2;

/// Whether a column of strings holds texts, and not categories, names or ids: half of its values or more differ from one another, and they
/// have three words or more on average. A word is what stands between white space and has a letter; of scripts without spaces two
/// characters.
#[must_use]
pub fn is_text(column: &Series) -> bool {
    let Ok(texts) = column.str() else { return false };
    let count = texts.len().saturating_sub(texts.null_count());
    if count < FEWEST {
        return false;
    }
    let mut words = 0.0;
    let mut distinct = HashSet::new();
    for (read, text) in (1_u32..).zip(texts.iter().flatten()) {
        words += written_words(text);
        // Most columns of categories show at once what they are.
        if read == 1000 && words < LONG / 3.0 * f64::from(read) {
            return false;
        }
        distinct.insert(hash(text));
    }
    words >= LONG * count as f64 && distinct.len().saturating_mul(DISTINCT) >= count
}

fn written_words(text: &str) -> f64 {
    let word = |word: &str| {
        let unspaced = word.chars().filter(|c| is_unspaced(*c)).count();
        if unspaced > 0 { unspaced as f64 / 2.0 } else { f64::from(u8::from(word.chars().any(char::is_alphabetic))) }
    };
    text.split_whitespace().map(word).sum()
}

/// Of a script that puts no spaces between words: Thai, Lao, Burmese and Khmer, Japanese, Chinese.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What is known of a reference's texts.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its words, by their hashes, each with where it occurs.
    vocabulary: HashMap<u64, Occurs>,
}

/// In which rows a word occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occurs {
    /// In one alone, by the hash of its text.
    Once(u64),
    Often,
}

/// What one text is made of.
#[derive(Default)]
struct Reading {
    characters: u64,
    letters: u64,
    capitals: u64,
    digits: u64,
    spaces: u64,
    words: u64,
    unknown: u64,
}

impl Text {
    /// Of a reference's column. `None` where it is not of strings.
    #[must_use]
    pub fn of(reference: &Series) -> Option<Self> {
        let texts = reference.str().ok()?;
        let rows = texts.len();
        let mut vocabulary = HashMap::new();
        for (_, text) in texts.iter().enumerate().filter(|(at, _)| is_to_learn_from(*at, rows)) {
            let text = text.unwrap_or_default();
            let mut of_row: Vec<u64> = words(text).collect();
            of_row.sort_unstable();
            of_row.dedup();
            for word in of_row {
                if vocabulary.len() >= WORDS {
                    return Some(Self { vocabulary });
                }
                match vocabulary.entry(word) {
                    Place::Vacant(place) => drop(place.insert(Occurs::Once(hash(text)))),
                    Place::Occupied(mut place) => drop(place.insert(Occurs::Often)),
                }
            }
        }
        Some(Self { vocabulary })
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.vocabulary.capacity() as u64).saturating_mul(25)
    }

    /// A column for each of [`ENTRIES`].
    pub(super) fn made(&self, side: Side, rows: &Series) -> Vec<Made> {
        let Ok(texts) = rows.str() else {
            // Not of strings: none has a text.
            return ENTRIES.iter().map(|entry| entry.made(rows, std::iter::repeat_n(None, rows.len()))).collect();
        };
        let mut columns: Vec<Vec<Option<f64>>> = ENTRIES.iter().map(|_| Vec::with_capacity(texts.len())).collect();
        for (at, text) in texts.iter().enumerate() {
            let unseen = side == Side::Current || !is_to_learn_from(at, texts.len());
            let read = text.map(|text| self.read(text, unseen));
            for (column, entry) in columns.iter_mut().zip(ENTRIES) {
                column.push(read.as_ref().and_then(entry.of));
            }
        }
        ENTRIES.iter().zip(columns).map(|(entry, column)| entry.made(rows, column.into_iter())).collect()
    }

    /// Its words are looked up where it is not of those that the vocabulary is made of.
    fn read(&self, text: &str, unseen: bool) -> Reading {
        let mut read = Reading::default();
        let add = |count: &mut u64, yes: bool| *count = count.saturating_add(u64::from(yes));
        for c in text.chars() {
            add(&mut read.characters, true);
            add(&mut read.letters, c.is_alphabetic());
            add(&mut read.capitals, c.is_uppercase());
            add(&mut read.digits, c.is_numeric());
            add(&mut read.spaces, c.is_whitespace());
        }
        if unseen {
            let own = Some(Occurs::Once(hash(text)));
            for word in words(text) {
                let occurs = self.vocabulary.get(&word).copied();
                add(&mut read.words, true);
                add(&mut read.unknown, occurs.is_none() || occurs == own);
            }
        }
        read
    }
}

impl Entry {
    fn made(&self, rows: &Series, values: impl Iterator<Item = Option<f64>>) -> Made {
        let first = ENTRIES.first().is_some_and(|first| first.name == self.name);
        Made {
            counts_missing: first,
            in_every_row: self.name != OUT_OF_VOCABULARY,
            ..Made::new(rows, self.name, values)
        }
    }
}

/// A text's words in small letters (Unicode's word boundaries, UAX 29), each by its hash. What has no letter is none: numbers are told by
/// their share.
fn words(text: &str) -> impl Iterator<Item = u64> {
    text.unicode_words().filter(|word| word.chars().any(char::is_alphabetic)).map(|word| hash(&word.to_lowercase()))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// `None` of nothing.
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests;
