//! What a colour means. The word that it stands on says the same, so that nothing is told by colour alone.

/// What a text is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Soft,
    /// Fine.
    Good,
    /// Waste, or worth a look.
    Warning,
    /// Wrong: does worse, drifts, too small, killed.
    Bad,
}

impl Tone {
    /// Of ANSI's sixteen, which a terminal's own scheme makes readable.
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Strong => "1",
            Self::Soft => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
        })
    }

    /// The text in its colour, where there are any.
    #[must_use]
    pub fn paint(self, text: &str, colour: bool) -> String {
        match self.code().filter(|_| colour && !text.is_empty()) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }

    /// The same in bold: what is to be read first.
    #[must_use]
    pub fn headline(self, text: &str, colour: bool) -> String {
        match self.code().filter(|code| colour && !text.is_empty() && *code != "1") {
            Some(code) => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
            None => Self::Strong.paint(text, colour),
        }
    }
}
