//! A rate of each group as a bar with its interval.

use maud::{Markup, html};

use super::ABSURD;

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its rate, or mean.
    pub value: f64,
    /// Where that may lie.
    pub interval: (f64, f64),
}

/// Groups that are drawn.
const MOST: usize = 24;
const NAME: usize = 28;
const STEP: f64 = 18.0;
const LEFT: f64 = 190.0;
const WIDTH: f64 = 640.0;

/// The groups, one below the other.
#[must_use]
pub fn bars(rows: &[Row], text: &str) -> Markup {
    let fits = |row: &&Row| [row.value, row.interval.0, row.interval.1].iter().all(|value| value.abs() < ABSURD);
    let rows: Vec<&Row> = rows.iter().filter(fits).take(MOST).collect();
    if rows.is_empty() {
        return html! {};
    }
    let most = rows.iter().fold(0.0_f64, |most, row| most.max(row.interval.1)).max(1e-9);
    let least = rows.iter().fold(0.0_f64, |least, row| least.min(row.interval.0));
    let x = |value: f64| LEFT + (value - least) / (most - least) * (WIDTH - LEFT);
    let height = rows.len() as f64 * STEP;
    let named = |name: &str| {
        let short: String = name.chars().take(NAME).collect();
        if short.len() < name.len() { short + "…" } else { short }
    };
    html! {
        svg.chart.groups viewBox=(format!("0 0 {WIDTH} {height}")) width=(WIDTH) height=(height) role="img" aria-label=(text) {
            @for (at, row) in rows.iter().enumerate() {
                @let top = at as f64 * STEP;
                text x=(LEFT - 6.0) y=(format!("{:.1}", top + 12.0)) text-anchor="end" { (named(&row.name)) }
                rect.reference x=(format!("{:.1}", x(row.value.min(0.0)))) y=(format!("{:.1}", top + 3.0))
                    width=(format!("{:.1}", (x(row.value.max(0.0)) - x(row.value.min(0.0))).max(0.5))) height=(STEP - 6.0) {}
                line.error x1=(format!("{:.1}", x(row.interval.0))) x2=(format!("{:.1}", x(row.interval.1)))
                    y1=(format!("{:.1}", top + STEP / 2.0)) y2=(format!("{:.1}", top + STEP / 2.0)) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_a_bar() {
        let row = |name: &str, value: f64| Row { name: name.to_owned(), value, interval: (value - 0.1, value + 0.1) };
        let drawn = bars(&[row("a", 0.4), row(&"x".repeat(60), -0.2), row("none", f64::NAN)], "two").into_string();
        assert_eq!((drawn.matches("<rect").count(), drawn.contains('…')), (2, true), "{drawn}");
        assert!(!drawn.contains("NaN") && bars(&[], "none").into_string().is_empty());
    }
}
