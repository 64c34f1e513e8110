use jiff::Timestamp;

use super::{Folding, MOST_SERIES, Query, Table, parse};
use crate::frame::{MinuteRow, RowIdentity, minute_frame};
use crate::metric::Number::{Float, Int};
use crate::minute::Summary;
use crate::signal::Part::{Increase, Last, Max, Mean};
use crate::signal::container::id;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_392_000 + minute * 60).expect("a time")
}

fn asked(text: &str) -> Result<Query, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    parse(&pairs, at(24 * 60))
}

fn row(minute: i64, container: &str, tag: &str, cores: Option<f64>, limit: f64, kills: u64) -> MinuteRow {
    let cells = [
        cores.map(|cores| (id("cpu.usage").column(Mean), Float(cores))),
        cores.map(|cores| (id("cpu.usage").column(Max), Float(2.0 * cores))),
        Some((id("cpu.limit").column(Last), Float(limit))),
        Some((id("memory.oom_kills").column(Increase), Int(kills))),
    ];
    let identity = RowIdentity {
        container_id: container.to_owned(),
        pod_container: Some("server".to_owned()),
        image_tag: Some(tag.to_owned()),
        ..RowIdentity::default()
    };
    MinuteRow { minute: at(minute), identity, summary: Summary::of(60, cells.into_iter().flatten()) }
}

fn folded(question: &str, hours: &[Vec<MinuteRow>]) -> super::Answer {
    let mut folding = Folding::new(asked(question).expect("a question"));
    for hour in hours {
        folding.take(&minute_frame(hour).expect("a frame")).expect("taken");
    }
    folding.answer(0)
}

const COLUMNS: &str = "table=container_minute&columns=cpu_usage_mean,cpu_usage_max,cpu_limit,oom_kills";

#[test]
fn a_step_is_made_as_its_minutes_are() {
    let hours = [
        vec![
            row(0, "a", "v1", Some(1.0), 4.0, 0),
            row(1, "a", "v1", Some(3.0), 4.0, 1),
            row(1, "b", "v1", Some(5.0), 2.0, 1),
        ],
        vec![row(5, "a", "v2", None, 8.0, 0), row(7, "a", "v2", Some(0.5), 8.0, 3)],
    ];
    let answer = folded(&format!("{COLUMNS}&since=24h&until=2026-11-23T00:15:00Z&step=5m&changes=image_tag"), &hours);
    assert_eq!((answer.since, answer.step_seconds, answer.series.len()), (at(0), 300, 1));
    let series = &answer.series[0];
    assert_eq!(series.column("cpu_usage_mean"), [Some(3.0), Some(0.5), None]);
    assert_eq!(series.column("cpu_usage_max"), [Some(10.0), Some(1.0), None]);
    assert_eq!(series.column("cpu_limit"), [Some(4.0), Some(8.0), None], "the last minute's, of two the larger");
    assert_eq!(series.column("oom_kills"), [Some(2.0), Some(3.0), None]);
    let changes: Vec<_> =
        series.changes.iter().map(|change| (change.at, change.value.as_str(), change.first)).collect();
    assert_eq!(changes, [(at(0), "v1", true), (at(5), "v2", false)]);
    assert!(answer.columns["oom_kills"].contains("killed"), "{:?}", answer.columns);
}

#[test]
fn a_total_is_what_all_rows_of_a_minute_are_together() {
    let hours = [
        vec![
            row(0, "a", "v1", Some(1.0), 4.0, 0),
            row(0, "b", "v1", Some(2.0), 4.0, 2),
            row(1, "a", "v1", Some(3.0), 4.0, 1),
        ],
        // Rows of another node come after, of minutes that were met before.
        vec![row(0, "c", "v1", Some(6.0), 2.0, 0), row(1, "c", "v1", None, 2.0, 0), row(7, "c", "v1", None, 2.0, 0)],
    ];
    let columns = "table=container_minute&columns=cpu_usage_mean,cpu_limit,oom_kills&since=24h&until=2026-11-23T00:15:00Z&step=5m";
    let series = folded(&format!("{columns}&total=true"), &hours).series.remove(0);
    assert_eq!(series.column("cpu_usage_mean"), [Some(6.0), None, None], "9 in the first minute, 3 in the second");
    assert_eq!(series.column("cpu_limit"), [Some(8.0), Some(2.0), None]);
    assert_eq!(series.column("oom_kills"), [Some(3.0), Some(0.0), None]);
    let each = folded(&format!("{columns}&total=false&by=container_id"), &hours);
    assert_eq!(each.series[0].column("cpu_usage_mean"), [Some(2.0), None, None]);
    let largest = asked("table=container_minute&columns=cpu_usage_max&total=true").expect_err("no sum");
    assert!(largest.contains("cpu_usage_max") && largest.contains("no sum"), "{largest}");
    assert!(asked("table=gpu_minute&columns=active&total=yes").expect_err("no word").contains("total: `yes`"));
}

#[test]
fn however_the_rows_are_cut_into_frames_the_answer_is_the_same() {
    let rows: Vec<MinuteRow> = (0..120)
        .flat_map(|minute| {
            let cores = Some(minute as f64 * 0.25).filter(|_| minute % 7 > 0);
            ["a", "b", "c"].map(|name| row(minute, name, if minute < 60 { "v1" } else { "v2" }, cores, 4.0, 0))
        })
        .collect();
    let question = format!("{COLUMNS}&since=24h&step=10m&by=container_id&changes=image_tag");
    let whole = folded(&question, std::slice::from_ref(&rows));
    for size in [1, 7, 100] {
        let parts: Vec<Vec<MinuteRow>> = rows.chunks(size).map(<[MinuteRow]>::to_vec).collect();
        assert_eq!(folded(&question, &parts), whole, "frames of {size} rows");
    }
}

