//! A model's rows in memory, by their position: milliseconds of event time, or their number by arrival.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use polars::prelude::{
    BooleanChunked, ChunkAgg, ChunkCompareIneq, DataFrame, IntoColumn, NamedFrom, PolarsResult, Series,
};

pub use crate::frame::stack::keep;
use crate::frame::stack::stack;

/// The column of positions.
pub const POSITION: &str = "_position";
/// A frame is closed at so many rows, so that old ones can go one by one.
const CLOSED_AT: usize = 16_384;
/// Small frames put below one another are made one at so many pieces.
const PIECES: usize = 64;

/// Rows by position, oldest first as they came.
#[derive(Default)]
pub struct Rows {
    frames: VecDeque<Part>,
    rows: u64,
}

struct Part {
    frame: DataFrame,
    pieces: usize,
    first: i64,
    last: i64,
}

impl Rows {
    /// Puts in a frame with a column of positions.
    ///
    /// # Errors
    /// The frame has no positions, or a column changed its kind.
    pub fn push(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        // However many rows come at once: they go in parts, as they came.
        if frame.height() <= CLOSED_AT {
            return if frame.height() > 0 { self.push_part(frame.clone()) } else { Ok(()) };
        }
        // Slices keep the whole for as long as any of them is held; they came at once, and go at once.
        let mut left = frame.clone();
        while left.height() > 0 {
            let (part, rest) = parted(&left, CLOSED_AT);
            self.push_part(part)?;
            left = rest;
        }
        Ok(())
    }

    fn push_part(&mut self, frame: DataFrame) -> PolarsResult<()> {
        let positions = frame.column(POSITION)?.i64()?;
        let (first, last) = (positions.min().unwrap_or(0), positions.max().unwrap_or(0));
        self.rows += frame.height() as u64;
        match self.frames.back_mut().filter(|part| part.frame.height() < CLOSED_AT) {
            Some(part) => {
                stack(&mut part.frame, frame)?;
                part.pieces += 1;
                (part.first, part.last) = (part.first.min(first), part.last.max(last));
                if part.pieces >= PIECES || part.frame.height() >= CLOSED_AT {
                    part.frame.rechunk_mut();
                    part.pieces = 1;
                }
            }
            None => self.frames.push_back(Part { frame, pieces: 1, first, last }),
        }
        Ok(())
    }

    /// The rows at positions in `from..to`.
    ///
    /// # Errors
    /// A column changed its kind.
    pub fn range(&self, from: i64, to: i64) -> PolarsResult<DataFrame> {
        self.parts_of(from, to, |frame| Ok(frame.clone()))
    }

    /// The same of some columns alone, those of them that there are.
    ///
    /// # Errors
    /// Never, for frames that were pushed.
    pub fn range_of(&self, from: i64, to: i64, names: &[&str]) -> PolarsResult<DataFrame> {
        let some = |frame: &DataFrame| {
            frame.select(names.iter().filter(|name| frame.column(name).is_ok()).copied().chain([POSITION]))
        };
        self.parts_of(from, to, some)
    }

    fn parts_of(
        &self,
        from: i64,
        to: i64,
        of: impl Fn(&DataFrame) -> PolarsResult<DataFrame>,
    ) -> PolarsResult<DataFrame> {
        let mut found = DataFrame::empty();
        for part in self.frames.iter().filter(|part| part.first < to && part.last >= from) {
            let whole = part.first >= from && part.last < to;
            let frame = of(&part.frame)?;
            let rows = if whole {
                frame
            } else {
                let positions = frame.column(POSITION)?.i64()?;
                let within: BooleanChunked = positions.gt_eq(from) & positions.lt(to);
                frame.filter(&within)?
            };
            if rows.height() > 0 {
                stack(&mut found, rows)?;
            }
        }
        found.rechunk_mut();
        Ok(found)
    }

