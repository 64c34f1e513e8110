//! The index beside a stored file: which ids it holds, and the times its rows span. A look for a row reads the files that can hold
//! it, and no other.
//!
//! `SEGMENT.ids` beside `SEGMENT.parquet`, little-endian. The head: what the file is, a checksum of the rest of the head, the bytes
//! of the Parquet file it speaks of, its rows, the first and the last time in milliseconds, and the first hash of each page. Then the
//! pages of `PAGE` bytes: a checksum, a count, and sorted 64-bit hashes of ids. So one id costs the head and a page. A Bloom filter is
//! a sixth as large, but among 100,000 ids some would seem to be in every file.
//!
//! An index is made good from its Parquet file when it is missing, damaged, or of another file.

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, PolarsResult};
use siphasher::sip::SipHasher13;

use super::Error;
use super::files::write_atomically;

/// The extension of an index.
pub(super) const EXTENSION: &str = "ids";
const HEAD: &[u8; 8] = b"PLUMIDS1";
/// What stands before the first hashes of pages: what it is, the checksum, the number of pages, bytes, rows, first, last.
const FIXED: usize = 8 + 4 + 4 + 4 * 8;
const PAGE: usize = 4096;
/// Hashes in a page, behind its checksum and its count.
const IN_A_PAGE: usize = (PAGE - 8) / 8;
/// A segment is 16 MiB and one batch at most; an index that says it has more pages than this is damaged.
const MOST_PAGES: usize = 1 << 20;

/// The hash by which an id is found.
#[must_use]
pub fn hash(id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// What a stored file spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its rows.
    pub rows: u64,
    /// The first and the last time, in milliseconds; the first lies behind the last where no row has one.
    pub times: (i64, i64),
}

impl Span {
    /// Of these rows, by this column of times.
    ///
    /// # Errors
    /// The column is none of times.
    pub fn of(rows: &DataFrame, time: &str) -> PolarsResult<Self> {
        let mut span = Self { rows: rows.height() as u64, times: (i64::MAX, i64::MIN) };
        let Ok(column) = rows.column(time) else { return Ok(span) };
        for at in column.datetime()?.physical().iter().flatten() {
            span.times = (span.times.0.min(at), span.times.1.max(at));
        }
        Ok(span)
    }

    /// Whether any row may lie in `from..to`.
    #[must_use]
    pub fn meets(&self, from: i64, to: i64) -> bool {
        self.times.0 < to && self.times.1 >= from
    }
}

/// An index that is open: its head is read and whole.
#[derive(Debug)]
pub struct Index {
    file: File,
    path: PathBuf,
    /// What its file spans.
    pub span: Span,
    /// The first hash of each page.
    firsts: Vec<u64>,
}

/// Where the index of a stored file lies.
#[must_use]
pub fn beside(parquet: &Path) -> PathBuf {
    parquet.with_extension(EXTENSION)
}

/// Writes the index of a stored file with these rows.
///
/// # Errors
/// The disk failed, or the columns are of other types than this version stores.
pub fn write(parquet: &Path, rows: &DataFrame, time: &str) -> Result<(), Error> {
    let of = |source| Error::Parquet { path: parquet.to_owned(), source };
    let span = Span::of(rows, time).map_err(of)?;
    let mut hashes = hashes(rows).map_err(of)?;
    hashes.sort_unstable();
    hashes.dedup();
    let pages = hashes.chunks(IN_A_PAGE);
    let count = u32::try_from(pages.len()).ok().filter(|count| usize::try_from(*count).is_ok_and(|n| n <= MOST_PAGES));
    let count = count.ok_or_else(|| Error::Record(format!("{}: too many ids for an index", parquet.display())))?;
    let bytes = fs::metadata(parquet).map_err(Error::io(parquet))?.len();
    let mut head = Vec::with_capacity(pages.len().saturating_mul(8).saturating_add(FIXED));
    head.extend_from_slice(&count.to_le_bytes());
    head.extend_from_slice(&bytes.to_le_bytes());
    head.extend_from_slice(&span.rows.to_le_bytes());
    head.extend_from_slice(&span.times.0.to_le_bytes());
    head.extend_from_slice(&span.times.1.to_le_bytes());
    for page in pages.clone() {
        head.extend_from_slice(&page.first().copied().unwrap_or_default().to_le_bytes());
    }
    let path = beside(parquet);
    write_atomically(&path, |file| {
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(Error::io(&path));
        put(HEAD)?;
        put(&crc32fast::hash(&head).to_le_bytes())?;
        put(&head)?;
        for page in pages {
            let mut body = Vec::with_capacity(PAGE - 4);
            body.extend_from_slice(&u32::try_from(page.len()).unwrap_or_default().to_le_bytes());
            for hash in page {
                body.extend_from_slice(&hash.to_le_bytes());
            }
            body.resize(PAGE - 4, 0);
            put(&crc32fast::hash(&body).to_le_bytes())?;
            put(&body)?;
        }
        Ok(())
    })
}

