//! A reference's profile as tables: its columns of numbers, its columns of categories.

use std::fmt::Write as _;

use super::{aligned, dash, plain};
use crate::drift::profile::{Column, Profile, Values};
use crate::drift::words::number;
use crate::units::{grouped, percent};

/// The quantiles that are shown.
const QUANTILES: [(&str, f64); 7] =
    [("1 %", 0.01), ("5 %", 0.05), ("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75), ("95 %", 0.95), ("99 %", 0.99)];
/// Categories that are named.
const NAMED: usize = 5;

fn share(part: u64, of: u64) -> String {
    if of == 0 { dash() } else { percent(part as f64 / of as f64) }
}

/// For people. Ends with a line break.
#[must_use]
pub fn table(profile: &Profile) -> String {
    let mut text = format!(
        "profile    {}\nreference  {}  {} rows\n",
        profile.hash,
        plain(&profile.reference),
        grouped(profile.rows)
    );
    if let Some(window) = profile.window {
        let _ = writeln!(text, "window     {window}");
    }
    if !profile.left_out.is_empty() {
        let _ = writeln!(text, "left out   {}", plain(&profile.left_out.join(", ")));
    }
    let mut numbers = vec![["COLUMN", "MISSING", "MEAN", "DEVIATION"].map(str::to_owned).to_vec()];
    numbers[0].extend(QUANTILES.iter().map(|(name, _)| (*name).to_owned()));
    numbers[0].extend(["KS WITHIN", "WASSERSTEIN WITHIN", "VARIES BY"].map(str::to_owned));
    let mut categories = vec![
        ["COLUMN", "MISSING", "CATEGORIES", "THE MOST FREQUENT", "ALL OTHERS", "VARIES BY"].map(str::to_owned).to_vec(),
    ];
    for column in &profile.columns {
        let head = [plain(&column.name), share(column.missing, profile.rows)];
        let told = |value: Option<f64>| value.map_or_else(dash, number);
        match &column.values {
            Values::Numeric(numeric) => {
                let mut cells = head.to_vec();
                cells.extend([told(numeric.mean), told(numeric.standard_deviation)]);
                cells.extend(QUANTILES.iter().map(|(_, share)| told(numeric.quantiles.quantile(*share))));
                cells.extend([number(numeric.within.ks), told(numeric.within.wasserstein), varies(column)]);
                numbers.push(cells);
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
                categories.push(cells);
            }
        }
    }
    for rows in [numbers, categories].iter().filter(|rows| rows.len() > 1) {
        let _ = writeln!(text, "\n{}", aligned(rows).join("\n"));
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
        let text = table(&profile);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("a line").to_owned();
        assert!(line("profile").contains(&profile.hash) && line("left out").ends_with("id"), "{text}");
        assert!(line("x").contains("10.0 %") && line("x").contains("500"), "{text}");
        assert!(line("c").contains("blue\u{fffd} 75.0 %, red 25.0 %"), "{text}");
    }
}
