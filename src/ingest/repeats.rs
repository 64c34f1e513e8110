//! Batches sent again under one `Idempotency-Key`: taken once, answered alike each time.
//!
//! What a key was answered stands in the log beside the rows that it brought, so that neither is there without the other; it is read again at a
//! start, and kept in a file of its own once the rows are Parquet. Keys are remembered for a day, so many of them at most; who forgets is the
//! agent, and a batch that is sent again after that is new.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use crate::identity::ModelKey;

/// The header.
pub const HEADER: &str = "idempotency-key";
/// The header of an answer that was given before.
pub const REPLAYED: &str = "idempotency-replayed";
/// What is noted beside a batch's rows.
pub const NOTE: &str = "idempotency";
/// For how long a key is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// So many are remembered at most.
const MOST: usize = 100_000;
/// And so much of their answers, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// A key may be so long, in bytes.
const LONGEST: usize = 255;
/// When a batch that is being taken may be sent again.
pub const RUNNING_RETRY: Duration = Duration::from_secs(1);

/// 128 bits, of which no two are alike by accident.
type Hash = [u8; 16];

/// A key as a sender gave it.
///
/// # Errors
/// It is none: says what one is.
pub fn key(given: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(given).ok().map(str::trim);
    // Structured headers put texts between quotation marks.
    let bare =
        text.map(|text| text.strip_prefix('"').unwrap_or(text)).map(|text| text.strip_suffix('"').unwrap_or(text));
    let is_seen = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    let is_one = |key: &&str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(is_seen);
    bare.filter(is_one)
        .ok_or_else(|| format!("Idempotency-Key must have 1 to {LONGEST} characters of ASCII without spaces, such as a UUID; it names one batch"))
}

/// A batch and the key that it came under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    id: Hash,
    /// Of all that decides what becomes of it.
    content: Hash,
    model: u64,
}

impl Claim {
    /// `scope` is what the key is one of beside the model, such as who sends; `content` all that must be alike for a repetition.
    #[must_use]
    pub fn new(model: &ModelKey, scope: &[&str], key: &str, content: &[&[u8]]) -> Self {
        let named = model.to_string();
        let id = [named.as_str()].into_iter().chain(scope.iter().copied()).chain([key]);
        Self { id: hash(id.map(str::as_bytes)), content: hash(content.iter().copied()), model: short(model) }
    }
}

fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&hasher.finalize()[..16]);
    hash
}

fn short(model: &ModelKey) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(model.to_string().as_bytes());
    hasher.finish()
}

/// What became of a key.
#[derive(Debug)]
enum Known {
    /// Its first batch is being taken.
    Running(Hash),
    Done(Done),
}

#[derive(Debug)]
struct Done {
    content: Hash,
    model: u64,
    at: Timestamp,
    answer: Box<str>,
}

/// What is to become of a batch.
#[derive(Debug)]
pub enum Begun {
    /// It is the first under its key.
    First(Running),
    /// The first is being taken.
    Meanwhile,
    /// It was answered so.
    Answered(String),
    /// Another batch came under this key.
    Other,
}

/// Keys that are remembered.
#[derive(Debug, Default)]
pub struct Repeats {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<Hash, Known>,
    /// Those that are done, in the order in which they were.
    order: VecDeque<(Timestamp, Hash)>,
    /// Bytes of answers.
    bytes: usize,
}

/// A batch that is being taken. Dropped before it is done, its key is as if it had not come.
#[derive(Debug)]
pub struct Running {
    repeats: Arc<Repeats>,
    claim: Claim,
    at: Timestamp,
}

impl Repeats {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is to become of a batch.
    pub fn begin(self: &Arc<Self>, claim: Claim, now: Timestamp) -> Begun {
        let mut state = self.locked();
        state.expire(now);
        match state.known.get(&claim.id) {
            Some(Known::Running(content)) if *content == claim.content => Begun::Meanwhile,
            Some(Known::Done(done)) if done.content == claim.content => Begun::Answered(done.answer.to_string()),
            Some(_) => Begun::Other,
            None => {
                state.known.insert(claim.id, Known::Running(claim.content));
                Begun::First(Running { repeats: Arc::clone(self), claim, at: now })
            }
        }
    }

