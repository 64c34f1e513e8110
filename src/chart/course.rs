//! Courses over time with axes: what was used, what was asked for, and what happened meanwhile.
//!
//! The plot stretches with the page while its texts keep their size: the paths lie in an inner picture that is stretched, and all else is
//! placed by percent.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// What a line is, and so how it is drawn: lines differ in stroke as well as in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The mean, over a filled ground.
    Used,
    /// The largest, or a high percentile.
    Peak,
    /// What was asked for.
    Request,
    /// What cannot be exceeded.
    Limit,
    /// What is proposed.
    Proposal,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Peak => "peak",
            Self::Request => "request",
            Self::Limit => "limit",
            Self::Proposal => "proposal",
        }
    }

    /// Its value holds until the next.
    fn is_set(self) -> bool {
        matches!(self, Self::Request | Self::Limit | Self::Proposal)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How it is drawn.
    pub kind: Kind,
    /// What it is called.
    pub name: &'static str,
    /// A value for each step.
    pub values: Vec<Option<f64>>,
}

/// What happened at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// A letter that stands at the top of its line.
    pub sign: &'static str,
    /// What it was.
    pub text: String,
    /// It did harm.
    pub bad: bool,
}

/// Where values are expected to lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// From here.
    pub low: f64,
    /// To here.
    pub high: f64,
    /// What it is called.
    pub name: &'static str,
}

/// A course.
#[derive(Debug, Clone)]
pub struct Course<'a> {
    /// When the first step begins.
    pub since: Timestamp,
    /// How long a step is, in seconds.
    pub step: i64,
    /// The lines, the most important first.
    pub lines: &'a [Line],
    /// What happened.
    pub marks: &'a [Mark],
    /// How values are written.
    pub unit: fn(f64) -> String,
    /// The top of the axis, where it does not follow from the values.
    pub top: Option<f64>,
    /// Where values are expected to lie.
    pub band: Option<Band>,
    /// The axis begins near the least value, and not at 0.
    pub zoomed: bool,
    /// What it says to those who do not see it.
    pub text: &'a str,
}

impl<'a> Course<'a> {
    /// Of these lines and marks, from 0 to the largest value.
    #[must_use]
    pub fn of(
        since: Timestamp,
        step: i64,
        lines: &'a [Line],
        marks: &'a [Mark],
        unit: fn(f64) -> String,
        text: &'a str,
    ) -> Self {
        Self { since, step, lines, marks, unit, top: None, band: None, zoomed: false, text }
    }
}

/// Of the plot, in pixels: above it is room for signs, below for times.
const ABOVE: f64 = 16.0;
const PLOT: f64 = 132.0;
const BELOW: f64 = 20.0;
/// The inner picture's size.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// More steps have no figures of their own on hover.
const HOVER: usize = 180;
/// Nothing that is drawn is so large.
const ABSURD: f64 = 1e100;

/// The course, with the names of its lines below it. Nothing known makes a sentence.
#[must_use]
pub fn course(given: &Course<'_>) -> Markup {
    let sane = |line: &Line| {
        let values = line.values.iter().map(|value| value.filter(|value| value.abs() < ABSURD)).collect();
        Line { values, ..line.clone() }
    };
    let lines: Vec<Line> = given.lines.iter().map(sane).collect();
    let finite = |band: &Band| band.low.abs() < ABSURD && band.high.abs() < ABSURD && band.low <= band.high;
    drawn(&Course { lines: &lines, band: given.band.filter(finite), ..*given })
}

