//! Memory: the peak, a margin above it; an OOM kill says that there was want.
//!
//! The peak plus 15 % is KRR's rule, and so is a quarter above the limit after an OOM kill. Kills count since the limit is what
//! it is, and for a week: else each raise would be followed by the next for kills of long ago.

use jiff::{SignedDuration, Timestamp};

use super::usage::Usage;
use super::{Change, Config, Provisioning, Resource, is_equal, is_less, is_more, no_request, not_enough};
use crate::units::bytes;

/// What an OOM kill adds to the limit.
const AFTER_OOM: f64 = 0.25;
/// A peak beyond this share of the limit is near it.
const NEAR_LIMIT: f64 = 0.9;
/// A kill of longer ago is no reason any longer.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Recommendations are whole steps of this, in bytes.
const STEP: f64 = 1_048_576.0;

pub fn assess(usage: &Usage, end: Timestamp, config: &Config, enough: bool) -> Resource {
    let (request, limit) = (usage.memory_request, usage.memory_limit);
    let requested = request.or(limit);
    let peak = usage.memory.max();
    let needed = peak.map(|peak| up(peak * (1.0 + config.memory_margin)));
    let recent = usage.last_oom.is_some_and(|at| end.duration_since(at) < REMEMBERED);
    if let (Some(limit), Some(kills)) = (limit, usage.oom_kills.filter(|kills| *kills > 0 && recent)) {
        let to = up((limit * (1.0 + AFTER_OOM)).max(needed.unwrap_or(0.0)));
        let times = if kills == 1 { "1 OOM kill".to_owned() } else { format!("{kills} OOM kills") };
        let raised = |request: f64| Change { from: Some(request), to };
        let reason = format!("{times} at a memory limit of {}; raise to {}", bytes(limit), bytes(to));
        return Resource {
            recommended: Some(to),
            provisioning: Provisioning::Under,
            evidence: true,
            request: request.filter(|request| *request < to).map(raised),
            limit: Some(Change { from: Some(limit), to }),
            ..Resource::unknown(requested, reason)
        };
    }
    let Some((peak, needed)) = peak.zip(needed).filter(|_| enough) else {
        let reason = if enough { "memory could not be read".to_owned() } else { not_enough(usage, config) };
        return Resource::unknown(requested, reason);
    };
    let near = limit.filter(|limit| peak > limit * NEAR_LIMIT && needed > *limit);
    if let Some(why) = no_request(usage, "memory").filter(|_| request.is_none() && near.is_none()) {
        return Resource {
            recommended: Some(needed),
            ..Resource::unknown(requested, format!("memory peak {}; {why}", bytes(peak)))
        };
    }
    let floor = config.min_memory.as_u64() as f64;
    let Some(ask) = requested else {
        let to = up(needed.max(floor));
        return Resource {
            recommended: Some(to),
            provisioning: Provisioning::Unset,
            request: Some(Change { from: None, to }),
            ..Resource::unknown(
                requested,
                format!("memory peak {}, with no request and no limit; request {}", bytes(peak), bytes(to)),
            )
        };
    };
    // The floor keeps from lowering; it raises nobody.
    let needed = needed.max(up(ask.min(floor)));
    let word = if request.is_some() { "request" } else { "limit" };
    let (provisioning, reason) = if let Some(limit) = near {
        let share = peak / limit * 100.0;
        (
            Provisioning::Under,
            format!(
                "memory peak {}, {share:.1} % of its limit of {}; raise to {}",
                bytes(peak),
                bytes(limit),
                bytes(needed)
            ),
        )
    } else if is_less(needed, ask, config) {
        (
            Provisioning::Over,
            format!("memory peak {}, of a {word} of {}; lower to {}", bytes(peak), bytes(ask), bytes(needed)),
        )
    } else if is_more(needed, ask, config) {
        (
            Provisioning::Under,
            format!("memory peak {}, of a {word} of {}; raise to {}", bytes(peak), bytes(ask), bytes(needed)),
        )
    } else {
        (Provisioning::Fits, format!("memory peak {}, of a {word} of {}", bytes(peak), bytes(ask)))
    };
    let changes = provisioning != Provisioning::Fits;
    let change = |from: f64| Change { from: Some(from), to: needed };
    let limit_changes = match (request, limit) {
        (None, Some(_)) => true,
        // Equal ones are meant to be (Guaranteed in Kubernetes); else the limit stays unless it is too near.
        (Some(request), Some(limit)) => is_equal(request, limit) || needed > limit,
        _ => false,
    };
    Resource {
        recommended: Some(if changes { needed } else { ask }),
        provisioning,
        request: request
            .filter(|request| changes && (is_less(needed, *request, config) || needed > *request))
            .map(change),
        limit: limit.filter(|_| changes && limit_changes).map(change),
        ..Resource::unknown(requested, reason)
    }
}

fn up(value: f64) -> f64 {
    (value / STEP).ceil() * STEP
}
