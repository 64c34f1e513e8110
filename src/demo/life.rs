//! When the containers of a workload run, who they are, and what they use in a minute.

use super::fleet::{Load, Runs, Workload};
use super::{chance, number_of};
use crate::stats::whole;
use crate::units::hex;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// One run of a container of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Which of the pods.
    pub replica: u32,
    /// Which version of the workload.
    pub version: i64,
    /// How often it was begun anew in its pod.
    pub restarts: i64,
    /// When this run began, in seconds since the epoch.
    pub began: i64,
}

impl Life {
    /// The tag of its image.
    pub fn tag(&self) -> String {
        format!("v2.{}.0", self.version.rem_euclid(100))
    }
}

impl Load {
    /// How much it is at a second.
    pub fn at(&self, who: u64, second: i64) -> f64 {
        let hour = second.rem_euclid(DAY) as f64 / HOUR as f64;
        let curve = f64::midpoint(1.0, ((hour - self.peak) / 24.0 * std::f64::consts::TAU).cos()).powf(1.6);
        // The epoch began on a Thursday.
        let is_weekend = matches!(second.div_euclid(DAY).rem_euclid(7), 2 | 3);
        let day = if is_weekend { self.weekend } else { 1.0 };
        // No two days are alike, nor two minutes.
        let of_day = 0.88 + 0.24 * chance(who, second.div_euclid(DAY));
        let of_minute = 1.0 + self.noise * (2.0 * chance(who ^ 1, second.div_euclid(MINUTE)) - 1.0);
        (self.low + (self.high - self.low) * curve * day * of_day) * of_minute
    }
}

/// How often something of a period has happened, with a beginning of its own.
fn periods(who: u64, second: i64, period: i64) -> (i64, i64) {
    let begin = whole::signed(chance(who, -1) * period as f64);
    let number = second.saturating_sub(begin).div_euclid(period);
    (number, number.saturating_mul(period).saturating_add(begin))
}

impl Workload {
    /// A number of its own.
    pub fn number(&self) -> u64 {
        number_of(&[self.namespace, self.name])
    }

    /// The runs that go on at a second.
    pub fn lives(&self, second: i64) -> impl Iterator<Item = Life> {
        let of_pod = |version, restarts, began| Some((version, restarts, began));
        let found = match self.runs {
            Runs::Always { rollout_days } => {
                let (version, began) = periods(self.number(), second, rollout_days.saturating_mul(DAY));
                of_pod(version, 0, began)
            }
            Runs::Between { from, to } => {
                let (day, hour) = (second.div_euclid(DAY), second.rem_euclid(DAY).div_euclid(HOUR));
                let began = day.saturating_mul(DAY).saturating_add(from.saturating_mul(HOUR));
                of_pod(day, 0, began).filter(|_| (from..to).contains(&hour))
            }
            Runs::UntilMemoryEnds { hours } => {
                let (restarts, began) = periods(self.number(), second, hours.saturating_mul(HOUR));
                of_pod(0, restarts, began)
            }
        };
        found.into_iter().flat_map(|(version, restarts, began)| {
            (0..self.replicas).map(move |replica| Life { replica, version, restarts, began })
        })
    }

    /// The pod's own number.
    fn pod_number(&self, life: &Life) -> u64 {
        number_of(&[self.namespace, self.name, &life.replica.to_string(), &life.version.to_string()])
    }

    /// 64 hex digits.
    pub fn container_id(&self, life: &Life) -> String {
        let number = number_of(&[&self.pod_number(life).to_string(), &life.restarts.to_string()]);
        let parts = (0..4).map(|part| number_of(&[&number.to_string(), &part.to_string()]));
        hex(&parts.flat_map(u64::to_be_bytes).collect::<Vec<u8>>())
    }

    /// As a controller of its kind names pods.
    pub fn pod(&self, life: &Life) -> String {
        let (name, version, number) = (self.name, life.version, self.pod_number(life));
        match self.kind {
            "StatefulSet" => format!("{name}-{}", life.replica),
            "CronJob" => format!("{name}-{:08}-{:05x}", version.saturating_mul(1440), number & 0xf_ffff),
            "DaemonSet" => format!("{name}-{:05x}", number & 0xf_ffff),
            _ => {
                let set = number_of(&[name, &version.to_string()]);
                format!("{name}-{:08x}-{:05x}", set >> 32, number & 0xf_ffff)
            }
        }
    }

    /// The pod's UID.
    pub fn pod_uid(&self, life: &Life) -> String {
        let number = self.pod_number(life);
        let (one, two, three, four) =
            (number >> 32, (number >> 16) & 0xffff, number & 0xfff, number_of(&[self.name]) >> 16);
        format!("{one:08x}-{two:04x}-4{three:03x}-8000-{four:012x}")
    }

    /// Cores used, and the share of periods in which it was throttled.
    pub fn cores(&self, life: &Life, second: i64) -> (f64, f64) {
        let who = self.number() ^ u64::from(life.replica);
        let wanted = self.cpu.at(who, second);
        match self.cpu_limit {
            // Bursts within a minute meet the limit before its mean does.
            Some(limit) if wanted > 0.6 * limit => (wanted.min(limit), (0.55 * (wanted / limit - 0.6)).clamp(0.0, 0.9)),
            _ => (wanted, 0.0),
        }
    }

    /// Bytes of its working set.
    pub fn working_set(&self, life: &Life, second: i64) -> u64 {
        let who = self.number() ^ u64::from(life.replica).wrapping_add(77);
        let used = self.memory.at(who, second);
        let grown = match (self.runs, self.memory_limit) {
            (Runs::UntilMemoryEnds { hours }, Some(limit)) => {
                let age = second.saturating_sub(life.began) as f64 / hours.saturating_mul(HOUR) as f64;
                (limit as f64 - self.memory.low) * age.clamp(0.0, 1.0)
            }
            _ => 0.0,
        };
        whole::unsigned(used + grown).min(self.memory_limit.unwrap_or(u64::MAX))
    }

    /// Processes that were killed for want of memory in this minute.
    pub fn kills(&self, life: &Life, minute: i64) -> u64 {
        let end = match self.runs {
            Runs::UntilMemoryEnds { hours } => life.began.saturating_add(hours.saturating_mul(HOUR)),
            _ => return 0,
        };
        u64::from((minute..minute.saturating_add(MINUTE)).contains(&end.saturating_sub(1)))
    }
}