    /// Forgets what lies wholly before `position`, and gives it back.
    pub fn forget_before(&mut self, position: i64) -> Vec<DataFrame> {
        let mut gone = Vec::new();
        let mut kept = VecDeque::with_capacity(self.frames.len());
        for part in std::mem::take(&mut self.frames) {
            if part.last < position {
                self.rows -= part.frame.height() as u64;
                gone.push(part.frame);
            } else {
                kept.push_back(part);
            }
        }
        self.frames = kept;
        gone
    }

    /// Forgets every row before `position`, and gives them back: parts that lie across it are written anew, which costs more.
    ///
    /// # Errors
    /// Never, for frames that were pushed.
    pub fn forget_exactly_before(&mut self, position: i64) -> PolarsResult<Vec<DataFrame>> {
        let mut gone = self.forget_before(position);
        for part in self.frames.iter_mut().filter(|part| part.first < position) {
            let before: BooleanChunked = part.frame.column(POSITION)?.i64()?.lt(position);
            let left = part.frame.filter(&before)?;
            part.frame = part.frame.filter(&!&before)?;
            (part.first, part.pieces) = (position, 1);
            self.rows -= left.height() as u64;
            gone.push(left);
        }
        Ok(gone)
    }

    /// Forgets the rows that came first, `most` of them or a part, and gives them back.
    pub fn forget_oldest(&mut self, most: u64) -> Option<DataFrame> {
        let part = self.frames.front_mut()?;
        let gone = if part.frame.height() as u64 > most {
            let (gone, rest) = parted(&part.frame, usize::try_from(most).unwrap_or(usize::MAX));
            part.frame = rest;
            gone
        } else {
            self.frames.pop_front()?.frame
        };
        self.rows -= gone.height() as u64;
        Some(gone)
    }

    /// The first position.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.frames.iter().map(|part| part.first).min()
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.frames.iter().map(|part| part.frame.estimated_size() as u64).sum()
    }

    /// All rows, in the order in which they came.
    ///
    /// # Errors
    /// A column changed its kind.
    pub fn all(&self) -> PolarsResult<DataFrame> {
        self.range(i64::MIN, i64::MAX)
    }
}

/// The first so many rows, and the rest.
fn parted(frame: &DataFrame, at: usize) -> (DataFrame, DataFrame) {
    let at = at.min(frame.height());
    (frame.head(Some(at)), frame.tail(Some(frame.height() - at)))
}

/// The frame with these positions.
///
/// # Errors
/// There are more or fewer of them than rows.
pub fn with_positions(mut frame: DataFrame, positions: Vec<i64>) -> PolarsResult<DataFrame> {
    frame.with_column(Series::new(POSITION.into(), positions).into_column())?;
    Ok(frame)
}

/// Versions whose rows may have one id; the row of another counts as one that came before.
const VERSIONS: usize = 20;

/// The ids that are known, each with the positions of its rows: one a version, as a shadow answers the same requests. Ids are kept as
/// 128-bit hashes with keys of this process, so that long ones cost no more and nobody can make two that are taken for one.
#[derive(Default)]
pub struct Ids {
    keys: [RandomState; 2],
    known: HashMap<u128, Known>,
    /// Of ids with rows of several versions those after the first.
    more: HashMap<u128, Vec<Known>>,
}

struct Known {
    position: i64,
    version: u32,
    /// Its error has passed the detectors.
    streamed: bool,
}

/// What a row is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    id: u128,
    version: u32,
}

impl Ids {
    /// What an id is known by, of whatever version; of this process.
    #[must_use]
    pub fn key(&self, id: &str) -> u128 {
        let [high, low] = self.keys.each_ref().map(|key| key.hash_one(id));
        u128::from(high) << 64 | u128::from(low)
    }

    fn keyed(&self, id: &str, version: Option<&str>) -> Key {
        let version = self.keys.first().map_or(0, |key| key.hash_one(version) >> 32);
        Key { id: self.key(id), version: u32::try_from(version).unwrap_or_default() }
    }

