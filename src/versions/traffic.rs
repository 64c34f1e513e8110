//! Which versions the rows are of, and which of them is the champion.

use super::{MOST, Others};
use crate::segment::coded::Coded;

/// One version's rows.
#[derive(Debug)]
pub struct Kept {
    pub name: String,
    /// Their places, in order.
    pub rows: Vec<u32>,
    /// The time of its first row, in milliseconds.
    pub from: Option<i64>,
    pub to: Option<i64>,
}

/// The versions, the champion first, then by rows.
#[derive(Debug)]
pub struct Traffic {
    pub kept: Vec<Kept>,
    pub others: Others,
    /// Rows that say a version.
    pub rows: u64,
    /// Rows that say none.
    pub without: u64,
    /// The champion that was named is none of them.
    pub champion_missing: bool,
}

impl Traffic {
    /// Of each row's version and time. `None` with fewer than two versions.
    pub fn of(version: &Coded, at: Option<&[i64]>, champion: Option<&str>) -> Option<Self> {
        if (version.names.len() as u64).saturating_add(version.rest) < 2 {
            return None;
        }
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); version.names.len() + 1];
        let mut without = 0;
        for (row, code) in (0_u32..).zip(&version.codes) {
            match code.and_then(|code| places.get_mut(code as usize)) {
                Some(of) => of.push(row),
                None => without += 1,
            }
        }
        let unnamed = places.pop().unwrap_or_default();
        let mut others = Others { versions: version.rest, rows: unnamed.len() as u64 };
        let mut all: Vec<Kept> = version.names.iter().zip(places).map(|(name, rows)| kept(name, rows, at)).collect();
        let named = champion.and_then(|name| all.iter().position(|kept| kept.name == name));
        let first = named.unwrap_or_else(|| first(&all, at));
        let champion_missing = champion.is_some() && named.is_none();
        all.sort_by_key(|kept| std::cmp::Reverse(kept.rows.len()));
        let name = version.names.get(first)?;
        let place = all.iter().position(|kept| kept.name == *name)?;
        all.get_mut(..=place)?.rotate_right(1);
        for left_out in all.drain(MOST.min(all.len())..) {
            others.versions += 1;
            others.rows += left_out.rows.len() as u64;
        }
        let rows = all.iter().map(|kept| kept.rows.len() as u64).sum::<u64>() + others.rows;
        Some(Self { kept: all, others, rows, without, champion_missing })
    }
}

fn kept(name: &str, rows: Vec<u32>, at: Option<&[i64]>) -> Kept {
    let times = || rows.iter().filter_map(|row| at?.get(*row as usize).copied());
    let (from, to) = (times().min(), times().max());
    Kept { name: name.to_owned(), rows, from, to }
}

/// The version with the most rows in the first tenth of the time: it is there from the start, and most was asked of it.
fn first(all: &[Kept], at: Option<&[i64]>) -> usize {
    let ends = all.iter().filter_map(|kept| kept.from).min().zip(all.iter().filter_map(|kept| kept.to).max());
    let until = ends.map(|(from, to)| from.saturating_add(to.saturating_sub(from) / 10));
    let early = |row: &&u32| match (at, until) {
        (Some(at), Some(until)) => at.get(**row as usize).is_some_and(|at| *at <= until),
        _ => true,
    };
    let rank = |kept: &Kept| (kept.rows.iter().filter(early).count(), std::cmp::Reverse(kept.rows.first().copied()));
    let ranked = all.iter().enumerate().max_by_key(|(_, kept)| rank(kept));
    ranked.map_or(0, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn champion(versions: &[&str], at: Option<&[i64]>, named: Option<&str>) -> (String, bool) {
        let coded = Coded::of_texts("version", versions.iter().map(|name| Some(*name).filter(|name| !name.is_empty())));
        let found = Traffic::of(&coded, at, named).expect("two versions");
        (found.kept[0].name.clone(), found.champion_missing)
    }

    #[test]
    fn the_champion_was_there_first_and_was_asked_most() {
        // A new version takes over.
        let versions: Vec<&str> = (0..100).map(|at| if at < 20 { "1" } else { "2" }).collect();
        let times: Vec<i64> = (0..100).collect();
        assert_eq!(champion(&versions, Some(&times), None).0, "1");
        assert_eq!(champion(&versions, None, None).0, "2", "without times the larger one");
        // A canary that happens to have the first row.
        let versions: Vec<&str> = (0..100).map(|at| if at % 8 == 0 { "2" } else { "1" }).collect();
        assert_eq!(champion(&versions, Some(&times), None).0, "1");
        // A shadow has as many: the one that comes first.
        let versions: Vec<&str> = (0..100).map(|at| if at % 2 == 0 { "z" } else { "a" }).collect();
        assert_eq!(champion(&versions, Some(&times), None).0, "z");
        assert_eq!(champion(&versions, Some(&times), Some("a")), ("a".to_owned(), false));
        assert_eq!(champion(&versions, Some(&times), Some("b")), ("z".to_owned(), true));
    }

    #[test]
    fn versions_beyond_the_bound_are_counted_and_the_champion_is_kept() {
        let names: Vec<String> = (0..30).map(|v| format!("v{v:02}")).collect();
        // Version v has v + 1 rows, but for one without any version.
        let rows = (0..30_usize).flat_map(|v| std::iter::repeat_n(Some(names[v].as_str()), v + 1));
        let coded = Coded::of_texts("version", rows.chain([None]));
        let found = Traffic::of(&coded, None, Some("v00")).expect("many");
        assert_eq!((found.kept.len(), found.kept[0].name.as_str(), found.kept[1].name.as_str()), (20, "v00", "v29"));
        // Left out are those with 2 to 11 rows.
        assert_eq!((found.others, found.without), (Others { versions: 10, rows: (2..=11).sum::<u64>() }, 1));
        assert_eq!(found.rows, (1..=30).sum::<u64>());
        assert!(Traffic::of(&Coded::of_texts("version", [Some("1"), None]), None, None).is_none(), "one alone");
    }
}
