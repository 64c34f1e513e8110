use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::fleet::{GPUS, WORKLOADS, Workload};
use super::{Readings, minutes};
use crate::clock::Moment;
use crate::reading::Depth;
use crate::signal::Part::{Increase, Mean};
use crate::signal::container;

const MONDAY: i64 = 1_795_392_000;
const DAY: i64 = 86_400;

fn cell(row: &crate::frame::MinuteRow, key: &str, part: crate::signal::Part) -> f64 {
    row.summary.cell(container::id(key).column(part)).map_or(0.0, crate::metric::Number::as_f64)
}

#[test]
fn the_same_minute_is_the_same_whenever_it_is_played() {
    let minute = MONDAY + 14 * 3600;
    assert_eq!(minutes(minute), minutes(minute));
    assert_ne!(minutes(minute).0, minutes(minute + 60).0);
}

#[test]
fn fourteen_days_show_what_each_workload_is_there_for() {
    let (mut throttled, mut all, mut tags) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let of_workload = |workload: &'static Workload| {
        let kills = move |minute| workload.lives(minute).map(move |life| workload.kills(&life, minute)).sum::<u64>();
        (0..14 * 1440).map(|minute| MONDAY + minute * 60).map(kills).sum::<u64>()
    };
    let kills: u64 = WORKLOADS.iter().map(of_workload).sum();
    for minute in (0..14 * 1440).step_by(30).map(|minute| MONDAY + minute * 60) {
        for row in minutes(minute).0 {
            let name = row.identity.workload.as_ref().expect("a workload").name.clone();
            if cell(&row, "cpu.throttled_periods", Increase) > 60.0 {
                throttled.insert(name.clone());
            }
            if name == "housing" {
                tags.insert(row.identity.image_tag.clone());
            }
            all.insert(name);
        }
    }
    assert_eq!(all.len(), WORKLOADS.len(), "{all:?}");
    assert!((6..=7).contains(&kills), "every 52 hours: {kills}");
    assert_eq!(throttled, BTreeSet::from(["checkout".to_owned()]));
    assert!(tags.len() >= 3, "rollouts: {tags:?}");
}

#[test]
fn a_job_runs_in_its_hours_and_its_gpu_is_free_beside_them() {
    let running = |hour: i64| {
        let (containers, gpus, _) = minutes(MONDAY + DAY + hour * 3600);
        let trains = containers.iter().filter(|row| row.identity.pod_container.as_deref() == Some("train")).count();
        let held = gpus.iter().filter(|row| row.containers.as_ref().is_some_and(|held| !held.is_empty())).count();
        (trains, held)
    };
    assert_eq!((running(0), running(3), running(12)), ((0, 3), (1, 4), (0, 3)));
}

#[test]
fn counters_go_on_as_fast_as_cores_are_used() {
    let mut readings = Readings::default();
    let at = |second: i64| Moment {
        wall: Timestamp::from_second(MONDAY + 12 * 3600 + second).expect("a time"),
        monotonic: Duration::from_secs(second.unsigned_abs()),
    };
    let time = |report: &crate::reading::Report| {
        let reading = &report.containers.as_ref().expect("containers")[0];
        let time = reading.signals.values.number(container::id("cpu.time")).expect("a time");
        (reading.id.clone(), time.as_f64())
    };
    let first = time(&readings.read(at(0), Depth::Full));
    let report = readings.read(at(60), Depth::Full);
    let then = time(&report);
    assert_eq!(first.0, then.0);
    let cores = cell(&minutes(MONDAY + 12 * 3600 + 60).0[0], "cpu.usage", Mean);
    let counted = (then.1 - first.1) / 60.0;
    let counted = if counted > 1e6 { counted / 1e9 } else { counted };
    assert!((counted - cores).abs() < 1e-6, "{counted} {cores}");
    assert_eq!(report.gpus.map(|gpus| gpus.len()), Some(GPUS.len()));
}