fn drawn(course: &Course<'_>) -> Markup {
    let steps = course.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let known = || course.lines.iter().flat_map(|line| line.values.iter().flatten());
    if known().next().is_none() || course.step <= 0 {
        return html! { p.empty { "Nothing is known of this time." } };
    }
    let ends = course.band.iter().flat_map(|band| [band.low, band.high]);
    let most = known().copied().chain(ends.clone()).fold(f64::NEG_INFINITY, f64::max);
    let least = known().copied().chain(ends).fold(f64::INFINITY, f64::min);
    let (bottom, ticks) = if course.zoomed {
        let ticks = ticks_between(least, most);
        (ticks.first().copied().unwrap_or(least).min(least), ticks)
    } else {
        (0.0, ticks(course.top.unwrap_or(most.max(0.0)).max(f64::MIN_POSITIVE)))
    };
    let top = match course.top {
        Some(top) => top,
        None => ticks.last().copied().unwrap_or(most).max(most),
    };
    let height = (top - bottom).max(f64::MIN_POSITIVE);
    let y = |value: f64| HEIGHT - ((value - bottom) / height).clamp(0.0, 1.0) * HEIGHT;
    let pixel = |value: f64| (ABOVE + y(value) / HEIGHT * PLOT).round();
    let share = |at: Timestamp| {
        let seconds = at.as_second().saturating_sub(course.since.as_second()) as f64;
        seconds / (course.step as f64 * steps.max(1) as f64) * 100.0
    };
    let marks = course.marks.iter().filter(|mark| (0.0..=100.0).contains(&share(mark.at)));
    let end = course.since.as_second().saturating_add(course.step.saturating_mul(i64::try_from(steps).unwrap_or(0)));
    let times = times(course.since.as_second(), end);
    html! {
        figure.course {
            svg.chart width="100%" height=(ABOVE + PLOT + BELOW) role="img" aria-label=(course.text) {
                @for tick in &ticks {
                    line.axis x1="0" x2="100%" y1=(pixel(*tick)) y2=(pixel(*tick)) {}
                }
                svg x="0" y=(ABOVE) width="100%" height=(PLOT) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" {
                    @if let Some(band) = course.band {
                        rect.band x="0" y=(format!("{:.1}", y(band.high))) width=(WIDTH) height=(format!("{:.1}", (y(band.low) - y(band.high)).max(0.5))) {}
                    }
                    @for line in course.lines {
                        @let (path, area) = path(line, steps, y);
                        @if line.kind == Kind::Used && !course.zoomed { path.area d=(area) {} }
                        path class={ "line " (line.kind.class()) } d=(path) {}
                    }
                }
                @for mark in marks {
                    g class=(if mark.bad { "mark bad" } else { "mark" }) {
                        title { (mark.text) ", " (mark.at.strftime("%Y-%m-%d %H:%M UTC")) }
                        line x1=(format!("{:.2}%", share(mark.at))) x2=(format!("{:.2}%", share(mark.at))) y1=(ABOVE - 3.0) y2=(ABOVE + PLOT) {}
                        text x=(format!("{:.2}%", share(mark.at))) y="10" text-anchor="middle" { (mark.sign) }
                    }
                }
                @for tick in &ticks { text x="0" y=(pixel(*tick) - 3.0) { ((course.unit)(*tick)) } }
                @for (at, text) in &times {
                    @let place = (*at as f64 - course.since.as_second() as f64) / (end as f64 - course.since.as_second() as f64) * 100.0;
                    text x=(format!("{place:.2}%")) y=(ABOVE + PLOT + 14.0) text-anchor=(anchor(place)) { (text) }
                }
                @if steps <= HOVER { (figures(course, steps)) }
            }
            figcaption.key {
                @for line in course.lines {
                    span.level {
                        svg.sample width="22" height="8" aria-hidden="true" { path class={ "line " (line.kind.class()) } d="M0 4H22" {} }
                        " " (line.name)
                        @if let Some(now) = line.values.iter().rev().flatten().next() { " " strong.plain { ((course.unit)(*now)) } }
                    }
                    " "
                }
                @if let Some(band) = course.band {
                    span.level { span.swatch.band {} (band.name) " " strong.plain { ((course.unit)(band.low)) " to " ((course.unit)(band.high)) } }
                }
            }
        }
    }
}

