//! Which rows a reference is of: those of its own versions. What it is not of is not held against it.

use std::collections::{BTreeMap, BTreeSet};

use super::MOST;
use crate::segment::coded::Coded;

/// Rows that are held against a reference, and those that are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Of each row whether it is.
    pub rows: Vec<bool>,
    /// How many rows of each version are not, of the twenty with the most.
    pub unjudged: BTreeMap<String, u64>,
    /// How many more versions are not, and their rows together.
    pub more: (u64, u64),
}

impl Judged {
    /// Rows of the versions that the reference is of, and rows that say none.
    #[must_use]
    pub fn of(version: &Coded, reference: &BTreeSet<String>) -> Self {
        let own: Vec<bool> = version.names.iter().map(|name| reference.contains(name)).collect();
        let is_own = |code: &Option<u32>| code.is_none_or(|code| own.get(code as usize) == Some(&true));
        let rows: Vec<bool> = version.codes.iter().map(is_own).collect();
        let mut counts = vec![0_u64; version.names.len() + 1];
        for code in version.codes.iter().flatten() {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let rest = counts.pop().unwrap_or_default();
        let mut foreign: Vec<(u64, &String)> = counts
            .into_iter()
            .zip(version.names.iter())
            .zip(own)
            .filter(|((count, _), own)| !own && *count > 0)
            .map(|(of, _)| of)
            .collect();
        foreign.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let left_out = foreign.split_off(MOST.min(foreign.len()));
        let more_rows = left_out.iter().map(|(count, _)| count).sum::<u64>() + rest;
        Self {
            rows,
            unjudged: foreign.into_iter().map(|(count, name)| (name.clone(), count)).collect(),
            more: (left_out.len() as u64 + version.rest, more_rows),
        }
    }

    /// Whether every row is.
    #[must_use]
    pub fn all(&self) -> bool {
        self.rows.iter().all(|judged| *judged)
    }

    /// What is left out, a sentence each.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let rows = |count: u64| if count == 1 { "row" } else { "rows" };
        let mut said: Vec<String> = self
            .unjudged
            .iter()
            .map(|(version, count)| {
                let grouped = crate::units::grouped(*count);
                format!("Version {version} has no reference: {grouped} {} not judged.", rows(*count))
            })
            .collect();
        if let (versions @ 1.., count) = self.more {
            let grouped = crate::units::grouped(count);
            said.push(format!("{versions} more versions have no reference: {grouped} {} not judged.", rows(count)));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_other_versions_are_named_and_not_judged() {
        let versions = [Some("1.4"), Some("2.0"), None, Some("2.0"), Some("1.3")];
        let coded = Coded::of_texts("version", versions);
        let judged = Judged::of(&coded, &BTreeSet::from(["1.3".to_owned(), "1.4".to_owned(), "0.9".to_owned()]));
        assert_eq!(judged.rows, [true, false, true, false, true], "a row without a version is no other version's");
        assert_eq!(judged.words(), ["Version 2.0 has no reference: 2 rows not judged."]);
        assert!(!judged.all() && Judged::of(&Coded::of_texts("version", [None, None]), &BTreeSet::new()).all());
    }

    #[test]
    fn versions_beyond_the_bound_are_counted() {
        let names: Vec<String> = (0..25).map(|version| version.to_string()).collect();
        let rows = names.iter().chain(&names[..20]).map(|name| Some(name.as_str()));
        let judged = Judged::of(&Coded::of_texts("version", rows), &BTreeSet::new());
        assert_eq!((judged.unjudged.len(), judged.more), (20, (5, 5)));
        assert_eq!(
            judged.words().last().map(String::as_str),
            Some("5 more versions have no reference: 5 rows not judged.")
        );
    }
}
