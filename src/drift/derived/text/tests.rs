use std::fmt::Write as _;

use polars::prelude::{NamedFrom, Series};

use super::*;
use crate::drift::baseline::Baseline;
use crate::drift::defaults;
use crate::drift::derived::Derived;
use crate::drift::modes::Mode;
use crate::drift::verdict::{Judged, Measured, Thresholds, judge};
use crate::stats::whole;

/// Texts of words with Zipf's shares out of 20,000, from the `from`th on.
fn texts(random: &mut fastrand::Rng, rows: usize, from: usize) -> Series {
    let text = |random: &mut fastrand::Rng| {
        let mut text = String::new();
        for _ in 0..random.usize(4..16) {
            let rank = from.saturating_add(whole::index(20_000.0_f64.powf(random.f64())));
            let _ = write!(text, "{} ", word(rank));
        }
        text
    };
    Series::new("note".into(), (0..rows).map(|_| text(random)).collect::<Vec<String>>())
}

fn word(mut rank: usize) -> String {
    let mut word = String::new();
    loop {
        word.push_str(["ka", "lo", "mi", "ne", "Pu", "ri", "so"][rank % 7]);
        rank /= 7;
        if rank == 0 {
            return word;
        }
    }
}

fn judged(reference: &Series, current: &Series) -> Vec<Judged> {
    let derived = Derived::of(reference, None, true).expect("texts");
    let both =
        derived.made(Side::Reference, reference, None).into_iter().zip(derived.made(Side::Current, current, None));
    let measured = both.map(|(one, other)| {
        Measured::new(&one.name, &Baseline::new(one.sample()), &other.sample(), &defaults(), Mode::Default)
    });
    judge(measured.collect(), &Thresholds::default())
}

fn drifting(judged: &[Judged]) -> Vec<&str> {
    judged.iter().filter(|of| of.drift == Some(true)).map(|of| of.name.as_str()).collect()
}

fn values<'a>(made: &'a [Made], name: &str) -> Vec<Option<f64>> {
    let column: Option<&'a Made> = made.iter().find(|made| made.name == format!("note.{name}"));
    column.expect("made").values.f64().expect("numbers").iter().collect()
}

#[test]
fn texts_that_do_not_change_are_calm() {
    let sizes = [(500, 200, 60), (500, 5000, 20), (5000, 1000, 6), (50_000, 5000, 1)];
    for (reference, window, seeds) in sizes {
        for seed in 0..seeds {
            let random = &mut fastrand::Rng::with_seed(seed);
            let found = judged(&texts(random, reference, 0), &texts(random, window, 0));
            assert!(drifting(&found).is_empty(), "{reference}, {window}, seed {seed}: {:?}", drifting(&found));
        }
    }
}

#[test]
fn new_words_longer_texts_and_other_characters_are_found() {
    let random = &mut fastrand::Rng::with_seed(1);
    let reference = texts(random, 5000, 0);
    let other = judged(&reference, &texts(random, 1000, 15_000));
    assert!(drifting(&other).contains(&"note.out_of_vocabulary"), "{:?}", drifting(&other));
    let changed = |change: fn(&str) -> String, random: &mut fastrand::Rng| {
        let texts = texts(random, 1000, 0);
        let texts: Vec<String> = texts.str().expect("texts").iter().flatten().map(change).collect();
        Series::new("note".into(), texts)
    };
    let loud = judged(&reference, &changed(str::to_uppercase, random));
    assert_eq!(drifting(&loud), ["note.capitals"]);
    let numbered = judged(&reference, &changed(|text| format!("{text}12345"), random));
    assert!(["note.length", "note.digits"].iter().all(|name| drifting(&numbered).contains(name)));
    assert!(!drifting(&numbered).contains(&"note.out_of_vocabulary"), "a number is no word");
}

#[test]
fn a_row_without_a_text_is_counted_once() {
    let random = &mut fastrand::Rng::with_seed(2);
    let reference = texts(random, 2000, 0);
    let gaps = texts(random, 1000, 0);
    let gaps: Vec<Option<String>> = gaps
        .str()
        .expect("texts")
        .iter()
        .enumerate()
        .map(|(at, text)| Some(text?.to_owned()).filter(|_| at % 5 > 0))
        .collect();
    assert_eq!(drifting(&judged(&reference, &Series::new("note".into(), gaps))), ["note.length"]);
}

#[test]
fn a_text_is_read_by_its_characters_and_words() {
    let reference = Series::new("note".into(), ["one two", "three"].repeat(20));
    let text = Text::of(&reference).expect("texts");
    let current = Series::new("note".into(), [Some("Two FOUR, 42!"), Some(""), None, Some("?!"), Some("\u{1f600}")]);
    let made = text.made(Side::Current, &current);
    assert_eq!(values(&made, "length"), [Some(13.0), Some(0.0), None, Some(2.0), Some(1.0)]);
    assert_eq!(values(&made, "out_of_vocabulary"), [Some(0.5), None, None, None, None]);
    assert_eq!(values(&made, "letters")[0], Some(7.0 / 13.0));
    assert_eq!(values(&made, "capitals"), [Some(5.0 / 7.0), None, None, None, None]);
    assert_eq!((values(&made, "digits")[0], values(&made, "spaces")[0]), (Some(2.0 / 13.0), Some(2.0 / 13.0)));
    assert_eq!(values(&made, "others"), [Some(2.0 / 13.0), None, None, Some(1.0), Some(1.0)]);
    // Every other part of the reference has made the vocabulary.
    let own = values(&text.made(Side::Reference, &reference), "out_of_vocabulary");
    assert_eq!((own[0], own[1], own[2], own[3]), (None, None, Some(0.0), Some(0.0)));
    let numbers = Series::new("note".into(), [1_i64, 2]);
    assert!(Text::of(&numbers).is_none());
    assert_eq!(values(&text.made(Side::Current, &numbers), "length"), [None, None]);
}

