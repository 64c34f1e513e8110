//! Versions of a model side by side: what each was asked and how well it did, and each challenger against the champion.
//!
//! Which rows are compared is `rows`'s to say: the same requests where both versions answered them (a shadow), else what each answered
//! while both ran (a canary). `difference` holds their measures against each other, `predictions` what they said, labels or not;
//! `reference` says which rows a reference is not of, `looks` how wide an interval is that is looked at again and again.

mod difference;
mod looks;
pub mod predictions;
pub mod reference;
mod rows;
mod traffic;

use jiff::Timestamp;
use serde::Serialize;

pub use self::difference::{Difference, McNemar, Verdict};
pub use self::looks::{ALWAYS, Looked, Looks, Since};
pub use self::predictions::Predictions;
pub use self::rows::{Method, Rows};
use self::rows::{Pick, Taken};
use self::traffic::Traffic;
use crate::performance::verdict::Limits;
use crate::performance::{Performance, Wanted, measure};

/// Versions that are told one by one.
pub const MOST: usize = 20;
/// So often, at most, any challenger is called worse, or better, that is not, looked at once: each side by itself, all challengers together.
pub const SIGNIFICANCE: f64 = 0.025;

/// How they are compared.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The version that the others are held against. Without one it is the one with the most rows in the first tenth of the time, of
    /// equally many the one that comes first; where times are not known in all rows.
    pub champion: Option<&'a str>,
    /// What makes a verdict; its level is that of all challengers together.
    pub limits: Limits,
    /// How often it is looked at.
    pub looks: Looks<'a>,
}

/// Two versions or more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Versions {
    /// Each of them, the champion first, then by rows; twenty at most.
    pub versions: Vec<Version>,
    /// Those that there is no room for.
    pub others: Others,
    /// Rows that say no version.
    pub without_version: u64,
    /// The champion that was named, where it has no rows: another stands in its place.
    pub champion_missing: Option<String>,
}

/// Versions that are counted and not told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Others {
    /// How many.
    pub versions: u64,
    /// Their rows together.
    pub rows: u64,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Version {
    /// As its rows name it.
    pub version: String,
    /// It is the one that the others are held against.
    pub champion: bool,
    /// Its rows.
    pub rows: u64,
    /// Their share of all rows that say a version.
    pub share: f64,
    /// Its rows with a label.
    pub labelled: u64,
    /// Its first row, where times are known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// Its last.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub to: Option<Timestamp>,
    /// How well it does on all its rows; `None` without labels.
    pub performance: Option<Performance>,
    /// A challenger beside the champion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_champion: Option<Comparison>,
}

/// One count for either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Both {
    /// The champion's.
    pub champion: u64,
    /// The challenger's.
    pub challenger: u64,
}

/// A challenger beside the champion, on the rows that can be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// How.
    pub method: Method,
    /// Rows that are compared; of the same requests as many of either.
    pub rows: Both,
    /// Those with a label.
    pub labelled: Both,
    /// From when on rows are compared: since both ran. `None` where requests are the same, or times are not known.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// Until when.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub to: Option<Timestamp>,
    /// The measure that the verdict is on: the one that speaks for the champion.
    pub measure: Option<&'static str>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why there is none.
    pub reason: Option<String>,
    /// How it came about where it is looked at again and again; the intervals of differences are those of one look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<Looked>,
    /// There are rows enough of either for a verdict.
    #[serde(skip)]
    pub enough: bool,
    /// Each measure that both have.
    pub differences: Vec<Difference>,
    /// Requests that one alone got right; of classes, where requests are the same.
    pub mcnemar: Option<McNemar>,
    /// What they said, whatever the labels.
    pub predictions: Predictions,
}

/// What each version does, and how the challengers stand beside the champion. `None` with fewer than two versions.
#[must_use]
pub fn compare(rows: &Rows<'_>, wanted: &Wanted<'_>, settings: &Settings<'_>) -> Option<Versions> {
    let traffic = Traffic::of(rows.version, rows.at, settings.champion)?;
    let challengers = traffic.kept.len().saturating_sub(1).max(1);
    let limits = Limits { significance: settings.limits.significance / challengers as f64, ..settings.limits };
    let champion = traffic.kept.first()?;
    let mut versions = Vec::new();
    for kept in &traffic.kept {
        let taken = Taken::of(rows, &kept.rows, &kept.rows)?;
        let labelled = taken.labelled();
        let performance = Some(measure(&taken.columns(), wanted).0).filter(|performance| performance.rows > 0);
        let is_champion = std::ptr::eq(kept, champion);
        let names = (champion.name.as_str(), kept.name.as_str());
        let against =
            || against(rows, (&Pick::of(rows, &champion.rows, &kept.rows), names), wanted, (&limits, settings.looks));
        versions.push(Version {
            version: kept.name.clone(),
            champion: is_champion,
            rows: kept.rows.len() as u64,
            share: kept.rows.len() as f64 / traffic.rows as f64,
            labelled,
            from: kept.from.and_then(time),
            to: kept.to.and_then(time),
            performance,
            against_champion: if is_champion { None } else { Some(against()?) },
        });
    }
    Some(Versions {
        versions,
        others: traffic.others,
        without_version: traffic.without,
        champion_missing: settings.champion.filter(|_| traffic.champion_missing).map(str::to_owned),
    })
}

fn against(
    rows: &Rows<'_>,
    (pick, names): (&Pick, (&str, &str)),
    wanted: &Wanted<'_>,
    (limits, looks): (&Limits, Looks<'_>),
) -> Option<Comparison> {
    let sides = [
        Taken::of(rows, &pick.champion, pick.labels.as_ref().unwrap_or(&pick.champion))?,
        Taken::of(rows, &pick.challenger, pick.labels.as_ref().unwrap_or(&pick.challenger))?,
    ];
    let columns = sides.each_ref().map(Taken::columns);
    let both = |of: &dyn Fn(&Taken) -> u64| Both { champion: of(&sides[0]), challenger: of(&sides[1]) };
    let labelled = both(&Taken::labelled);
    let looked = looks.looked(names, (pick, rows.at), labelled, limits.significance);
    let significance = looked.map_or(limits.significance, |looked| looked.significance);
    let found = difference::differences(&columns, wanted, (pick.method, &Limits { significance, ..*limits }));
    Some(Comparison {
        method: pick.method,
        rows: Both { champion: pick.champion.len() as u64, challenger: pick.challenger.len() as u64 },
        labelled,
        from: pick.span.and_then(|(from, _)| time(from)),
        to: pick.span.and_then(|(_, to)| time(to)),
        measure: found.measure,
        verdict: found.verdict,
        reason: found.reason,
        looked,
        enough: found.enough,
        differences: found.differences,
        mcnemar: found.mcnemar,
        predictions: predictions::compare(&columns, wanted, pick.method),
    })
}

fn time(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod tests;
