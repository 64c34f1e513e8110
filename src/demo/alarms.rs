//! What alerts the played node would have had: throttling beyond its limit, and memory that ended.

use std::collections::BTreeMap;

use super::fleet::{Runs, WORKLOADS, Workload};
use super::life::Life;
use crate::metric::attribute::{CONTAINER_NAME, CRON_JOB, DEPLOYMENT, NAMESPACE, Named, POD_CONTAINER, STATEFUL_SET};

/// So often it is looked, in seconds.
const EVERY: i64 = 300;
/// As the rules that come with the agent have it: a share of periods, where it clears, and for how long it must last.
const THROTTLED: (f64, f64, i64) = (0.25, 0.2, 900);
/// Kills are counted over so many seconds.
const KILLED: i64 = 600;

/// An alert that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The rule's name.
    pub rule: &'static str,
    /// The pod that it was, which may be gone by now.
    pub pod: String,
    /// Whom it is about: what stays with its workload.
    pub labels: BTreeMap<String, String>,
    /// The value farthest beyond the threshold.
    pub worst: f64,
    /// When it fired, in seconds since the epoch.
    pub fired: i64,
    /// When it was over.
    pub over: i64,
}

/// Those that fired and were over between two seconds, the newest first.
#[must_use]
pub fn alarms(from: i64, to: i64) -> Vec<Alarm> {
    let mut all: Vec<Alarm> = WORKLOADS
        .iter()
        .flat_map(|workload| workload.throttled(from, to).into_iter().chain(workload.killed(from, to)))
        .filter(|alarm| alarm.fired >= from && alarm.over <= to)
        .collect();
    all.sort_by_key(|alarm| std::cmp::Reverse((alarm.over, alarm.fired)));
    all
}

impl Workload {
    fn labels(&self) -> BTreeMap<String, String> {
        let owner: Option<&Named> = match self.kind {
            "Deployment" => Some(&DEPLOYMENT),
            "StatefulSet" => Some(&STATEFUL_SET),
            "CronJob" => Some(&CRON_JOB),
            _ => None,
        };
        let all = [
            (Some(&CONTAINER_NAME), self.container),
            (Some(&NAMESPACE), self.namespace),
            (Some(&POD_CONTAINER), self.container),
            (owner, self.name),
        ];
        all.into_iter().filter_map(|(named, value)| Some((named?.key.to_owned(), value.to_owned()))).collect()
    }

    fn throttled(&self, from: i64, to: i64) -> Vec<Alarm> {
        let (above, clear, hold) = THROTTLED;
        let mut found = Vec::new();
        // When it was met first, and the worst since.
        let mut open: Option<(i64, f64)> = None;
        for second in (from..to).step_by(usize::try_from(EVERY).unwrap_or(300)) {
            // Of its replicas the first speaks.
            let first: Option<Life> = self.lives(second).next();
            let share = first.map_or(0.0, |life| self.cores(&life, second).1);
            open = match open {
                None if share > above => Some((second, share)),
                Some((met, worst)) if share >= clear => Some((met, worst.max(share))),
                Some((met, worst)) => {
                    let fired = met.saturating_add(hold);
                    if let Some(life) = first.filter(|_| fired < second) {
                        let (pod, labels) = (self.pod(&life), self.labels());
                        found.push(Alarm { rule: "ContainerThrottled", pod, labels, worst, fired, over: second });
                    }
                    None
                }
                None => None,
            };
        }
        found
    }

    fn killed(&self, from: i64, to: i64) -> Vec<Alarm> {
        let Runs::UntilMemoryEnds { hours } = self.runs else { return Vec::new() };
        let mut found = Vec::new();
        let mut second = from;
        while let Some(life) = self.lives(second).next() {
            let end = life.began.saturating_add(hours.saturating_mul(3600));
            if end >= to {
                break;
            }
            let (pod, labels, over) = (self.pod(&life), self.labels(), end.saturating_add(KILLED));
            found.push(Alarm { rule: "ContainerOomKilled", pod, labels, worst: 1.0, fired: end, over });
            second = end.saturating_add(1);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_weeks_have_alarms_of_what_is_wrong_and_of_nothing_else() {
        let (from, to) = (1_795_392_000, 1_795_392_000 + 14 * 86_400);
        let all = alarms(from, to);
        let of = |rule: &str, name: &str| {
            all.iter().filter(|alarm| alarm.rule == rule && alarm.labels.values().any(|value| value == name)).count()
        };
        assert!((5..60).contains(&of("ContainerThrottled", "checkout")), "{all:?}");
        assert!((5..8).contains(&of("ContainerOomKilled", "recommender")), "{all:?}");
        assert_eq!(
            all.len(),
            of("ContainerThrottled", "checkout") + of("ContainerOomKilled", "recommender"),
            "{all:?}"
        );
        assert!(all.iter().all(|alarm| from <= alarm.fired && alarm.fired < alarm.over && alarm.over <= to));
        assert!(all.is_sorted_by(|a, b| a.over >= b.over));
        let throttled = all.iter().filter(|alarm| alarm.rule == "ContainerThrottled");
        assert!(throttled.clone().all(|alarm| alarm.worst > 0.25 && alarm.worst < 0.9));
    }
}