    /// Notes the id of a row of this version, which has no position yet. None if it is known already, else what it is known by.
    pub fn note(&mut self, id: &str, version: Option<&str>) -> Option<Key> {
        let key = self.keyed(id, version);
        let fresh = Known { position: i64::MIN, version: key.version, streamed: false };
        match self.known.entry(key.id) {
            Entry::Occupied(first) if first.get().version == key.version => return None,
            Entry::Occupied(_) => {
                let more = self.more.entry(key.id).or_default();
                if more.len() + 1 >= VERSIONS || more.iter().any(|known| known.version == key.version) {
                    return None;
                }
                more.push(fresh);
            }
            Entry::Vacant(place) => {
                place.insert(fresh);
            }
        }
        Some(key)
    }

    /// Gives a noted id its row's position, or forgets it if the row is not held.
    pub fn place(&mut self, key: Key, position: Option<i64>) {
        let Some(position) = position else { return self.remove(key) };
        let all = self.known.get_mut(&key.id).into_iter().chain(self.more.get_mut(&key.id).into_iter().flatten());
        for known in all.filter(|known| known.version == key.version) {
            known.position = position;
        }
    }

    fn remove(&mut self, key: Key) {
        let more = self.more.get_mut(&key.id);
        match self.known.get_mut(&key.id) {
            Some(first) if first.version == key.version => match more.and_then(Vec::pop) {
                // Errors are of ids: what has passed has.
                Some(next) => *first = Known { streamed: first.streamed, ..next },
                None => {
                    self.known.remove(&key.id);
                }
            },
            _ => {
                if let Some(more) = more {
                    more.retain(|known| known.version != key.version);
                }
            }
        }
        if self.more.get(&key.id).is_some_and(Vec::is_empty) {
            self.more.remove(&key.id);
        }
    }

    /// The positions of the rows with this id.
    pub fn positions(&self, id: &str) -> impl Iterator<Item = i64> {
        let key = self.key(id);
        let more = self.more.get(&key).into_iter().flatten();
        self.known.get(&key).into_iter().chain(more).map(|known| known.position)
    }

    /// Notes that the error of the row with this id passes the detectors. Whether it does so for the first time; of a row that is not held
    /// it does not.
    pub fn stream(&mut self, id: &str) -> bool {
        let key = self.key(id);
        self.known.get_mut(&key).is_some_and(|known| !std::mem::replace(&mut known.streamed, true))
    }

    /// Whether it has.
    #[must_use]
    pub fn is_streamed(&self, id: &str) -> bool {
        self.known.get(&self.key(id)).is_some_and(|known| known.streamed)
    }

    /// Forgets the ids of these rows.
    pub fn forget(&mut self, frame: &DataFrame) {
        let Ok(ids) = frame.column("id").and_then(|column| column.str()) else { return };
        for (id, version) in ids.iter().zip(versions(frame)) {
            if let Some(id) = id {
                self.remove(self.keyed(id, version));
            }
        }
        if self.known.capacity() > 4 * self.known.len() + 1024 {
            self.known.shrink_to_fit();
        }
    }

    /// About how many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let more: usize = self.more.values().map(|more| 64 + 16 * more.capacity()).sum();
        self.known.capacity() as u64 * 33 + more as u64
    }
}

