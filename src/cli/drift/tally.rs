//! Counts of windows under a profile, as agents give them: read, added up, and held against the profile as their rows would be.

use std::path::{Path, PathBuf};

use super::super::given::Given;
use super::reference::Reference;
use super::{Error as DriftError, all_known, tell};
use crate::drift::Test;
use crate::drift::comparison::{Comparison, Side, Summary};
use crate::drift::profile::LARGEST;
use crate::drift::profile::span::{Span, are_of_one_time, words};
use crate::drift::profile::tally::{self, Apart, Tally, Unreadable};
use crate::drift::verdict::{Measured, Thresholds, judge};

/// Why counts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is none, or cannot be read.
    #[error("{}: {message}", path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// They are of other profiles.
    #[error("{}: {source}", path.display())]
    Apart {
        /// As it was named.
        path: PathBuf,
        /// Why it is not added.
        source: Apart,
    },
    /// Rows would be counted twice.
    #[error("{} and {}: {source}", path.display(), before.display())]
    Twice {
        /// As it was named.
        path: PathBuf,
        /// That which was added before it.
        before: PathBuf,
        /// Which rows.
        source: Apart,
    },
    /// Rows cannot be added up here.
    #[error("--current: several are added up where each is the counts of a window (/api/v1/models/{{model}}/windows/{{end}}/tally), and {} is not", path.display())]
    Rows {
        /// As it was named.
        path: PathBuf,
    },
    /// Counts are held against the profile that they are of.
    #[error("--reference {}: is no profile, and counts are held against the profile that they were counted under", path.display())]
    NoProfile {
        /// As it was named.
        path: PathBuf,
    },
}

/// Whether the file is meant to be counts, by what it begins with.
pub fn is_tally(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    read.is_ok() && tally::is_tally(&String::from_utf8_lossy(&head))
}

/// The sum of all that are named. Which windows it is of is said where that may not be what is meant.
pub fn sum(named: &[Given]) -> Result<Tally, Error> {
    let (mut all, mut before): (Option<Tally>, Vec<(&Path, Vec<Span>)>) = (None, Vec::new());
    for given in named {
        let tally = read(given)?;
        let windows = tally.windows().to_vec();
        match &mut all {
            None => all = Some(tally),
            Some(all) => all.merge(&tally).map_err(|source| apart(&given.shown, &before, source))?,
        }
        before.push((&given.shown, windows));
    }
    let all = all.ok_or_else(|| Error::Unreadable { path: PathBuf::new(), message: "nothing to add up".to_owned() })?;
    if !are_of_one_time(all.windows()) {
        tell(&format!(
            "warning: the windows that are added up are not of one time on every node: {}",
            words(all.windows())
        ));
    }
    Ok(all)
}

/// Why it is not added, with the name of what has its rows already.
fn apart(path: &Path, before: &[(&Path, Vec<Span>)], source: Apart) -> Error {
    let path = path.to_owned();
    let first = match &source {
        Apart::Twice(_, window) => before.iter().find(|(_, windows)| windows.contains(window)),
        _ => None,
    };
    match first {
        Some((before, _)) => Error::Twice { path, before: (*before).to_owned(), source },
        None => Error::Apart { path, source },
    }
}

