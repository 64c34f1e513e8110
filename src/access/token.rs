//! Tokens and what each may do. Pure, but for where fresh ones come from.
//!
//! A token is held as its SHA-256 alone and compared so in constant time: neither memory, nor a log, nor how long an answer takes
//! tells one.

use std::collections::BTreeSet;
use std::fmt;

use rustls::crypto::ring::default_provider;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::pattern::Pattern;
use crate::identity::ModelKey;

/// Shorter ones could be guessed.
const SHORTEST: usize = 16;
/// Longer ones would not fit into a header.
const LONGEST: usize = 4096;
/// Tokens of a file.
const MOST: usize = 1000;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// See the page, the API, metrics.
    Read,
    /// Send samples, labels and references.
    Write,
    /// Describe models, and remove them.
    Describe,
}

impl Right {
    /// As the file of tokens has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Describe => "describe",
        }
    }
}

/// A token's SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a token as it was sent.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The same, told in a time that does not depend on either.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A token: who has it, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Who has it, as the log and answers call it.
    pub name: String,
    digest: Digest,
    may: BTreeSet<Right>,
    /// The models it is for; `None` for all, and for what is of no model.
    models: Option<Vec<Pattern>>,
}

impl Token {
    /// It may do this with the model; with `None` as the model, with the agent as a whole.
    #[must_use]
    pub fn may(&self, right: Right, model: Option<&ModelKey>) -> bool {
        self.may.contains(&right) && self.is_for(model)
    }

    /// It is for the model; with `None`, for all of them.
    fn is_for(&self, model: Option<&ModelKey>) -> bool {
        match (&self.models, model) {
            (None, _) => true,
            (Some(patterns), Some(model)) => patterns.iter().any(|pattern| pattern.is(model)),
            (Some(_), None) => false,
        }
    }

    /// It may do this with some model at least.
    #[must_use]
    pub fn has(&self, right: Right) -> bool {
        self.may.contains(&right)
    }

    /// What it is told by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// All tokens of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    token: Option<Secret>,
    #[serde(default)]
    sha256: Option<String>,
    may: BTreeSet<Right>,
    #[serde(default)]
    models: Option<Vec<String>>,
}

/// A text that no message repeats.
#[derive(Deserialize)]
struct Secret(String);

impl Tokens {
    /// The tokens of a file's text.
    ///
    /// # Errors
    /// What is wrong and with which token, without any token.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The error's own text would show the line, and so the token.
        let told = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.get(..at).unwrap_or_default().matches('\n').count().saturating_add(1);
            format!("line {line}: {}", without_values(error.message()))
        };
        let file: File = toml::from_str(text).map_err(told)?;
        if file.token.is_empty() {
            return Err("has no token; write [[token]] with name, token and may = [\"read\"]".to_owned());
        }
        if file.token.len() > MOST {
            return Err(format!("has {} tokens; {MOST} at most", file.token.len()));
        }
        let mut tokens: Vec<Token> = Vec::new();
        for written in file.token {
            let name = written.name.clone();
            let token = written.checked().map_err(|message| format!("token `{name}`: {message}"))?;
            if tokens.iter().any(|other| other.name == token.name) {
                return Err(format!("token `{name}`: is there twice; give each a name of its own"));
            }
            if let Some(other) = tokens.iter().find(|other| other.digest == token.digest) {
                return Err(format!("token `{name}`: is the same as `{}`; make another", other.name));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// The token of this digest. Each is looked at, whichever it is.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<&Token> {
        self.0.iter().fold(None, |found, token| if token.digest.is(digest) { Some(token) } else { found })
    }
}

impl Written {
    fn checked(self) -> Result<Token, String> {
        if self.name.is_empty() || self.name.len() > 100 || self.name.chars().any(char::is_control) {
            return Err("needs a name of 1 to 100 characters".to_owned());
        }
        let digest = match (self.token, self.sha256) {
            (Some(Secret(token)), None) => {
                let is_sent_as_it_is = token.bytes().all(|byte| byte.is_ascii_graphic());
                if token.len() < SHORTEST || token.len() > LONGEST || !is_sent_as_it_is {
                    return Err(format!(
                        "must be {SHORTEST} to {LONGEST} characters of ASCII without spaces; `plumbline tokens` makes some"
                    ));
                }
                Digest::of(token.as_bytes())
            }
            (None, Some(hex)) => Digest::parse(&hex).ok_or("sha256 is none; write its 64 hex digits")?,
            (Some(_), Some(_)) => return Err("has both token and sha256; leave one out".to_owned()),
            (None, None) => return Err("has neither token nor sha256".to_owned()),
        };
        if self.may.is_empty() {
            return Err("may do nothing; write may = [\"read\"], or \"write\", \"describe\"".to_owned());
        }
        let patterns =
            |texts: Vec<String>| texts.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>();
        let models = self.models.map(patterns).transpose()?;
        if models.as_ref().is_some_and(Vec::is_empty) {
            return Err("models is empty; leave it out for all models".to_owned());
        }
        Ok(Token { name: self.name, digest, may: self.may, models })
    }
}

