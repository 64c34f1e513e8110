//! What was found, for people and programs: a comparison of two data sets ([`drift`]), a reference's profile ([`profile`]), a capacity review ([`review`]).

pub mod drift;
pub mod profile;
pub mod review;

/// Names come from files and containers: what would move the cursor, end a line or turn the direction of writing is shown as a mark.
fn plain(text: &str) -> String {
    let moves = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}