fn read(given: &Given) -> Result<Tally, Error> {
    let path = || given.shown.clone();
    if !is_tally(&given.path) {
        return Err(Error::Rows { path: path() });
    }
    let unreadable = |message: String| Error::Unreadable { path: path(), message };
    let size = std::fs::metadata(&given.path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > LARGEST as u64 {
        return Err(unreadable(format!("is larger than {} MiB", LARGEST >> 20)));
    }
    let text = std::fs::read_to_string(&given.path).map_err(|error| unreadable(error.to_string()))?;
    Tally::read(&text).map_err(|error: Unreadable| unreadable(error.to_string()))
}

/// Their sum against the profile.
pub(super) fn compare(
    reference: &Reference,
    named: &[Given],
    exclude: &[String],
    tests: &[&'static Test],
    thresholds: &Thresholds,
) -> Result<Comparison, DriftError> {
    let all = sum(named)?;
    let Reference::Profile { path, profile, .. } = reference else {
        return Err(Error::NoProfile { path: PathBuf::from(reference.side().name) }.into());
    };
    if all.hash() != profile.hash {
        let source = Apart::Profiles(all.hash().to_owned(), profile.hash.clone());
        let named = named.iter().map(|given| given.shown.display().to_string()).collect::<Vec<_>>().join(" + ");
        return Err(Error::Apart { path: named.into(), source }.into());
    }
    let known: Vec<&str> = profile.columns.iter().map(|column| column.name.as_str()).collect();
    let exclude = exclude.to_vec();
    all_known(&[("exclude", &exclude)], &known)?;
    let mut measured = Vec::new();
    for column in profile.columns.iter().filter(|column| !exclude.contains(&column.name)) {
        let baseline = column.baseline();
        let broken = || Error::Apart { path: path.clone(), source: Apart::Bins(column.name.clone()) };
        let counted = all.column(&column.name).ok_or_else(broken)?;
        // One that no agent compared is left out.
        if counted.rows() == 0 && all.rows() > 0 {
            continue;
        }
        let current = column.as_counted(&baseline.sample, counted).ok_or_else(broken)?;
        measured.push(Measured::new(&column.name, &baseline, &current, tests, thresholds.mode));
    }
    if measured.is_empty() {
        return Err(DriftError::Nothing);
    }
    let features = judge(measured, thresholds);
    Ok(Comparison {
        reference: reference.side(),
        current: Side { name: words(all.windows()), rows: all.rows() },
        windows: all.windows().to_vec(),
        summary: Summary::of(&features, &[], thresholds.mode),
        features,
        schema: Vec::new(),
        over_time: Vec::new(),
        together: None,
        performance: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, run};
    use crate::drift::Sample;
    use crate::drift::profile::{Column, Profile};

    fn done(words: &[&str]) -> Result<(), String> {
        let cli = Cli::try_parse_from(["plumbline"].iter().chain(words)).map_err(|error| error.to_string())?;
        run(cli).map(|_| ()).map_err(|error| error.to_string())
    }

    fn sample(rows: std::ops::Range<u32>, by: u32) -> Sample {
        Sample::numeric(rows.map(|i| Some(f64::from(i * 7919 % 1000 + by))))
    }

    fn profile(rows: u32) -> Profile {
        let column = |name: &str| Column::of(name, sample(0..rows, 0), true, &[]).expect("enough rows");
        Profile::new("train", rows.into(), Vec::new(), vec![column("x"), column("y")]).expect("readable")
    }

    /// The window that ends at an hour, of a node.
    fn window(node: &str, hour: i64) -> Span {
        let time = |hour: i64| jiff::Timestamp::from_second(hour * 3600).expect("a time");
        let (model, node) = ("churn".to_owned(), node.to_owned());
        Span { namespace: None, model, node, start: time(hour - 1), end: time(hour), arrivals: None, rows: 0 }
    }

    fn tally(profile: &Profile, window: Span, rows: std::ops::Range<u32>, by: u32) -> Tally {
        let mut tally = Tally::new(profile);
        let rows = BTreeMap::from([("x".to_owned(), sample(rows.clone(), by)), ("y".to_owned(), sample(rows, 0))]);
        tally.add(profile, &rows).expect("one profile");
        tally.of_window(window)
    }

    /// What is said of counts held against a profile.
    fn compared(profile: &str, current: &[&str], output: &str) -> Result<serde_json::Value, String> {
        let current = current.iter().flat_map(|path| ["--current", path]);
        let words = ["drift", "--reference", profile, "--format", "json", "--output", output];
        done(&words.into_iter().chain(current).collect::<Vec<_>>())?;
        Ok(serde_json::from_str(&std::fs::read_to_string(output).expect("written")).expect("JSON"))
    }

    #[test]
    fn what_is_added_up_is_said_and_nothing_counts_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let profile = profile(5000);
        let files = ["p", "a", "b", "later", "slid", "other", "sum", "out"].map(path);
        let [p, a, b, later, slid, other, sum, out] = files.each_ref().map(String::as_str);
        std::fs::write(p, profile.text()).expect("written");
        let half = Span { end: window("node-1", 10).end, ..window("node-1", 9) };
        let other_model = Span { model: "fraud".to_owned(), ..window("node-2", 9) };
        for (file, window) in [
            (a, window("node-1", 9)),
            (b, window("node-2", 9)),
            (later, window("node-1", 10)),
            (slid, half),
            (other, other_model),
        ] {
            std::fs::write(file, tally(&profile, window, 0..700, 0).text()).expect("written");
        }
        let drift = |current: &[&str]| {
            let found = compared(p, current, out)?;
            let windows = found["windows"].as_array().map_or(0, Vec::len);
            Ok::<_, String>((found["current"]["name"].as_str().unwrap_or_default().to_owned(), windows))
        };
        let (eight, nine, ten) = ("1970-01-01T08:00:00Z", "1970-01-01T09:00:00Z", "1970-01-01T10:00:00Z");
        let over_nodes = (format!("churn, {eight} to {nine} on node-1, node-2 (2 windows)"), 2);
        assert_eq!(drift(&[a, b]), Ok(over_nodes.clone()));
        assert_eq!(drift(&[a, later]), Ok((format!("churn, {eight} to {ten} on node-1 (2 windows)"), 2)));
        let not_alike = format!("churn, {eight} to {nine} on node-2; {eight} to {ten} on node-1 (3 windows)");
        assert_eq!(drift(&[a, b, later]), Ok((not_alike, 3)));
        done(&["profile", "merge", a, b, "-o", sum]).expect("added up");
        assert_eq!(drift(&[sum]), Ok(over_nodes));
        // The same rows again, as the same file, as a window that slides, and by way of a sum: both files are named.
        for (first, again) in [(a, a), (a, slid), (later, slid), (sum, b)] {
            for refused in [drift(&[first, again]).map(|_| ()), done(&["profile", "merge", first, again])] {
                let error = refused.expect_err("refused");
                assert!(error.starts_with(&format!("{again} and {first}: churn on node-")), "{error}");
                assert!(error.contains("shares rows with"), "{error}");
            }
        }
        assert!(
            drift(&[a, other])
                .is_err_and(|error| error.ends_with("counts of model fraud are not added to those of model churn"))
        );
    }

    #[test]
    fn replicas_have_one_verdict() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (one, other) = (profile(5000), profile(4000));
        let files = ["p", "a", "b", "other", "sum", "out", "rows.csv"].map(path);
        let [p, a, b, apart, sum, out, rows] = files.each_ref().map(String::as_str);
        std::fs::write(p, one.text()).expect("written");
        std::fs::write(a, tally(&one, window("node-1", 9), 0..700, 0).text()).expect("written");
        std::fs::write(b, tally(&one, window("node-2", 9), 700..2000, 400).text()).expect("written");
        std::fs::write(apart, tally(&other, window("node-2", 9), 0..700, 0).text()).expect("written");
        std::fs::write(rows, "x,y\n1,2\n").expect("written");
        let drift = |current: &[&str]| {
            let found = compared(p, current, out)?;
            Ok::<_, String>((found["summary"]["drifted_features"].clone(), found["current"]["rows"].clone()))
        };
        let json = |names: &[&str], rows: u64| Ok((serde_json::json!(names), serde_json::json!(rows)));
        assert_eq!(drift(&[a]), json(&[], 700));
        assert_eq!(drift(&[a, b]), json(&["x"], 2000));
        assert_eq!(drift(&[b, a]), json(&["x"], 2000));
        done(&["profile", "merge", a, b, "-o", sum]).expect("added up");
        assert_eq!(drift(&[sum]), json(&["x"], 2000));
        // Under another profile they are not added, nor held against this one.
        for all in [&[a, apart][..], &[apart]] {
            let error = drift(all).expect_err("refused");
            assert!(error.contains(&one.hash) && error.contains(&other.hash), "{error}");
        }
        assert!(done(&["profile", "merge", a, apart]).is_err_and(|error| error.contains(&other.hash)));
        assert!(drift(&[a, rows]).is_err_and(|error| error.contains("rows.csv is not")));
        assert!(drift(&[rows, rows]).is_err());
        let of_rows = ["drift", "--reference", rows, "--current", a];
        assert!(done(&of_rows).is_err_and(|error| error.contains("is no profile")));
        let broken = std::fs::read_to_string(a).expect("readable").replace("\"rows\":700", "\"rows\":7");
        std::fs::write(b, broken).expect("written");
        assert!(drift(&[a, b]).is_err_and(|error| error.contains("column `x` has counts that cannot be")));
        assert!(done(&["drift", "--reference", p]).is_err(), "without anything current");
    }
}