/// Of each row its version; None of every row where none is told.
pub fn versions(frame: &DataFrame) -> impl Iterator<Item = Option<&str>> {
    let told = frame.column("version").ok().and_then(|column| column.str().ok());
    (0..frame.height()).map(move |row| told.and_then(|versions| versions.get(row)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(positions: &[i64]) -> DataFrame {
        let ids: Vec<String> = positions.iter().map(i64::to_string).collect();
        let frame =
            DataFrame::new(positions.len(), vec![Series::new("id".into(), ids).into_column()]).expect("a frame");
        with_positions(frame, positions.to_vec()).expect("a frame")
    }

    fn positions(frame: &DataFrame) -> Vec<i64> {
        let Ok(column) = frame.column(POSITION) else { return Vec::new() };
        let mut all: Vec<i64> = column.i64().expect("positions").iter().flatten().collect();
        all.sort_unstable();
        all
    }

    proptest! {
        /// What is forgotten exactly is given back, and nothing before the position is left, however the parts lie.
        #[test]
        fn nothing_before_is_left(
            batches in prop::collection::vec(prop::collection::vec(-50..50_i64, 1..9), 0..90), at in -60..60_i64,
        ) {
            let mut rows = Rows::default();
            for batch in &batches {
                rows.push(&frame(batch)).expect("pushed");
            }
            let mut gone: Vec<i64> = rows.forget_exactly_before(at).expect("forgotten").iter().flat_map(positions).collect();
            gone.sort_unstable();
            let mut all: Vec<i64> = batches.iter().flatten().copied().collect();
            all.sort_unstable();
            let (before, after): (Vec<i64>, Vec<i64>) = all.into_iter().partition(|position| *position < at);
            prop_assert_eq!((gone, positions(&rows.all().expect("all"))), (before, after.clone()));
            prop_assert_eq!(rows.rows(), after.len() as u64);
        }

        /// Whatever comes in whatever order: a range holds what lies in it, each once, and nothing else.
        #[test]
        fn a_range_holds_what_lies_in_it(
            batches in prop::collection::vec(prop::collection::vec(-50..50_i64, 1..9), 0..90), from in -60..60_i64, length in 0..60_i64,
        ) {
            let mut rows = Rows::default();
            for batch in &batches {
                rows.push(&frame(batch)).expect("pushed");
            }
            let mut expected: Vec<i64> = batches.iter().flatten().copied().filter(|p| (from..from + length).contains(p)).collect();
            expected.sort_unstable();
            prop_assert_eq!(positions(&rows.range(from, from + length).expect("rows")), expected);
            prop_assert_eq!(usize::try_from(rows.rows()), Ok(batches.iter().map(Vec::len).sum::<usize>()));
        }
    }

    fn positions_of(ids: &Ids, id: &str) -> Vec<i64> {
        ids.positions(id).collect()
    }

    #[test]
    fn an_id_is_known_until_its_row_is_forgotten() {
        let mut ids = Ids::default();
        let key = ids.note("1", None).expect("new");
        ids.place(key, Some(1));
        assert_eq!((ids.note("1", None), positions_of(&ids, "1")), (None, vec![1]));
        assert_eq!((ids.stream("1"), ids.stream("1"), ids.stream("2")), (true, false, false));
        ids.place(key, Some(2));
        assert!(ids.is_streamed("1"), "wherever it is placed");
        ids.forget(&frame(&[1]));
        assert_eq!((positions_of(&ids, "1"), ids.is_streamed("1")), (Vec::new(), false));
    }

    #[test]
    fn an_id_has_a_row_of_each_version() {
        let mut ids = Ids::default();
        let (first, second) =
            (ids.note("1", Some("a")).expect("new"), ids.note("1", Some("b")).expect("of another version"));
        assert_eq!((ids.note("1", Some("a")), ids.note("1", Some("b"))), (None, None));
        ids.place(first, Some(1));
        ids.place(second, Some(7));
        assert!(ids.stream("1") && positions_of(&ids, "1") == [1, 7]);
        let of = |version: &str| {
            let mut rows = frame(&[1]);
            rows.with_column(Series::new("version".into(), [version]).into_column()).expect("a column");
            rows
        };
        ids.forget(&of("a"));
        assert_eq!((positions_of(&ids, "1"), ids.stream("1")), (vec![7], false), "its error has passed");
        assert!(ids.note("1", Some("a")).is_some() && ids.note("1", Some("b")).is_none());
        ids.place(second, None);
        assert_eq!(positions_of(&ids, "1").len(), 1);
        ids.forget(&of("a"));
        assert_eq!((positions_of(&ids, "1"), ids.known.len(), ids.more.len()), (Vec::new(), 0, 0));
        // However many versions there are said to be.
        let noted = (0..100).filter(|version| ids.note("2", Some(&version.to_string())).is_some());
        assert_eq!(noted.count(), VERSIONS);
    }
}