/// The figures of each step, on hover.
fn figures(course: &Course<'_>, steps: usize) -> Markup {
    let width = 100.0 / steps.max(1) as f64;
    let told = |at: usize| {
        let begin = course.since.as_second().saturating_add(course.step.saturating_mul(i64::try_from(at).unwrap_or(0)));
        let mut text = Timestamp::from_second(begin).unwrap_or(course.since).strftime("%a %H:%M").to_string();
        for line in course.lines.iter().filter(|line| line.kind != Kind::Proposal) {
            if let Some(value) = line.values.get(at).copied().flatten() {
                let _ = write!(text, "\n{} {}", line.name, (course.unit)(value));
            }
        }
        text
    };
    html! {
        @for at in 0..steps {
            rect.hit x=(format!("{:.2}%", width * at as f64)) y=(ABOVE) width=(format!("{width:.2}%")) height=(PLOT) { title { (told(at)) } }
        }
    }
}

/// The line, and the ground below it. A gap in what is known is a gap in both.
fn path(line: &Line, steps: usize, y: impl Fn(f64) -> f64) -> (String, String) {
    let width = WIDTH / steps.max(1) as f64;
    let (mut path, mut area) = (String::new(), String::new());
    // What is set holds for a whole step; what was measured is drawn from middle to middle.
    let mut begun: Option<(f64, f64)> = None;
    let close = |area: &mut String, begun: Option<(f64, f64)>| {
        if let Some((from, to)) = begun {
            let _ = write!(area, "L{to:.1} {HEIGHT}L{from:.1} {HEIGHT}z");
        }
    };
    for (at, value) in line.values.iter().enumerate() {
        let Some(value) = *value else {
            close(&mut area, begun.take());
            continue;
        };
        let (left, height) = (width * at as f64, y(value));
        let x = if line.kind.is_set() { left } else { left + width / 2.0 };
        let to = if line.kind.is_set() { left + width } else { x };
        if let Some((from, _)) = begun {
            let _ = write!(path, "L{x:.1} {height:.1}");
            let _ = write!(area, "L{x:.1} {height:.1}");
            begun = Some((from, to));
        } else {
            let _ = write!(path, "M{x:.1} {height:.1}");
            let _ = write!(area, "M{x:.1} {height:.1}");
            begun = Some((x, to));
        }
        if line.kind.is_set() {
            let _ = write!(path, "H{to:.1}");
        } else if line.values.get(at + 1).copied().flatten().is_none() {
            // One step alone is seen too.
            let _ = write!(path, "h1");
        }
    }
    close(&mut area, begun);
    (path, area)
}

/// Round values of an axis from 0 to above `most`: two to five of them.
fn ticks(most: f64) -> Vec<f64> {
    // Bytes are round in powers of two.
    let (base, rounds) = if most >= 1024.0 * 1024.0 {
        let unit = 2_f64.powf((most.log2() / 10.0).floor() * 10.0);
        (
            unit / 16.0,
            [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0].as_slice(),
        )
    } else {
        (10_f64.powf(most.log10().floor() - 1.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].as_slice())
    };
    let step = rounds.iter().map(|round| round * base).find(|step| most / step <= 4.0).unwrap_or(most);
    let fine = if most / step < 1.5 { step / 2.0 } else { step };
    (0..=5).map(|count| f64::from(count) * fine).take_while(|tick| *tick < most + fine).collect()
}

/// Round values of an axis from below `least` to above `most`: two to seven of them.
fn ticks_between(least: f64, most: f64) -> Vec<f64> {
    // What hardly moves is drawn as what hardly moves.
    let length = (most - least).max(most.abs().max(least.abs()) * 0.02).max(1e-9);
    let more = (length - (most - least)) / 2.0;
    let (least, most) = (least - more, most + more);
    let base = 10_f64.powf(length.log10().floor() - 1.0);
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].iter().map(|round| round * base).find(|step| length / step <= 4.0);
    let step = step.unwrap_or(length);
    let first = (least / step).floor();
    (0..=6).map(|count| (first + f64::from(count)) * step).take_while(|tick| *tick < most + step).collect()
}