    /// Takes up what was noted beside a batch; what is none is passed over.
    pub fn restore(&self, note: &str, now: Timestamp) {
        if let Some((id, done)) = read(note) {
            self.locked().insert(id, done, now);
        }
    }

    /// All that is remembered, as it is noted, oldest first.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let state = self.locked();
        let note = |(_, id): &(Timestamp, Hash)| match state.known.get(id)? {
            Known::Done(done) => Some(written(*id, done)),
            Known::Running(_) => None,
        };
        state.order.iter().filter_map(note).collect()
    }

    /// Forgets the keys of a model: it was removed with all that they brought.
    pub fn forget(&self, model: &ModelKey) {
        let (of, mut state) = (short(model), self.locked());
        let State { known, order, bytes } = &mut *state;
        let is_of = |entry: &Known| matches!(entry, Known::Done(done) if done.model == of);
        order.retain(|(_, id)| !known.get(id).is_some_and(&is_of));
        known.retain(|_, entry| {
            let gone = is_of(entry);
            if let (true, Known::Done(done)) = (gone, &*entry) {
                *bytes = bytes.saturating_sub(done.answer.len());
            }
            !gone
        });
    }

    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.locked().order.len()
    }
}

impl Running {
    /// What is to be noted beside its rows, once it is known how they are answered.
    #[must_use]
    pub fn note(&self, answer: &str) -> String {
        written(self.claim.id, &self.done_with(answer))
    }

    /// Its rows are in the log.
    pub fn done(self, answer: &str) {
        self.repeats.locked().insert(self.claim.id, self.done_with(answer), self.at);
    }

    fn done_with(&self, answer: &str) -> Done {
        Done { content: self.claim.content, model: self.claim.model, at: self.at, answer: answer.into() }
    }

    /// Its key is to be as if it had not come, though its rows may be in the log: they are not as safe as was promised.
    #[must_use]
    pub fn undone(&self) -> Undone {
        Undone { repeats: Arc::clone(&self.repeats), id: self.claim.id }
    }
}

/// A key that may have to be forgotten.
#[derive(Debug)]
pub struct Undone {
    repeats: Arc<Repeats>,
    id: Hash,
}

impl Undone {
    /// Forgets it.
    pub fn forget(self) {
        let mut state = self.repeats.locked();
        state.order.retain(|(_, id)| *id != self.id);
        state.remove(&self.id);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.repeats.locked();
        if matches!(state.known.get(&self.claim.id), Some(Known::Running(_))) {
            state.known.remove(&self.claim.id);
        }
    }
}

