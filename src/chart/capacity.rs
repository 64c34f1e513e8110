//! What there is of something as one bar: used, asked for and not used, free, kept for the system; beyond all of it, too much.

use maud::{Markup, html};

/// What is done with one resource, in its own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// What is used.
    pub used: Option<f64>,
    /// What is asked for; what is used above it counts as asked for.
    pub requested: f64,
    /// What can be asked for in all.
    pub whole: f64,
    /// What there is beside, that nobody can ask for.
    pub kept: f64,
}

impl Capacity {
    /// Asked for and not used; all of it where nobody knows what is used.
    #[must_use]
    pub fn unused(&self) -> f64 {
        (self.requested - self.used.unwrap_or(0.0)).max(0.0)
    }

    /// Neither asked for nor used; below zero where more is taken than there is.
    #[must_use]
    pub fn free(&self) -> f64 {
        self.whole - self.taken()
    }

    fn taken(&self) -> f64 {
        self.requested.max(self.used.unwrap_or(0.0))
    }
}

/// The bar, as wide as there is room. Nothing finite, or nothing there, makes a dash.
#[must_use]
pub fn capacity(of: &Capacity, text: &str) -> Markup {
    let all = (of.whole + of.kept).max(of.taken());
    if !all.is_finite() || all <= 0.0 {
        return html! { span.unknown { "–" } };
    }
    let place = |value: f64| (value / all * 100.0).clamp(0.0, 100.0);
    let used = of.used.unwrap_or(0.0);
    // They differ in height as well as in colour.
    let parts = [
        ("used", 20.0, 0.0, used),
        (if of.used.is_some() { "asked" } else { "unsure" }, 12.0, used, used + of.unused()),
        ("free", 4.0, of.taken(), of.whole),
        ("kept", 4.0, of.whole.max(of.taken()), of.whole + of.kept),
    ];
    html! {
        svg.chart.capacity width="100%" height="26" role="img" aria-label=(text) {
            title { (text) }
            @for (class, height, from, to) in parts.into_iter().filter(|(.., from, to)| to > from) {
                @let (x, width) = (format!("{:.2}%", place(from)), format!("{:.2}%", place(to) - place(from)));
                rect class=(class) x=(x) y=(23.0 - height) width=(width) height=(height) {}
            }
            @if of.free() < 0.0 {
                line.whole x1=(format!("{:.2}%", place(of.whole))) x2=(format!("{:.2}%", place(of.whole))) y1="0" y2="26" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(used: Option<f64>, requested: f64, whole: f64, kept: f64) -> String {
        capacity(&Capacity { used, requested, whole, kept }, "CPU & all").into_string()
    }

    #[test]
    fn the_parts_fill_the_bar() {
        let text = drawn(Some(2.0), 5.0, 8.0, 2.0);
        for (class, x, y, width) in [
            ("used", "0.00", 3, "20.00"),
            ("asked", "20.00", 11, "30.00"),
            ("free", "50.00", 19, "30.00"),
            ("kept", "80.00", 19, "20.00"),
        ] {
            let part = format!("class=\"{class}\" x=\"{x}%\" y=\"{y}\" width=\"{width}%\"");
            assert!(text.contains(&part), "{part}: {text}");
        }
        assert!(!text.contains("class=\"whole\"") && text.contains("CPU &amp; all"), "{text}");
    }

    #[test]
    fn what_is_too_much_is_beyond_a_line() {
        let of = Capacity { used: Some(1.0), requested: 10.0, whole: 8.0, kept: 0.0 };
        assert_eq!((of.free(), of.unused()), (-2.0, 9.0));
        let text = capacity(&of, "t").into_string();
        assert!(text.contains("line class=\"whole\" x1=\"80.00%\"") && !text.contains("class=\"free\""), "{text}");
        // What is used beyond what is asked for is not asked for in vain.
        let of = Capacity { used: Some(9.0), requested: 3.0, whole: 8.0, kept: 0.0 };
        assert_eq!((of.free(), of.unused()), (-1.0, 0.0));
    }

    #[test]
    fn what_is_not_known_is_not_called_unused() {
        let text = drawn(None, 4.0, 8.0, 0.0);
        assert!(text.contains("class=\"unsure\"") && !text.contains("class=\"asked\""), "{text}");
        assert!(drawn(None, 0.0, 0.0, 0.0).contains('–') && drawn(Some(f64::INFINITY), 1.0, 1.0, 0.0).contains('–'));
    }
}
