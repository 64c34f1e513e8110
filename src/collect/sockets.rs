//! What collectors behind a daemon's socket have in common: sockets tried in turn, errors in words, bounds.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use jiff::SignedDuration;

use super::Error;

/// A container that ended is told of for this long.
pub const LINGER: SignedDuration = SignedDuration::from_secs(30);
/// Labels kept of a container, and the bytes of each: some tools store whole documents in them.
const MAX_LABELS: usize = 128;
const MAX_LABEL: usize = 4096;

/// Opens the first of these sockets that can be opened.
///
/// # Errors
/// None of them can. One that is there and fails says more than one that is not there.
pub fn first<T>(sockets: &[String], mut open: impl FnMut(&str) -> Result<T, Error>) -> Result<T, Error> {
    let mut tried = Vec::new();
    for socket in sockets {
        match open(socket) {
            Ok(opened) => return Ok(opened),
            Err(error) => tried.push(error),
        }
    }
    if let Some(failed) = tried.iter().position(|error| matches!(error, Error::Failed(_))) {
        return Err(tried.swap_remove(failed));
    }
    let places: Vec<String> = tried.iter().map(|error| error.to_string().replace("not found: ", "")).collect();
    Err(Error::NotFound(if places.is_empty() { "no socket is configured".to_owned() } else { places.join(", ") }))
}

/// What went wrong with all its causes, and what to do where that is known.
pub fn explain(error: &dyn StdError) -> String {
    explain_with(&error.to_string(), error.source())
}

/// The same of an error in other words than its own.
pub fn explain_with(said: &str, mut source: Option<&(dyn StdError + 'static)>) -> String {
    let mut text = said.to_owned();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    if text.contains("Permission denied") || text.contains("os error 13") {
        text.push_str("; run the agent as root or in the socket's group");
    }
    text
}

/// Labels as they are kept: so many, and none that is too long.
pub fn kept(labels: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let short = |(key, value): &(String, String)| key.len().saturating_add(value.len()) <= MAX_LABEL;
    labels.into_iter().filter(short).take(MAX_LABELS).collect()
}

/// A name as it is kept: `None` for an empty one, and for one longer than any that is allowed.
pub fn short(text: &str) -> Option<String> {
    const LONGEST: usize = 512;
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_socket_that_opens_is_taken() {
        let sockets = ["away", "refuses", "good", "other"].map(str::to_owned);
        let open = |socket: &str| match socket {
            "away" => Err(Error::NotFound("away".to_owned())),
            "refuses" => Err(Error::Failed("refuses".to_owned())),
            good => Ok(good.to_owned()),
        };
        assert_eq!(first(&sockets, open).expect("one"), "good");
        let why = |sockets: &[String]| first(sockets, open).expect_err("none").to_string();
        assert_eq!(why(&sockets[..2]), "refuses", "what is there says more than what is not");
        assert_eq!(why(&["away".to_owned(), "away".to_owned()]), "not found: away, away");
        assert_eq!(why(&[]), "not found: no socket is configured");
    }

    #[test]
    fn labels_are_bounded() {
        let long = ("long".to_owned(), "x".repeat(5000));
        let many = (0..1000).map(|place| (place.to_string(), String::new()));
        let kept = kept([long].into_iter().chain(many));
        assert_eq!((kept.len(), kept.contains_key("long")), (MAX_LABELS, false));
    }
}
