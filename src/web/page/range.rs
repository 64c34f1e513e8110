//! Over which time a page shows what was: `?range=1h`, a day without one.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::query::{Query, Table};

/// A time to look back over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// As the address has it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    hours: i64,
    /// In seconds.
    step: i64,
}

/// Those that a page offers.
pub const RANGES: [Range; 4] = [
    Range { name: "1h", title: "1 hour", hours: 1, step: 60 },
    Range { name: "24h", title: "24 hours", hours: 24, step: 600 },
    Range { name: "7d", title: "7 days", hours: 168, step: 3600 },
    Range { name: "14d", title: "14 days", hours: 336, step: 7200 },
];

impl Range {
    /// The one that an address asks for; a day where it asks for none.
    ///
    /// # Errors
    /// It asks for one that there is not, or for something else.
    pub fn of(query: Option<&str>) -> Result<Self, String> {
        let mut found = RANGES[1];
        for (key, name) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if key != "range" {
                return Err(format!("Unknown parameter {key}; there is range."));
            }
            let known = RANGES.into_iter().find(|range| range.name == name);
            found = known
                .ok_or_else(|| format!("No range {name}; there are {}.", RANGES.map(|range| range.name).join(", ")))?;
        }
        Ok(found)
    }

    /// The question that a page asks of it, as of a minute.
    pub fn query(self, table: Table, columns: &[&str], only: Vec<(String, String)>, minute: Timestamp) -> Query {
        let since = minute.checked_sub(SignedDuration::from_hours(self.hours)).unwrap_or(minute);
        let since = since.as_second().div_euclid(self.step).saturating_mul(self.step);
        Query {
            table,
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            only,
            by: Vec::new(),
            changes: Vec::new(),
            total: false,
            since: Timestamp::from_second(since).unwrap_or(minute),
            until: minute,
            step: self.step,
        }
    }

    /// When it begins, as of now.
    pub fn since(self, now: Timestamp) -> Timestamp {
        now.checked_sub(SignedDuration::from_hours(self.hours)).unwrap_or(now)
    }

    /// The ways to the others.
    pub fn links(self, path: &str) -> Markup {
        links(&format!("{path}?"), Some(self), None)
    }
}

/// The ways to all, from an address that may have a query already; `usual` is what is shown without a word.
pub fn links_with(address: &str, chosen: Option<Range>, usual: &str) -> Markup {
    let sign = if address.contains('?') { "&" } else { "?" };
    links(&format!("{address}{sign}"), chosen, Some((usual, address)))
}

fn links(before: &str, chosen: Option<Range>, usual: Option<(&str, &str)>) -> Markup {
    html! {
        nav.ranges aria-label="Time" {
            @if let Some((title, address)) = usual {
                @if chosen.is_none() { span.chosen aria-current="true" { (title) } } @else { a href=(address) { (title) } }
            }
            @for range in RANGES {
                @if Some(range) == chosen { span.chosen aria-current="true" { (range.title) } }
                @else { a href={ (before) "range=" (range.name) } { (range.title) } }
            }
        }
    }
}
