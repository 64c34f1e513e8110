//! What lies in a folder: names that are for us, within bounds. What is in the files is left to others.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Where bad files are moved to, in the folder itself.
pub const ASIDE: &str = "bad";
/// So many files are known of a folder.
pub const MOST: usize = 100_000;
/// Folders within the folder are looked into so deep.
const DEEPEST: usize = 8;

/// How a file is written, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Parquet.
    Parquet,
    /// Arrow IPC, as a stream or as a file.
    Arrow,
    /// Cells with this between them, below a line of names.
    Cells(u8),
    /// An object a line.
    Lines,
    /// An array of objects, or objects one after the other.
    Json,
}

impl Written {
    /// By the name's end; text may be packed. None of a name that is nobody's here, such as one that is not whole yet.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let packed = [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end));
        let (_, extension) = packed.unwrap_or(&name).rsplit_once('.')?;
        Some(match extension {
            "csv" => Self::Cells(b','),
            "tsv" => Self::Cells(b'\t'),
            "ndjson" | "jsonl" => Self::Lines,
            "json" => Self::Json,
            _ if packed.is_some() => return None,
            "parquet" | "pq" => Self::Parquet,
            "arrow" | "arrows" | "feather" | "ipc" => Self::Arrow,
            _ => return None,
        })
    }
}

/// A file that is for us.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its path below the folder.
    pub name: String,
    /// What tells it from what it was before.
    pub stamp: Stamp,
}

/// A file's length and the time at which it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// In nanoseconds since the epoch; 0 where the system does not tell.
    pub modified: u64,
}

impl Stamp {
    /// Of a file.
    #[must_use]
    pub fn of(meta: &Metadata) -> Self {
        let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { size: meta.len(), modified }
    }
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In order of their names.
    pub files: Vec<Found>,
    /// Names that are nobody's here.
    pub passed_over: u64,
    /// There are more than are known of a folder.
    pub more: bool,
}

/// Looks into the folder and those within. Neither hidden names nor those that begin with `_`, links or empty files are looked at.
///
/// # Errors
/// The folder cannot be read. One within that cannot be is passed over.
pub fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    within(folder, "", 0, &mut listing)?;
    listing.files.sort();
    Ok(listing)
}

fn within(folder: &Path, above: &str, depth: usize, listing: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            listing.passed_over = listing.passed_over.saturating_add(1);
            continue;
        };
        if name.starts_with(['.', '_']) || (depth == 0 && name == ASIDE) {
            continue;
        }
        // Of the entry itself: a link would lead anywhere.
        let Ok(kind) = entry.file_type() else { continue };
        let below = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        if kind.is_dir() {
            if depth < DEEPEST && within(&entry.path(), &below, depth.saturating_add(1), listing).is_err() {
                listing.passed_over = listing.passed_over.saturating_add(1);
            }
        } else if !kind.is_file() || Written::of(name).is_none() {
            listing.passed_over = listing.passed_over.saturating_add(1);
        } else if listing.files.len() >= MOST {
            listing.more = true;
            return Ok(());
        } else if let Ok(meta) = entry.metadata()
            && meta.len() > 0
        {
            listing.files.push(Found { name: below, stamp: Stamp::of(&meta) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_how_its_file_is_written() {
        for (name, written) in [
            ("a.parquet", Some(Written::Parquet)),
            ("day=1/A.CSV", Some(Written::Cells(b','))),
            ("a.tsv.gz", Some(Written::Cells(b'\t'))),
            ("a.b.ndjson.zst", Some(Written::Lines)),
            ("x-request.json", Some(Written::Json)),
            ("a.feather", Some(Written::Arrow)),
            ("a.parquet.gz", None),
            ("a.csv.tmp", None),
            ("a.parquet.part", None),
            ("a.csv.crc", None),
            ("README", None),
            ("csv", None),
        ] {
            assert_eq!(Written::of(name), written, "{name}");
        }
    }

    #[test]
    fn what_is_hidden_moved_aside_linked_or_empty_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        for name in [".a.csv", "_a.csv", "bad/a.csv", "_temporary/a.csv", "b/.c/a.csv", "a.csv.tmp", "note.txt"] {
            put(name, "x");
        }
        put("empty.csv", "");
        for name in ["b/bad/c.csv", "a.csv", "b/a.csv"] {
            put(name, "x\n1\n");
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("l.csv")).expect("linked");
        let listing = list(folder.path()).expect("listed");
        let names: Vec<&str> = listing.files.iter().map(|found| found.name.as_str()).collect();
        assert_eq!((names, listing.passed_over, listing.more), (vec!["a.csv", "b/a.csv", "b/bad/c.csv"], 3, false));
        assert_eq!(listing.files[0].stamp.size, 4);
        assert!(list(&folder.path().join("none")).is_err());
    }
}
