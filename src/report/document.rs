//! What all documents have in common: a page that stands alone, without script and without anything from elsewhere, for a screen of any width
//! and for paper; and what it says first, in a row of answers.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::chart;

const STYLE: &str = include_str!("document.css");

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// As they should.
    Well,
    /// Something is to be done.
    Wrong,
    /// Nobody knows.
    Open,
}

impl Stands {
    fn class(self) -> &'static str {
        match self {
            Self::Well => "answer",
            Self::Wrong => "answer wrong",
            Self::Open => "answer open",
        }
    }
}

/// What a reader asks first, and the answer.
pub struct Answer {
    /// The question, in a few words.
    pub question: &'static str,
    /// How things stand.
    pub stands: Stands,
    /// The answer, as a figure or a few words.
    pub figure: String,
    /// A picture of it, if there is one.
    pub picture: Markup,
    /// The rest, in a sentence each.
    pub words: Vec<String>,
}

/// The answers beside one another.
pub fn answers(all: &[Answer]) -> Markup {
    html! {
        ul.answers { @for answer in all {
            li class=(answer.stands.class()) {
                h2 { (answer.question) }
                p.figure { (answer.figure) @if answer.stands == Stands::Wrong { span aria-hidden="true" { " ⚠" } } }
                (answer.picture)
                @for words in &answer.words { p { (words) } }
            }
        } }
    }
}

/// The whole page. The title is plain text.
pub fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(chart::PALETTE)) (PreEscaped(STYLE)) (PreEscaped(chart::STYLE)) }
            }
            body {
                main { (body) }
                footer { p { "Made by plumbline " (env!("CARGO_PKG_VERSION")) "." } }
            }
        }
    }
    .into_string()
        + "\n"
}

/// A table that scrolls by itself where the screen is narrow.
pub fn scrolled(name: &str, table: &Markup) -> Markup {
    html! { div.wide role="region" aria-label=(name) tabindex="0" { (table) } }
}