/// serde repeats a value of another type, which may be a token that was written wrong.
fn without_values(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    match (message.split_once(": "), message.split_once(", expected ")) {
        (Some((what @ ("invalid type" | "invalid value"), _)), Some((_, expected))) => {
            format!("{what}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

/// A token that nobody can guess: 256 bits, as hex digits.
///
/// # Errors
/// The system has no random numbers.
pub fn fresh() -> Result<String, String> {
    let mut bytes = [0; 32];
    let none = |_| "the system gives no random numbers".to_owned();
    default_provider().secure_random.fill(&mut bytes).map_err(none)?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[[token]]
name = "serving"
token = "0123456789abcdef"
may = ["write"]
models = ["shop/*", "churn"]

[[token]]
name = "anna"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
may = ["read", "describe"]
"#;

    fn tokens() -> Tokens {
        Tokens::parse(FILE).expect("tokens")
    }

    #[test]
    fn each_token_may_do_what_is_written() {
        let tokens = tokens();
        let serving = tokens.find(&Digest::of(b"0123456789abcdef")).expect("known");
        let anna = tokens.find(&Digest::of(b"test")).expect("by its digest");
        assert_eq!((serving.name.as_str(), anna.name.as_str()), ("serving", "anna"));
        let (churn, fraud) = (ModelKey::named("churn"), ModelKey::named("fraud"));
        assert!(
            serving.may(Right::Write, Some(&churn)) && serving.may(Right::Write, Some(&ModelKey::within("shop", "x")))
        );
        assert!(!serving.may(Right::Write, Some(&fraud)) && !serving.may(Right::Read, Some(&churn)));
        assert!(!serving.may(Right::Write, None), "it is for some models alone");
        assert!(
            anna.may(Right::Read, None) && anna.may(Right::Describe, Some(&fraud)) && !anna.may(Right::Write, None)
        );
        for other in [&b"0123456789abcdeF"[..], b"", b"0123456789abcdef0", b"anna"] {
            assert_eq!(tokens.find(&Digest::of(other)), None);
        }
    }

    #[test]
    fn nothing_tells_a_token() {
        let shown = format!("{:?}", tokens());
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("9f86"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_told_by_name() {
        let with = |lines: &str| Tokens::parse(&format!("[[token]]\n{lines}")).expect_err(lines);
        for (lines, expected) in [
            ("name = \"a\"\ntoken = \"short\"\nmay = [\"read\"]", "`a`: must be 16"),
            ("name = \"a\"\ntoken = \"has spaces in it somewhere\"\nmay = [\"read\"]", "without spaces"),
            ("name = \"a\"\nmay = [\"read\"]", "neither"),
            ("name = \"a\"\nsha256 = \"12\"\nmay = [\"read\"]", "64 hex digits"),
            ("name = \"a\"\ntoken = \"0123456789abcdef\"\nmay = []", "may do nothing"),
            ("name = \"a\"\ntoken = \"0123456789abcdef\"\nmay = [\"all\"]", "line 4"),
            ("name = \"a\"\ntoken = \"0123456789abcdef\"\nmay = [\"read\"]\nmodels = []", "models is empty"),
            ("name = \"a\"\ntoken = \"0123456789abcdef\"\nmay = [\"read\"]\nmodels = [\"a/b/c\"]", "no model"),
            ("name = \"\"\ntoken = \"0123456789abcdef\"\nmay = [\"read\"]", "needs a name"),
            ("name = \"a\"\ntoken = \"0123456789abcdef\"\nmay = [\"read\"]\nmodel = \"x\"", "unknown field"),
            ("name = \"a\"\ntoken = 1234567890123456\nmay = [\"read\"]", "line 3: invalid type, expected a string"),
        ] {
            let why = with(lines);
            assert!(why.contains(expected), "{lines}: {why}");
        }
        assert!(Tokens::parse("").expect_err("none").contains("has no token"));
        let twice = format!("{FILE}{FILE}");
        assert!(Tokens::parse(&twice).expect_err("twice").contains("twice"));
        let again = FILE.replace("anna", "otto");
        let again = format!("{FILE}{}", again.split("\n\n").nth(1).unwrap_or_default());
        assert!(Tokens::parse(&again).expect_err("the same").contains("the same as `anna`"));
    }

    #[test]
    fn fresh_tokens_are_tokens_and_differ() {
        let (one, other) = (fresh().expect("random"), fresh().expect("random"));
        assert_ne!(one, other);
        assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