/// Round times between two seconds, in UTC, as people write them: nine at most.
pub(super) fn times(since: i64, end: i64) -> Vec<(i64, String)> {
    const STEPS: [i64; 9] = [600, 900, 3600, 10_800, 14_400, 21_600, 86_400, 172_800, 604_800];
    const MONTHS: [i64; 9] = [1, 3, 6, 12, 24, 60, 120, 240, 600];
    const MONTH: i64 = 2_629_746;
    let length = end.saturating_sub(since);
    let fits = |step: &i64| length / step <= 8;
    let (round, format): (Vec<i64>, _) = if let Some(step) = STEPS.into_iter().find(fits) {
        let first = since.div_euclid(step).saturating_add(1).saturating_mul(step);
        let format = if step < 86_400 { "%H:%M" } else { "%b %-d" };
        ((0..9).map(|count| first.saturating_add(step.saturating_mul(count))).collect(), format)
    } else {
        let step = MONTHS.into_iter().find(|months| fits(&(months * MONTH))).unwrap_or(1200);
        let first = month_of(since).div_euclid(step).saturating_add(1).saturating_mul(step);
        let months = (0..9).map(|count| first.saturating_add(step.saturating_mul(count)));
        (months.filter_map(begin_of).collect(), if step % 12 == 0 { "%Y" } else { "%b %Y" })
    };
    let inner = |at: &i64| at.saturating_sub(since) > length / 40 && end.saturating_sub(*at) > length / 40;
    let written = |at: i64| Some((at, Timestamp::from_second(at).ok()?.strftime(format).to_string()));
    round.into_iter().filter(inner).filter_map(written).collect()
}

