//! Ribbons over one time axis: from when until when something was so, a row for each thing, as wide as there is room.
//!
//! The axis is that of `course` over the same time, so that ribbons stand under a course and are read together with it.

use jiff::Timestamp;
use maud::{Markup, html};

use super::course::{anchor, times};
use super::cut;

/// How a span is drawn. Tones differ in height as well as in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It does harm.
    Alarm,
    /// As it is to be.
    Active,
    /// In vain, or worth a look.
    Idle,
    /// At rest, or worth knowing.
    Rest,
}

impl Tone {
    /// Its class, in a ribbon and in its key.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Rest => "rest",
        }
    }

    fn height(self) -> i64 {
        match self {
            Self::Alarm | Self::Active => 14,
            Self::Idle => 9,
            Self::Rest => 4,
        }
    }
}

/// From when until when something was so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// How it is drawn.
    pub tone: Tone,
    /// What it was.
    pub text: String,
}

/// A thing over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ribbon {
    /// What it is called.
    pub name: String,
    /// What is said of it in a word, at the end of its row.
    pub note: String,
    /// In any order; they may overlap.
    pub spans: Vec<Span>,
}

const ROW: i64 = 36;
const BAND: i64 = 14;
/// Spans of a row that are drawn; those that lie nearer together than is seen are one.
const MOST: usize = 300;
/// So many characters of a name have room.
const NAME: usize = 44;

/// What is drawn of a row: spans within the time, those that nobody could tell apart as one, with how many they are.
fn drawn(row: &Ribbon, since: i64, end: i64) -> Vec<(i64, i64, Tone, &str, usize)> {
    let near = end.saturating_sub(since) / 500;
    let mut spans: Vec<&Span> = row.spans.iter().collect();
    // A graver one is drawn over a lighter one.
    spans.sort_by_key(|span| (span.tone.height(), span.from));
    let mut all: Vec<(i64, i64, Tone, &str, usize)> = Vec::new();
    for span in spans {
        let (from, to) = (span.from.as_second().max(since), span.to.as_second().min(end));
        if from > end || to < since || to < from {
            continue;
        }
        match all.last_mut() {
            Some((_, last, tone, _, count)) if *tone == span.tone && from <= last.saturating_add(near) => {
                *last = to.max(*last);
                *count = count.saturating_add(1);
            }
            _ => all.push((from, to, span.tone, &span.text, 1)),
        }
    }
    let begin = all.len().saturating_sub(MOST);
    all.split_off(begin)
}

/// The ribbons, with the times below. No time makes nothing.
#[must_use]
pub fn ribbons(rows: &[Ribbon], since: Timestamp, end: Timestamp, text: &str) -> Markup {
    let (since, end) = (since.as_second(), end.as_second());
    let length = end.saturating_sub(since);
    if length <= 0 || rows.is_empty() {
        return html! {};
    }
    let share = |at: i64| (at.saturating_sub(since)) as f64 / length as f64 * 100.0;
    let height = i64::try_from(rows.len()).unwrap_or(0).saturating_mul(ROW);
    let when = |at: i64| {
        Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.strftime("%b %-d %H:%M").to_string())
    };
    html! {
        svg.chart.ribbons width="100%" height=(height.saturating_add(18)) role="img" aria-label=(text) {
            @for (row, y) in rows.iter().zip((0_i64..).map(|at| at.saturating_mul(ROW))) {
                text x="0" y=(y + 12) { (cut(&row.name, NAME)) }
                text.soft x="100%" y=(y + 12) text-anchor="end" { (row.note) }
                rect.ground x="0" y=(y + 17) width="100%" height=(BAND) {}
                @for (from, to, tone, text, count) in drawn(row, since, end) {
                    // What is short is seen all the same.
                    @let width = (share(to) - share(from)).max(0.35);
                    rect class=(tone.class()) x=(format!("{:.2}%", share(from).min(100.0 - width)))
                        y=(y + 17 + BAND - tone.height()) width=(format!("{width:.2}%")) height=(tone.height()) {
                        title {
                            (text) ", " (when(from)) " to " (when(to)) " UTC" @if count > 1 { " (" (count) " times)" }
                        }
                    }
                }
            }
            @for (at, time) in times(since, end) {
                @let place = format!("{:.2}%", share(at));
                line.tick x1=(place) x2=(place) y1=(height) y2=(height + 3) {}
                text.soft x=(place) y=(height + 15) text-anchor=(anchor(share(at))) { (time) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_392_000 + second).expect("a time")
    }

    fn span(from: i64, to: i64, tone: Tone) -> Span {
        Span { from: at(from), to: at(to), tone, text: "<so>".to_owned() }
    }

    fn row(spans: &[Span]) -> Ribbon {
        Ribbon { name: "R & s".to_owned(), note: "twice".to_owned(), spans: spans.to_vec() }
    }

    #[test]
    fn spans_are_cut_to_the_time_and_told_apart_by_height() {
        let rows = [row(&[span(-500, 100, Tone::Alarm), span(300, 2000, Tone::Idle), span(5000, 6000, Tone::Rest)])];
        let text = ribbons(&rows, at(0), at(1000), "what & when").into_string();
        assert!(text.contains("rect class=\"alarm\" x=\"0.00%\" y=\"17\" width=\"10.00%\" height=\"14\""), "{text}");
        assert!(text.contains("rect class=\"idle\" x=\"30.00%\" y=\"22\" width=\"70.00%\" height=\"9\""), "{text}");
        assert!(
            !text.contains("class=\"rest\"") && text.contains("R &amp; s") && text.contains("&lt;so&gt;"),
            "{text}"
        );
        assert!(text.contains("aria-label=\"what &amp; when\"") && text.contains("00:10"), "{text}");
    }

    #[test]
    fn what_nobody_could_tell_apart_is_one_and_what_is_short_is_seen() {
        let many: Vec<Span> = (0..5000).map(|n| span(n * 20, n * 20 + 5, Tone::Active)).collect();
        let text = ribbons(&[row(&many)], at(0), at(100_000), "t").into_string();
        assert_eq!(text.matches("class=\"active\"").count(), 1, "{text}");
        assert!(text.contains("(5000 times)"), "{text}");
        let short = ribbons(&[row(&[span(100_000, 100_000, Tone::Alarm)])], at(0), at(100_000), "t").into_string();
        assert!(short.contains("x=\"99.65%\"") && short.contains("width=\"0.35%\""), "{short}");
        let apart: Vec<Span> = (0..1000).map(|n| span(n * 1000, n * 1000 + 1, Tone::Idle)).collect();
        let bounded = ribbons(&[row(&apart)], at(0), at(1_000_000), "t").into_string();
        assert!(bounded.matches("class=\"idle\"").count() <= MOST, "{bounded}");
    }

    #[test]
    fn no_time_and_no_row_make_nothing() {
        assert_eq!(ribbons(&[row(&[])], at(5), at(5), "t").into_string(), "");
        assert_eq!(ribbons(&[], at(0), at(5), "t").into_string(), "");
    }
}