#[test]
fn rows_are_told_apart_and_left_out_by_their_texts() {
    let hour = vec![
        row(0, "a", "v1", Some(1.0), 4.0, 0),
        row(0, "b", "v1", Some(2.0), 4.0, 0),
        row(0, "c", "v2", Some(9.0), 4.0, 0),
    ];
    let answer = folded("table=container_minute&columns=cpu_usage_mean&by=container_id&image_tag=v1&step=1h", &[hour]);
    let found: Vec<_> = answer
        .series
        .iter()
        .map(|series| (series.labels["container_id"].clone(), series.column("cpu_usage_mean")[0]))
        .collect();
    assert_eq!(found, [(Some("a".to_owned()), Some(1.0)), (Some("b".to_owned()), Some(2.0))]);
}

#[test]
fn series_are_bounded_and_it_is_said() {
    let hour: Vec<MinuteRow> =
        (0..MOST_SERIES + 5).map(|n| row(0, &format!("{n:03}"), "v1", Some(1.0), 1.0, 0)).collect();
    let answer = folded("table=container_minute&columns=cpu_usage_mean&by=container_id&step=1h", &[hour]);
    assert_eq!((answer.series.len(), answer.more_series), (MOST_SERIES, true));
}

#[test]
fn what_is_wrong_with_a_question_is_said_with_what_there_is() {
    for (question, told) in [
        ("", "table is missing; there are container_minute, gpu_minute, model_minute"),
        ("table=containers", "no table `containers`; there are container_minute"),
        ("table=gpu_minute", "columns is missing; gpu_minute has utilization_mean"),
        (
            "table=gpu_minute&columns=cpu_usage_mean",
            "gpu_minute has no number `cpu_usage_mean`; it has utilization_mean",
        ),
        ("table=gpu_minute&columns=power_mean&by=power_mean", "by: gpu_minute has no text `power_mean`; it has node"),
        ("table=gpu_minute&columns=power_mean&pod=x", "unknown parameter `pod`; there are table, columns"),
        ("table=gpu_minute&columns=power_mean&gpu=a&gpu=b", "gpu is given twice"),
        ("table=gpu_minute&columns=power_mean&since=yesterday", "since: `yesterday` is no duration"),
        ("table=gpu_minute&columns=power_mean&since=2026-13-01T00:00:00Z", "since: `2026-13-01T00:00:00Z` is no time"),
        ("table=gpu_minute&columns=power_mean&since=20y", "since: `20y` is more than ten years ago"),
        ("table=gpu_minute&columns=power_mean&since=1h&until=2h", "is not before until"),
        (
            "table=gpu_minute&columns=power_mean&since=30d&step=1m",
            "step: 43200 steps, 2000 at most; take 1800s or more",
        ),
        ("table=gpu_minute&columns=power_mean&step=10s", "step: `10s` is less than a minute"),
    ] {
        let error = asked(question).expect_err(question);
        assert!(error.contains(told), "{question}: {error}");
    }
}

#[test]
fn without_a_step_there_are_about_as_many_as_people_look_at() {
    for (since, step) in [("1h", 60), ("24h", 600), ("14d", 7200), ("365d", 172_800)] {
        let query = asked(&format!("table=container_minute&columns=cpu_usage_mean&since={since}")).expect("a question");
        assert_eq!((query.step, query.since.as_second() % step), (step, 0), "{since}");
        assert!(query.steps() <= 241, "{}", query.steps());
    }
    assert_eq!(asked("table=gpu_minute&columns=power_mean").expect("a question").table, Table::Gpus);
}

#[test]
fn lists_say_who_was_there_from_when_until_when() {
    use crate::frame::Row;
    use crate::frame::gpu::GpuRow;
    use crate::identity::{Device, Share};
    let row = |minute: i64, held: &[&str]| GpuRow {
        minute: at(minute),
        node: "n".to_owned(),
        device: Device { vendor: "nvidia", uuid: "GPU-1".to_owned() },
        parent: None,
        share: Share::Whole,
        index: 0,
        model: None,
        containers: Some(held.iter().map(|&id| id.to_owned()).collect()),
        summary: Summary::of(60, [(crate::signal::gpu::id("power").column(Mean), Float(100.0))]),
    };
    let rows = [row(0, &["a"]), row(1, &["a", "b"]), row(2, &["b"]), row(3, &[])];
    let mut folding =
        Folding::new(asked("table=gpu_minute&columns=power_mean&changes=containers&step=1h").expect("a question"));
    folding.take(&GpuRow::frame(&rows).expect("a frame")).expect("taken");
    let answer = folding.answer(0);
    let met: Vec<_> = answer.series[0].changes.iter().map(|c| (c.value.as_str(), c.at, c.last, c.first)).collect();
    assert_eq!(met, [("a", at(0), at(1), true), ("b", at(1), at(2), false)]);
    assert!(asked("table=gpu_minute&columns=power_mean&by=containers").is_err(), "a list tells no series apart");
}
