//! The demonstration's node, which is played: workloads and GPUs whose use is a pure function of time.
//!
//! So the fourteen days before a start and what is read after it are of one piece, and the same on every machine. What there is stands in
//! the tables of `fleet`, when a container runs in `life`; `minutes` makes rows of the history of it, `readings` what a collector reports.
//! The two models whose samples are replayed beside it are `agent::demo`'s.

mod alarms;
mod fleet;
mod life;
mod minutes;
mod readings;

use crate::stats::pick::scattered;

pub use alarms::{Alarm, alarms};
pub use fleet::NODE;
pub use minutes::minutes;
pub use readings::Readings;

/// A number of texts, the same on every machine (FNV-1a, scattered).
fn number_of(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    scattered(bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Between 0 and 1, by chance, but always the same of the same.
fn chance(of: u64, at: i64) -> f64 {
    let bits = scattered(of ^ scattered(at.cast_unsigned()));
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
