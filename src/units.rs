//! Amounts as people write them: read from the config (`10s`, `30d`), and shown (`0.25 cores`, `1.5 GiB`, `3 h`).

#![warn(clippy::arithmetic_side_effects)]

#[cfg(test)]
pub mod hostile;

use std::fmt::{self, Write as _};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

use crate::stats::whole;

/// No setting means more than ten years, a pebibyte or a thousand million of something; within that no sum or product of
/// two of them passes what numbers hold.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);
const LARGEST: u64 = 1 << 50;
const MOST: u64 = 1_000_000_000;

/// A duration above zero, ten years at most.
///
/// # Errors
/// The value is no duration, zero, or too long.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Text {
        expecting: "a duration such as \"10s\", \"5m\" or \"30d\", 3650d at most",
        parse: |text| parsed(text).filter(|duration| !duration.is_zero() && *duration <= LONGEST),
    })
}

/// A duration above zero where one is given.
///
/// # Errors
/// The value is no duration, or zero.
pub fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// A duration, which may be none at all (`0s`).
///
/// # Errors
/// The value is no duration.
pub fn duration_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Text {
        expecting: "a duration such as \"0s\", \"5m\" or \"1h\", 3650d at most",
        parse: parsed,
    })
}

fn parsed(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|duration| *duration <= LONGEST)
}

/// Milliseconds above zero, ten years at most, as variables of the environment give them.
#[must_use]
pub fn milliseconds(text: &str) -> Option<Duration> {
    let duration = text.trim().parse().ok().map(Duration::from_millis)?;
    Some(duration).filter(|duration| !duration.is_zero() && *duration <= LONGEST)
}

/// A count that a bound or a loop may be made of: a thousand million at most.
///
/// # Errors
/// The value is no whole number, or too large.
pub fn count<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let count = u64::deserialize(deserializer)?;
    let count = Some(count).filter(|count| *count <= MOST).and_then(|count| T::try_from(count).ok());
    count.ok_or_else(|| de::Error::custom(format_args!("must be {MOST} at most")))
}

/// A count where one is given.
///
/// # Errors
/// The value is no whole number, or too large.
pub fn some_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    count(deserializer).map(Some)
}

/// A number of bytes above zero.
///
/// # Errors
/// The value is no size, or zero.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    deserializer.deserialize_str(Text {
        expecting: "a size such as \"512 MiB\" or \"1 GB\", 1 PiB at most",
        parse: |text| text.parse().ok().filter(|size: &ByteSize| (1..=LARGEST).contains(&size.as_u64())),
    })
}

/// A text of a known form, and what to say where it has another.
struct Text<T> {
    expecting: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// Cores, to three digits behind the point below one and two above: `0.3 cores`. Millicores are for manifests alone: an `m` is
/// a minute elsewhere.
#[must_use]
pub fn cores(cores: f64) -> String {
    let rounded = if cores < 1.0 { (cores * 1e3).round() / 1e3 } else { (cores * 1e2).round() / 1e2 };
    if (rounded - 1.0).abs() < 1e-9 { "1 core".to_owned() } else { format!("{rounded} cores") }
}

/// Bytes in binary units.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (mut value, mut unit, mut decimals) = (bytes, "B", 0);
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value >= 1023.95 {
            (value, unit, decimals) = (value / 1024.0, larger, 1);
        }
    }
    format!("{value:.decimals$} {unit}")
}

/// Money as people round it: whole from a hundred on, two decimals below, and of less than a hundredth the two first digits.
#[must_use]
pub fn money(amount: f64, currency: &str) -> String {
    let sign = if amount < 0.0 { "-" } else { "" };
    let amount = amount.abs();
    let number = match amount {
        _ if amount >= 99.995 => grouped(whole::unsigned(amount.round())),
        // Beyond nine decimals there is no price.
        _ if (1e-8..0.00995).contains(&amount) => {
            // The first digit stands at this place, and one more is told.
            let second =
                [(0.000_995, 4), (0.000_099_5, 5), (0.000_009_95, 6)].into_iter().find(|(from, _)| amount >= *from);
            let decimals = second.map_or(9, |(_, decimals)| decimals);
            format!("{amount:.decimals$}")
        }
        _ => format!("{amount:.2}"),
    };
    match currency {
        "USD" => format!("{sign}${number}"),
        "EUR" => format!("{sign}{number} €"),
        _ => format!("{sign}{number} {currency}"),
    }
}

/// A count with a thin blank at each thousand.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let (head, mut rest) = digits.split_at(digits.len() % 3);
    let mut parts: Vec<&str> = Vec::from_iter((!head.is_empty()).then_some(head));
    while let Some((three, more)) = rest.split_at_checked(3) {
        parts.push(three);
        rest = more;
    }
    parts.join("\u{202f}")
}

/// Bytes in hex, two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A share as percent.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A span of time in its largest whole unit.
#[must_use]
pub fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// So many minutes as a span of time.
#[must_use]
pub fn minutes(count: u64) -> String {
    span(SignedDuration::from_secs(i64::try_from(count.saturating_mul(60)).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(
            [0.25, 0.9996, 1.5, 0.0, 0.1 + 0.2].map(cores),
            ["0.25 cores", "1 core", "1.5 cores", "0 cores", "0.3 cores"]
        );
        assert_eq!([bytes(512.0), bytes(1536.0), bytes(1_048_575.0)], ["512 B", "1.5 KiB", "1.0 MiB"]);
        assert_eq!(
            [money(3.2, "USD"), money(-1234.5, "EUR"), money(0.5, "CHF")],
            ["$3.20", "-1\u{202f}235 €", "0.50 CHF"]
        );
        assert_eq!(
            [123.456, 99.996, 99.99, 0.01, 0.0042, 0.000_123, 0.0].map(|amount| money(amount, "USD")),
            ["$123", "$100", "$99.99", "$0.01", "$0.0042", "$0.00012", "$0.00"]
        );
        assert_eq!([hex(&[0, 10, 255]), hex(&[])], ["000aff", ""]);
        assert_eq!([grouped(7), grouped(1_234_567)], ["7", "1\u{202f}234\u{202f}567"]);
        let seconds = |s| span(SignedDuration::from_secs(s));
        assert_eq!([seconds(-1), seconds(119), seconds(7199), seconds(86_400)], ["0 s", "119 s", "119 min", "24 h"]);
        assert_eq!([minutes(3), minutes(u64::MAX)], ["3 min", "106751991167300 d"]);
    }
}