/// Months since the year 0, in UTC.
fn month_of(second: i64) -> i64 {
    let date = TimeZone::UTC.to_datetime(Timestamp::from_second(second).unwrap_or_default()).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// When such a month begins.
fn begin_of(month: i64) -> Option<i64> {
    let (year, month) = (i16::try_from(month.div_euclid(12)).ok()?, i8::try_from(month.rem_euclid(12)).ok()?);
    let date = Date::new(year, month.checked_add(1)?, 1).ok()?;
    Some(TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?.as_second())
}

/// How a time is written below its place, in per cent of the width: near an edge to the side that has room, however narrow the drawing is.
pub(super) fn anchor(place: f64) -> &'static str {
    match place {
        ..8.0 => "start",
        92.0.. => "end",
        _ => "middle",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lines: &[Line], marks: &[Mark]) -> String {
        let since = Timestamp::from_second(1_795_392_000).expect("a time");
        let unit = |value: f64| format!("{value} c");
        course(&Course::of(since, 600, lines, marks, unit, "CPU")).into_string()
    }

    /// Seen at five past midnight: the last time of a narrow chart ran over its edge.
    #[test]
    fn a_time_near_an_edge_is_written_inwards() {
        assert_eq!([2.6, 50.0, 97.3].map(anchor), ["start", "middle", "end"]);
        let page = drawn(&[line(Kind::Used, &[Some(1.0); 144])], &[]);
        let places: Vec<&str> =
            page.split("text-anchor=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(places.contains(&"middle") && !places.is_empty(), "{places:?}");
    }

    #[test]
    fn times_are_round_and_no_two_are_written_alike() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_second();
        let end = at("2022-02-03T10:20:30Z");
        let written = |since: &str| times(at(since), end).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(written("2022-02-03T05:10:00Z"), ["06:00", "07:00", "08:00", "09:00", "10:00"]);
        assert_eq!(written("2022-01-29T00:00:00Z"), ["Jan 30", "Jan 31", "Feb 1", "Feb 2", "Feb 3"]);
        assert_eq!(
            written("2021-07-20T00:00:00Z"),
            ["Aug 2021", "Sep 2021", "Oct 2021", "Nov 2021", "Dec 2021", "Jan 2022"]
        );
        assert_eq!(
            written("2020-08-01T00:00:00Z"),
            ["Oct 2020", "Jan 2021", "Apr 2021", "Jul 2021", "Oct 2021", "Jan 2022"]
        );
        assert_eq!(written("2015-06-01T00:00:00Z"), ["2016", "2017", "2018", "2019", "2020", "2021"]);
        for days in 1..20_000 {
            let all = times(end - days * 86_400, end);
            assert!((2..=9).contains(&all.len()), "{days} days: {all:?}");
            assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1), "{days} days: {all:?}");
        }
    }

    #[test]
    fn a_zoomed_axis_begins_near_the_least_and_holds_the_band() {
        for (least, most) in [(0.81, 0.93), (0.9, 0.9), (-3.0, 12.0), (1e-7, 3e-7), (250.0, 251.0)] {
            let found = ticks_between(least, most);
            assert!((2..=7).contains(&found.len()), "{least} {most}: {found:?}");
            assert!(found[0] <= least + 1e-12 && found[found.len() - 1] >= most - 1e-12, "{least} {most}: {found:?}");
        }
        let since = Timestamp::from_second(1_795_392_000).expect("a time");
        let lines = [line(Kind::Used, &[Some(0.9), Some(0.8)])];
        let of = Course::of(since, 600, &lines, &[], |value| format!("{value:.2}"), "AUC");
        let band = |low, high| Some(Band { low, high, name: "reference" });
        let page = course(&Course { zoomed: true, band: band(0.85, 0.95), ..of.clone() }).into_string();
        assert!(
            page.contains("class=\"band\"") && page.contains("reference <strong class=\"plain\">0.85 to 0.95"),
            "{page}"
        );
        assert!(!page.contains("class=\"area\"") && page.contains(">0.80<") && !page.contains(">0.00<"), "{page}");
        let none = course(&Course { zoomed: true, band: band(f64::NAN, 1.0), ..of }).into_string();
        assert!(!none.contains("band") && !none.contains("NaN"), "{none}");
    }

    fn line(kind: Kind, values: &[Option<f64>]) -> Line {
        Line { kind, name: "used", values: values.to_vec() }
    }

    #[test]
    fn a_gap_in_what_is_known_is_a_gap_in_the_line() {
        let page = drawn(&[line(Kind::Used, &[Some(1.0), Some(2.0), None, Some(1.0)])], &[]);
        let path = page.split("line used\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(page.contains("used 2 c") && page.contains("aria-label=\"CPU\""), "{page}");
    }

    #[test]
    fn what_is_set_holds_for_its_whole_step() {
        let page = drawn(&[line(Kind::Limit, &[Some(4.0), Some(8.0)])], &[]);
        let path = page.split("line limit\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert_eq!(path, "M0.0 50.0H500.0L500.0 0.0H1000.0");
    }

    #[test]
    fn nothing_known_is_said_and_absurd_values_are_left_out() {
        assert!(drawn(&[line(Kind::Used, &[None, None])], &[]).contains("Nothing is known"));
        let page = drawn(&[line(Kind::Used, &[Some(f64::INFINITY), Some(1e200), Some(3.0)])], &[]);
        assert!(!page.contains("inf") && !page.contains("NaN"), "{page}");
    }

    #[test]
    fn axes_have_round_values_that_reach_above_the_largest() {
        for (most, expected) in [
            (0.9, vec![0.0, 0.5, 1.0]),
            (3.7, vec![0.0, 1.0, 2.0, 3.0, 4.0]),
            (47.0, vec![0.0, 20.0, 40.0, 60.0]),
            (1.5 * 1_073_741_824.0, vec![0.0, 536_870_912.0, 1_073_741_824.0, 1_610_612_736.0]),
        ] {
            let found = ticks(most);
            assert!(found.last() >= Some(&most) && (2..=6).contains(&found.len()), "{most}: {found:?}");
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{most}: {found:?}");
        }
    }

    #[test]
    fn marks_outside_the_time_are_not_drawn() {
        let mark = |second: i64| Mark {
            at: Timestamp::from_second(1_795_392_000 + second).expect("a time"),
            sign: "K",
            text: "OOM killed".to_owned(),
            bad: true,
        };
        let page = drawn(&[line(Kind::Used, &[Some(1.0); 6])], &[mark(-10), mark(1800), mark(4000)]);
        assert_eq!(page.matches("OOM killed").count(), 1, "{page}");
        assert!(page.contains("50.00%"), "{page}");
    }
}