impl State {
    fn insert(&mut self, id: Hash, done: Done, now: Timestamp) {
        if now.duration_since(done.at) > REMEMBERED {
            return;
        }
        // A file and the log may both have it.
        if let Some(Known::Done(known)) = self.known.get(&id) {
            if known.at == done.at {
                return;
            }
            self.order.retain(|(_, known)| *known != id);
            self.remove(&id);
        }
        self.bytes = self.bytes.saturating_add(done.answer.len());
        self.order.push_back((done.at, id));
        self.known.insert(id, Known::Done(done));
        while self.order.len() > MOST || self.bytes > MOST_BYTES {
            self.drop_oldest();
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBERED) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &Hash) {
        if let Some(Known::Done(done)) = self.known.remove(id) {
            self.bytes = self.bytes.saturating_sub(done.answer.len());
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Hash> {
    u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(u128::to_be_bytes)
}

fn written(id: Hash, done: &Done) -> String {
    format!("{} {} {:016x} {} {}", hex(&id), hex(&done.content), done.model, done.at.as_millisecond(), done.answer)
}

fn read(note: &str) -> Option<(Hash, Done)> {
    let mut parts = note.splitn(5, ' ');
    let mut next = || parts.next();
    let (id, content) = (unhex(next()?)?, unhex(next()?)?);
    let model = u64::from_str_radix(next()?, 16).ok()?;
    let at = Timestamp::from_millisecond(next()?.parse().ok()?).ok()?;
    Some((id, Done { content, model, at, answer: next()?.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    fn claim(model: &str, sender: &str, key: &str, body: &str) -> Claim {
        Claim::new(&ModelKey::named(model), &["samples", sender], key, &[b"json", body.as_bytes()])
    }

    fn first(repeats: &Arc<Repeats>, claim: Claim, now: i64) -> Running {
        match repeats.begin(claim, at(now)) {
            Begun::First(running) => running,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_text_that_can_be_seen() {
        assert_eq!((key(b" 8e03978e-40d5 "), key(b"\"8e03\"")), (Ok("8e03978e-40d5"), Ok("8e03")));
        let long = [b'k'; 256];
        assert!(key(&long[..255]).is_ok());
        for wrong in [&b""[..], b"\"\"", b"  ", b"a b", b"a\tb", "ö".as_bytes(), b"\xff", &long] {
            assert!(key(wrong).expect_err("none").contains("1 to 255"), "{wrong:?}");
        }
    }

    #[test]
    fn a_batch_is_the_first_is_under_way_was_answered_or_is_another() {
        let repeats = Arc::<Repeats>::default();
        let mine = claim("m", "a", "k", "rows");
        let running = first(&repeats, mine, 0);
        assert!(matches!(repeats.begin(mine, at(1)), Begun::Meanwhile));
        assert!(matches!(repeats.begin(claim("m", "a", "k", "others"), at(1)), Begun::Other));
        // Another model, another sender and another key are others'.
        for other in [claim("n", "a", "k", "rows"), claim("m", "b", "k", "rows"), claim("m", "a", "l", "rows")] {
            drop(first(&repeats, other, 1));
        }
        running.done("answer");
        assert!(matches!(repeats.begin(mine, at(2)), Begun::Answered(answer) if answer == "answer"));
        assert!(matches!(repeats.begin(claim("m", "a", "k", "others"), at(2)), Begun::Other));
        // One that came to nothing may come again.
        drop(first(&repeats, claim("m", "a", "l", "rows"), 3));
        let again = first(&repeats, claim("m", "a", "l", "rows"), 3);
        let undone = again.undone();
        again.done("unsafe");
        undone.forget();
        drop(first(&repeats, claim("m", "a", "l", "rows"), 3));
        assert_eq!(repeats.count(), 1);
        // A day later it is another's.
        let later = REMEMBERED.as_secs() + 1;
        drop(first(&repeats, mine, later));
        assert_eq!((repeats.count(), repeats.locked().bytes), (0, 0));
    }

    #[test]
    fn what_is_noted_is_taken_up_again() {
        let (repeats, again) = (Arc::<Repeats>::default(), Arc::<Repeats>::default());
        let (mine, others) = (claim("m", "a", "k", "rows"), claim("n", "a", "k", "rows"));
        let running = first(&repeats, mine, 10);
        let note = running.note("{\"accepted\": 2}");
        running.done("{\"accepted\": 2}");
        first(&repeats, others, 11).done("other");
        assert_eq!((repeats.notes().len(), &repeats.notes()[0]), (2, &note));
        for note in repeats.notes().iter().chain([&note, &"nonsense".to_owned(), &String::new()]) {
            again.restore(note, at(20));
        }
        assert_eq!((again.count(), again.locked().bytes), (2, repeats.locked().bytes));
        assert!(matches!(again.begin(mine, at(20)), Begun::Answered(answer) if answer == "{\"accepted\": 2}"));
        again.restore(&note, at(20 + REMEMBERED.as_secs()));
        again.forget(&ModelKey::named("m"));
        assert_eq!((again.count(), again.locked().bytes), (1, "other".len()));
        assert_eq!(again.locked().known.len(), 1);
        drop(first(&again, mine, 21));
        // Of long ago nothing is taken up.
        let old = Arc::<Repeats>::default();
        old.restore(&note, at(11 + REMEMBERED.as_secs()));
        assert_eq!(old.count(), 0);
    }

    #[test]
    fn so_many_are_remembered() {
        let repeats = Arc::<Repeats>::default();
        let answer = "a".repeat(1 << 20);
        for n in 0..20 {
            first(&repeats, claim("m", "a", &n.to_string(), "rows"), n).done(&answer);
        }
        assert_eq!((repeats.count(), repeats.locked().bytes), (16, MOST_BYTES));
        drop(first(&repeats, claim("m", "a", "3", "rows"), 30));
        assert!(matches!(repeats.begin(claim("m", "a", "4", "rows"), at(30)), Begun::Answered(_)));
    }
}
