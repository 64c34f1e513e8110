//! Text for a terminal: how wide it is, where it is cut and wrapped ([`text`]), tables that fit ([`table`]), and what a colour means
//! ([`tone`]). Pure: how wide a terminal is, and whether it has colours, is told by whoever prints.

pub mod table;
pub mod text;
pub mod tone;

/// What is printed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Columns that a line has room for; `None` where there is no end: a pipe, a file.
    pub width: Option<usize>,
    /// Whether colours are shown.
    pub colour: bool,
}

impl Look {
    /// A pipe or a file: no limit, no colour.
    pub const PLAIN: Self = Self { width: None, colour: false };
    /// Narrower than this nothing can be shown: lines are this long then, and the terminal wraps them.
    const LEAST: usize = 20;

    /// What a stream is, by its own word and the environment's. `COLUMNS` goes before the size that the terminal tells; `NO_COLOR`
    /// before `CLICOLOR_FORCE`, and that before what the terminal can.
    #[must_use]
    pub fn of(is_terminal: bool, size: Option<usize>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let columns = set("COLUMNS").and_then(|text| text.trim().parse::<usize>().ok()).filter(|columns| *columns > 0);
        let width = columns.or(size).filter(|_| is_terminal).map(|width| width.max(Self::LEAST));
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let able = is_terminal && set("TERM").is_none_or(|term| term != "dumb");
        Self { width, colour: set("NO_COLOR").is_none() && (forced || able) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_a_say() {
        let look = |is_terminal, size, set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Look::of(is_terminal, size, &|name| set.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
        };
        let seen = |look: Look| (look.width, look.colour);
        assert_eq!(seen(look(false, Some(80), &[("COLUMNS", "100")])), (None, false));
        assert_eq!(seen(look(true, Some(80), &[])), (Some(80), true));
        assert_eq!(seen(look(true, Some(80), &[("COLUMNS", "100"), ("NO_COLOR", "1")])), (Some(100), false));
        assert_eq!(seen(look(true, Some(80), &[("COLUMNS", "wide"), ("NO_COLOR", "")])), (Some(80), true));
        assert_eq!(seen(look(true, Some(3), &[("COLUMNS", "0"), ("TERM", "dumb")])), (Some(20), false));
        assert_eq!(seen(look(false, None, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")])), (None, true));
        assert_eq!(seen(look(false, None, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])), (None, false));
        assert_eq!(seen(look(false, None, &[("CLICOLOR_FORCE", "0")])), (None, false));
    }
}
