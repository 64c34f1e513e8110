//! A reference's profile as tables: its columns of numbers, its columns of categories.

use std::fmt::Write as _;

use super::{dash, plain, said};
use crate::drift::profile::{Column, Profile, Values};
use crate::drift::words::number;
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column as Of, Table};
use crate::units::{grouped, percent};

/// The quantiles that are shown.
const QUANTILES: [(&str, f64); 7] =
    [("1 %", 0.01), ("5 %", 0.05), ("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75), ("95 %", 0.95), ("99 %", 0.99)];
/// Categories that are named.
const NAMED: usize = 5;

fn share(part: u64, of: u64) -> String {
    if of == 0 { dash() } else { percent(part as f64 / of as f64) }
}

/// What a terminal has no room for stands in the profile itself.
const IN_FULL: &str = "read the profile, which is JSON";

/// For people. Ends with a line break.
#[must_use]
pub fn table(profile: &Profile, look: Look) -> String {
    let mut text = format!(
        "profile    {}\n{}",
        profile.hash,
        said(&format!("reference  {}  {} rows", profile.reference, grouped(profile.rows)), look)
    );
    if let Some(window) = profile.window {
        let _ = writeln!(text, "window     {window}");
    }
    if !profile.left_out.is_empty() {
        text += &said(&format!("left out   {}", profile.left_out.join(", ")), look);
    }
    let mut columns = vec![Of::name("COLUMN"), Of::figure("MISSING").rank(3)];
    columns.extend([Of::figure("MEAN").rank(2), Of::figure("DEVIATION").rank(4)]);
    // The middle says most, then where nine of ten lie, then the ends.
    columns.extend(QUANTILES.iter().zip([7, 3, 5, 1, 5, 3, 7]).map(|((name, _), rank)| Of::figure(name).rank(rank)));
    columns.extend(["KS WITHIN", "WASSERSTEIN WITHIN"].map(|head| Of::figure(head).rank(8)));
    columns.push(Of::figure("VARIES BY").rank(6));
    let mut numbers = Table::new(columns);
    let mut categories = Table::new(vec![
        Of::name("COLUMN"),
        Of::figure("MISSING").rank(2),
        Of::figure("CATEGORIES").rank(1),
        Of::text("THE MOST FREQUENT", 17),
        Of::word("ALL OTHERS").rank(4),
        Of::figure("VARIES BY").rank(3),
    ]);
    for column in &profile.columns {
        let head = [column.name.clone(), share(column.missing, profile.rows)];
        let told = |value: Option<f64>| value.map_or_else(dash, number);
        match &column.values {
            Values::Numeric(numeric) => {
                let mut cells = head.to_vec();
                cells.extend([told(numeric.mean), told(numeric.standard_deviation)]);
                cells.extend(QUANTILES.iter().map(|(_, share)| told(numeric.quantiles.quantile(*share))));
                cells.extend([number(numeric.within.ks), told(numeric.within.wasserstein), varies(column)]);
                numbers.push(cells.into_iter().map(Cell::from).collect());
            }
            Values::Categorical(categorical) => {
                let kept = &categorical.categories;
                let mut ranked: Vec<(&String, u64)> = kept.named.iter().map(|(name, rows)| (name, *rows)).collect();
                ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
                let named = ranked
                    .iter()
                    .take(NAMED)
                    .map(|(name, rows)| format!("{} {}", plain(name), share(*rows, kept.rows())));
                let others = match kept.others {
                    0 => dash(),
                    others => format!("{}: {}", grouped(others), share(kept.other_rows, kept.rows())),
                };
                let all = grouped((kept.named.len() as u64).saturating_add(kept.others));
                let mut cells = head.to_vec();
                cells.extend([all, named.collect::<Vec<_>>().join(", "), others, varies(column)]);
                categories.push(cells.into_iter().map(Cell::from).collect());
            }
        }
    }
    for table in [numbers, categories].iter().filter(|table| !table.is_empty()) {
        let _ = write!(text, "\n{}", table.text(look, IN_FULL));
    }
    text
}

/// The largest of what the column's aspects vary by, in their effects' own measures.
fn varies(column: &Column) -> String {
    let largest = column.variations.iter().map(|varies| varies.deviation).reduce(f64::max);
    largest.map_or_else(dash, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::Sample;

    #[test]
    fn a_person_can_read_it() {
        let x = Sample::numeric((0..1000).map(|i| Some(f64::from(i)).filter(|_| i % 10 > 0)));
        let c = Sample::categorical((0..1000).map(|i| Some(if i % 4 == 0 { "red" } else { "blue\u{1b}" }.to_owned())));
        let columns = [("x", x), ("c", c)].map(|(name, sample)| Column::of(name, sample, false, &[]).expect("enough"));
        let profile = Profile::new("train.csv", 1000, vec!["id".to_owned()], columns.to_vec()).expect("readable");
        let text = table(&profile, Look::PLAIN);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("a line").to_owned();
        assert!(line("profile").contains(&profile.hash) && line("left out").ends_with("id"), "{text}");
        assert!(line("x").contains("10.0 %") && line("x").contains("500"), "{text}");
        assert!(line("c").contains("blue\u{fffd} 75.0 %, red 25.0 %"), "{text}");
    }
}