/// The hashes of the rows' ids, as they stand.
///
/// # Errors
/// The ids are of another type than this version stores.
pub fn hashes(rows: &DataFrame) -> PolarsResult<Vec<u64>> {
    let Ok(ids) = rows.column("id") else { return Ok(Vec::new()) };
    Ok(ids.str()?.iter().flatten().map(hash).collect())
}

impl Index {
    /// Opens the index of a stored file. `None` where there is none that is whole and of this very file.
    #[must_use]
    pub fn open(parquet: &Path) -> Option<Self> {
        let path = beside(parquet);
        let file = File::open(&path).ok()?;
        let mut fixed = [0; FIXED];
        file.read_exact_at(&mut fixed, 0).ok()?;
        let (start, fixed) = fixed.split_first_chunk::<8>()?;
        let (checksum, fixed) = fixed.split_first_chunk::<4>()?;
        let (pages, rest) = fixed.split_first_chunk::<4>()?;
        let pages = usize::try_from(u32::from_le_bytes(*pages)).ok().filter(|pages| *pages <= MOST_PAGES)?;
        let (bytes, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (last, _) = rest.split_first_chunk()?;
        let mut firsts = vec![0; pages.saturating_mul(8)];
        file.read_exact_at(&mut firsts, FIXED as u64).ok()?;
        let mut sum = crc32fast::Hasher::new();
        sum.update(fixed);
        sum.update(&firsts);
        let whole = file.metadata().ok()?.len() == pages.saturating_mul(8 + PAGE).saturating_add(FIXED) as u64;
        let ours = fs::metadata(parquet).ok()?.len() == u64::from_le_bytes(*bytes);
        if start != HEAD || sum.finalize() != u32::from_le_bytes(*checksum) || !whole || !ours {
            return None;
        }
        let times = (i64::from_le_bytes(*first), i64::from_le_bytes(*last));
        let span = Span { rows: u64::from_le_bytes(*rows), times };
        Some(Self { file, path, span, firsts: words(&firsts) })
    }

    /// Whether its file holds any of these hashes, which are sorted.
    ///
    /// # Errors
    /// The index cannot be read, or is damaged.
    pub fn holds_any(&self, wanted: &[u64]) -> Result<bool, Error> {
        let mut left = wanted;
        let mut page = 0;
        while let Some(next) = left.first() {
            // The page that would hold it: the last that begins no later.
            let further = self.firsts.get(page..).unwrap_or_default().partition_point(|first| first <= next);
            page = page.saturating_add(further);
            let end = self.firsts.get(page).copied();
            // One at least, whatever the head says: a look must end.
            let here = left.partition_point(|hash| end.is_none_or(|end| *hash < end)).max(1);
            let (within, behind) = left.split_at(here);
            if let Some(at) = page.checked_sub(1) {
                let held = self.page(at)?;
                if within.iter().any(|hash| held.binary_search(hash).is_ok()) {
                    return Ok(true);
                }
            }
            left = behind;
        }
        Ok(false)
    }

    fn page(&self, at: usize) -> Result<Vec<u64>, Error> {
        let damaged = || Error::Record(format!("{}: the index is damaged", self.path.display()));
        let mut page = vec![0; PAGE];
        let place = self.firsts.len().saturating_mul(8).saturating_add(PAGE.saturating_mul(at)).saturating_add(FIXED);
        self.file.read_exact_at(&mut page, place as u64).map_err(Error::io(&self.path))?;
        let (checksum, body) = page.split_first_chunk().ok_or_else(damaged)?;
        let (count, hashes) = body.split_first_chunk().ok_or_else(damaged)?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok().filter(|count| *count <= IN_A_PAGE);
        match count.and_then(|count| hashes.get(..count.checked_mul(8)?)) {
            Some(hashes) if crc32fast::hash(body) == u32::from_le_bytes(*checksum) => Ok(words(hashes)),
            _ => Err(damaged()),
        }
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType, IntoColumn, NamedFrom, Series, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    fn rows(ids: &[String]) -> DataFrame {
        let ids = Series::new("id".into(), ids);
        let times: Vec<i64> = (5..).take(ids.len()).collect();
        let times = Series::new("timestamp".into(), times).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        DataFrame::new(ids.len(), vec![ids.into_column(), times.expect("times").into_column()]).expect("a frame")
    }

    fn written(folder: &Path, count: usize) -> (PathBuf, Vec<String>) {
        let ids: Vec<String> = (0..count).map(|i| format!("id-{i}")).collect();
        let parquet = folder.join("1.parquet");
        fs::write(&parquet, "as long as it is").expect("written");
        write(&parquet, &rows(&ids), "timestamp").expect("written");
        (parquet, ids)
    }

    fn sorted<'a>(ids: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
        let mut hashes: Vec<u64> = ids.into_iter().map(|id| hash(id)).collect();
        hashes.sort_unstable();
        hashes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// However many ids there are: each is found, alone and among others that are not there, and those alone are not.
        #[test]
        fn what_is_there_is_found_and_nothing_else(count in 0..2500_usize, at in 0..2500_usize, others in 0..2000_usize) {
            let folder = tempfile::tempdir().expect("a folder");
            let (parquet, ids) = written(folder.path(), count);
            let index = Index::open(&parquet).expect("an index");
            let strangers: Vec<String> = (0..others).map(|i| format!("other-{i}")).collect();
            prop_assert!(!index.holds_any(&sorted(&strangers)).expect("readable"));
            for id in &ids {
                prop_assert!(index.holds_any(&[hash(id)]).expect("readable"));
            }
            if let Some(id) = ids.get(at) {
                prop_assert!(index.holds_any(&sorted(strangers.iter().chain([id]))).expect("readable"));
            }
            let times = if count == 0 { (i64::MAX, i64::MIN) } else { (5, 4 + i64::try_from(count).expect("small")) };
            prop_assert_eq!(index.span, Span { rows: count as u64, times });
        }
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (parquet, ids) = written(folder.path(), 1200);
        let path = beside(&parquet);
        let whole = fs::read(&path).expect("bytes");
        let all = |index: Index| ids.iter().all(|id| index.holds_any(&[hash(id)]).expect("readable"));
        assert!(all(Index::open(&parquet).expect("an index")));
        for at in (0..whole.len()).step_by(97).chain(0..FIXED + 24) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, &damaged).expect("written");
            let noticed =
                Index::open(&parquet).is_none_or(|index| ids.iter().any(|id| index.holds_any(&[hash(id)]).is_err()));
            assert!(noticed, "at {at}");
        }
        for cut in [0, 7, FIXED, FIXED + 8, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).expect("written");
            assert!(Index::open(&parquet).is_none(), "cut at {cut}");
        }
        // The Parquet file is another by now.
        fs::write(&path, &whole).expect("written");
        fs::write(&parquet, "longer than it was before").expect("written");
        assert!(Index::open(&parquet).is_none());
    }

    /// The hash is part of the files: another would find nothing in them. The second is Python's: with PYTHONHASHSEED=0 the keys
    /// are zero, and `hash(b"c-1")` is SipHash-1-3.
    #[test]
    fn an_ids_hash_stays_what_it_is() {
        assert_eq!(hash(""), 0xd1fb_a762_150c_532c);
        assert_eq!(hash("c-1"), 16_638_418_003_847_539_172);
    }
}