#[test]
fn texts_are_told_from_categories_names_and_ids() {
    let of = |value: &dyn Fn(usize) -> String, rows: usize| {
        is_text(&Series::new("c".into(), (0..rows).map(value).collect::<Vec<String>>()))
    };
    assert!(is_text(&texts(&mut fastrand::Rng::with_seed(3), 200, 0)));
    assert!(of(&|at| format!("the order {at} of last week was late"), 20));
    assert!(of(&|at| format!("谢谢你们的帮助 {at}"), 50), "no spaces between words");
    let none: [(&str, &dyn Fn(usize) -> String); 8] = [
        ("ids", &|at| format!("order-{at}")),
        ("uuids", &|at| format!("{at:08x}-e29b-41d4-a716-446655440000")),
        ("zip codes", &|at| format!("{:05}", at * 7 % 10_000)),
        ("addresses of pages", &|at| format!("https://example.org/a/{at}?page=the+first")),
        ("names", &|at| format!("Ada Lovelace{at}")),
        ("places", &|at| format!("48.{at} N 11.{at} E")),
        ("a long tail of categories", &|at| format!("The kind with a long name {}", at * at % 40)),
        ("times", &|at| format!("2026-01-31 10:{:02} UTC", at % 60)),
    ];
    for (what, value) in none {
        assert!(!of(value, 200), "{what}");
    }
    assert!(!of(&|at| format!("a text that is of its own {at}"), FEWEST - 1), "too few to tell");
    assert!(!is_text(&Series::new("c".into(), [1_i64; 50])) && !is_text(&Series::new("c".into(), [None::<&str>; 50])));
}

/// What is said of the new words alone.
fn new_words(reference: &Series, current: &Series) -> Option<bool> {
    let derived = Derived::of(reference, None, true).expect("texts");
    let one = |side, rows| derived.made(side, rows, None).remove(1);
    let (one, other) = (one(Side::Reference, reference), one(Side::Current, current));
    judge(
        vec![Measured::new(&one.name, &Baseline::new(one.sample()), &other.sample(), &defaults(), Mode::Default)],
        &Thresholds::default(),
    )
    .remove(0)
    .drift
}

/// Texts in which each row has a word that no other has.
type Row = fn(&mut fastrand::Rng) -> String;
const ONE_OF_ITS_OWN: [(&str, Row); 4] = [
    ("an id", |random| format!("u{:016x}", random.u64(..))),
    ("a text with an id", |random| {
        format!(
            "order u{:016x} of the {} {} house",
            random.u64(..),
            word(random.usize(..50)),
            word(random.usize(..3000))
        )
    }),
    ("a text of any length", |random| {
        let words: Vec<String> = (0..random.usize(1..9)).map(|_| word(random.usize(..200))).collect();
        format!("u{:016x} {}", random.u64(..), words.join(" "))
    }),
    ("a name", |random| format!("{} {}", word(random.usize(..300)), word(1000 + random.usize(..20_000)))),
];

fn column(rows: &[String]) -> Series {
    Series::new("note".into(), rows)
}

#[test]
fn rows_that_the_vocabulary_is_made_of_do_not_know_their_own_words() {
    for (what, row) in ONE_OF_ITS_OWN {
        for (seed, rows) in (0..).zip([100, 200, 400, 900, 2000]) {
            let random = &mut fastrand::Rng::with_seed(seed);
            let all: Vec<String> = (0..rows * 3 / 2).map(|_| row(random)).collect();
            let reference = column(&all[..rows]);
            let currents =
                [("itself", 0..rows), ("a half of it", 0..rows / 2), ("rows that overlap", rows / 2..rows * 3 / 2)];
            for (which, of) in currents {
                assert_ne!(new_words(&reference, &column(&all[of])), Some(true), "{what}, {rows} rows, {which}");
            }
        }
    }
}

#[test]
fn new_words_are_found_beside_those_that_are_always_new() {
    for (what, row) in &ONE_OF_ITS_OWN[1..] {
        let random = &mut fastrand::Rng::with_seed(1);
        let mut rows = |rows: usize| (0..rows).map(|_| row(random)).collect::<Vec<String>>();
        let (reference, now) = (rows(1000), rows(500));
        let news: Vec<String> = now
            .iter()
            .enumerate()
            .map(|(at, row)| if at % 3 == 0 { format!("{row} zzyzx{}", word(at)) } else { row.clone() })
            .collect();
        assert_eq!(new_words(&column(&reference), &column(&news)), Some(true), "{what}");
        // Again and again the same text: its words are known.
        let known = ["a red house", "two blue cars"].repeat(250).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let other = ["a red house", "two green ships"].repeat(250).into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            (new_words(&column(&known), &column(&known)), new_words(&column(&known), &column(&other))),
            (Some(false), Some(true))
        );
    }
}
