//! CPU: the percentile of what was used, a margin above it; throttling says that there was want.
//!
//! - The percentile over minutes of the minute's 95th percentile, plus 15 %: the Vertical Pod Autoscaler's margin, and KRR's
//!   percentile, though of seconds, so that spikes below a scrape's interval count.
//! - Throttled: more than a quarter of the enforcement periods (kubernetes-mixin's `CPUThrottlingHigh`), in a tenth of the
//!   minutes at least (GKE's measure of under-provisioned).

use super::usage::Usage;
use super::{Change, Config, Provisioning, Resource, is_equal, is_less, is_more, no_request, not_enough};
use crate::units::cores;

/// The workload is throttled when this share of its minutes is.
const THROTTLED_MINUTES: f64 = 0.1;
/// Recommendations are whole steps of this, in cores.
const STEP: f64 = 0.01;

pub fn assess(usage: &Usage, config: &Config, enough: bool) -> Resource {
    let requested = usage.cpu_request.or(usage.cpu_limit);
    let p95 = usage.cpu.quantile(config.cpu_percentile);
    let Some(p95) = p95.filter(|_| enough) else {
        let reason = if enough { "CPU could not be read".to_owned() } else { not_enough(usage, config) };
        return Resource::unknown(requested, reason);
    };
    let max = usage.cpu_max.unwrap_or(p95);
    let needed = up(p95 * (1.0 + config.cpu_margin), STEP).max(config.min_cpu);
    if let (Some(limit), Some(throttled)) = (usage.cpu_limit, throttled(usage)) {
        // Demand beyond the limit cannot be seen, so this is a step on the way: what was denied is added.
        let to = up(needed.max(limit) * (1.0 + throttled), STEP);
        let share = throttled * 100.0;
        // Equal ones are meant to be (Guaranteed in Kubernetes); and want is no reason to ask for less.
        let of_request = |request: f64| if is_equal(request, limit) { to } else { needed.max(request) };
        let reason = format!(
            "CPU throttled in {share:.1} % of periods at {}; raise to {}, then review: a limit hides the demand above it",
            cores(limit),
            cores(to)
        );
        return Resource {
            recommended: Some(usage.cpu_request.map_or(to, of_request)),
            provisioning: Provisioning::Under,
            evidence: true,
            request: usage
                .cpu_request
                .map(|request| Change { from: Some(request), to: of_request(request) })
                .filter(|change| change.from.is_some_and(|from| is_more(change.to, from, config))),
            limit: Some(Change { from: Some(limit), to }),
            ..Resource::unknown(requested, reason)
        };
    }
    let used = format!("CPU p95 {}, peak {}", cores(p95), cores(max));
    if let Some(why) = no_request(usage, "cpu").filter(|_| usage.cpu_request.is_none()) {
        return Resource { recommended: Some(needed), ..Resource::unknown(requested, format!("{used}; {why}")) };
    }
    let Some(ask) = requested else {
        return Resource {
            recommended: Some(needed),
            provisioning: Provisioning::Unset,
            request: Some(Change { from: None, to: needed }),
            ..Resource::unknown(requested, format!("{used}, with no request and no limit; request {}", cores(needed)))
        };
    };
    let word = if usage.cpu_request.is_some() { "request" } else { "limit" };
    let (provisioning, reason) = if is_less(needed, ask, config) {
        (Provisioning::Over, format!("{used}, of a {word} of {}; lower to {}", cores(ask), cores(needed)))
    } else if is_more(needed, ask, config) {
        (Provisioning::Under, format!("{used}, of a {word} of {}; raise to {}", cores(ask), cores(needed)))
    } else {
        (Provisioning::Fits, format!("{used}, of a {word} of {}", cores(ask)))
    };
    let changes = provisioning != Provisioning::Fits;
    let change = |from: f64| Change { from: Some(from), to: needed };
    // A limit beside a request is a ceiling for peaks, and stays unless the request outgrows it.
    let limit = match (usage.cpu_request, usage.cpu_limit) {
        (None, Some(limit)) => Some(limit),
        (Some(request), Some(limit)) if needed > limit || is_equal(request, limit) => Some(limit),
        _ => None,
    };
    Resource {
        recommended: Some(if changes { needed } else { ask }),
        provisioning,
        request: usage.cpu_request.filter(|_| changes).map(change),
        limit: limit.filter(|_| changes).map(change),
        ..Resource::unknown(requested, reason)
    }
}

/// The share of throttled periods, where that is too much.
fn throttled(usage: &Usage) -> Option<f64> {
    let often = usage.throttled_minutes as f64 >= THROTTLED_MINUTES * usage.limited_minutes as f64;
    usage.throttled().filter(|_| often && usage.throttled_minutes > 0)
}

/// The next whole step.
fn up(value: f64, step: f64) -> f64 {
    // A value that is a whole step but for rounding stays.
    let steps = (value / step - 1e-6).ceil().max(1.0);
    (steps * step * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::up;

    #[test]
    fn steps_go_up_and_are_written_short() {
        assert_eq!([up(0.115, 0.01), up(0.12, 0.01), up(0.0, 0.01)].map(|v| v.to_string()), ["0.12", "0.12", "0.01"]);
        assert_eq!([up(0.07, 0.01), up(0.07 * 3.0, 0.01)].map(|v| v.to_string()), ["0.07", "0.21"]);
    }
}
