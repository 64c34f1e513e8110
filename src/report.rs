//! What was found, for people and programs: a comparison of two data sets ([`drift`]), a reference's profile ([`profile`]), a
//! capacity review ([`review`]), a model's ([`model`]).

mod document;
pub mod drift;
pub mod model;
pub mod profile;
pub mod review;
pub mod windows;

use crate::terminal::Look;
use crate::terminal::text::{plain, wrapped};

/// What stands where nothing is known.
fn dash() -> String {
    "-".to_owned()
}

/// Where everything stands that a terminal has no room for.
const IN_FULL: &str = "--format json";

/// A line of words for a terminal, in as many lines as it takes.
fn said(line: &str, look: Look) -> String {
    wrapped(&plain(line), look.width).join("\n") + "\n"
}
