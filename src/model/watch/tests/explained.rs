//! What moved it, of the newest window that asks for it.

use fastrand::Rng;

use super::*;
use crate::model::view::{Because, Explained};

const ROWS: u32 = 3000;

/// Rows of an hour whose scores are the chances of their labels, but for the north's, of which so many labels are turned. `hard` is the
/// share of inputs of which the model knows little.
fn rows(seed: u64, hour: i64, turned: f64, hard: f64) -> (Vec<String>, Vec<String>) {
    let mut random = Rng::with_seed(seed);
    let row = |at: u32, random: &mut Rng| {
        let x = if random.f64() < hard { 0.4 + 0.2 * random.f64() } else { [0.05, 0.95][usize::from(random.bool())] };
        let region = ["north", "south"][usize::from(random.bool())];
        let turned = region == "north" && random.f64() < turned;
        let (label, prediction) = (u8::from((random.f64() < x) != turned), u8::from(x >= 0.5));
        let time = hour * HOUR + i64::from(at) * (HOUR / i64::from(ROWS));
        let sample = format!(
            "{{\"id\": \"{hour}-{at}\", \"timestamp\": {time}, \"prediction\": {prediction}, \"score\": {x}, \"x\": {x}, \
             \"region\": \"{region}\", \"noise\": {}}}",
            random.f64()
        );
        (sample, format!("{{\"id\": \"{hour}-{at}\", \"label\": {label}}}"))
    };
    (0..ROWS).map(|at| row(at, &mut random)).unzip()
}

fn labelled((samples, labels): &(Vec<String>, Vec<String>)) -> Vec<String> {
    let joined = |(sample, label): (&String, &String)| {
        let label = label.rsplit(": ").next().expect("a label");
        format!("{}, \"label\": {label}", &sample[..sample.len() - 1])
    };
    samples.iter().zip(labels).map(joined).collect()
}

fn begun() -> Watch {
    let horizon = Duration::from_secs(30 * 86_400);
    let mut watch = watch(Spec { min_rows: 200, label_horizon: horizon, ..spec() });
    refer(&mut watch, &labelled(&rows(1, 0, 0.0, 0.2)));
    watch
}

fn explained(watch: &Watch) -> Option<Explained> {
    watch.view(now()).moved
}

#[test]
fn another_relation_is_told_once_labels_have_come() {
    let mut watch = begun();
    let (samples, truth) = rows(2, 1, 0.5, 0.2);
    take(&mut watch, &samples);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    assert!(explained(&watch).is_none(), "nothing says yet that it does worse");
    labels(&mut watch, &truth[..400]);
    judge_all(&mut watch, 100);
    let early = explained(&watch).expect("it does worse");
    assert_eq!(early.because, Because::Performance);
    let error = |of: &Explained| of.moved.as_ref().and_then(|moved| moved.error.clone()).expect("errors");
    assert_eq!(error(&early).rows[1], 400);
    // A few labels more are not worth another look, as many again are.
    labels(&mut watch, &truth[400..500]);
    judge_all(&mut watch, 200);
    assert_eq!(error(&explained(&watch).expect("it stays")).rows[1], 400);
    labels(&mut watch, &truth[500..]);
    judge_all(&mut watch, 300);
    let found = explained(&watch).expect("it stays");
    let error = error(&found);
    assert_eq!(error.rows, [u64::from(ROWS); 2]);
    let found = error.found.as_ref().expect("rows enough");
    assert!(found.split.another_relation.is_some_and(|part| part.told && part.change.value > 0.1), "{found:?}");
    assert!(found.split.other_inputs.is_none_or(|part| !part.told), "{found:?}");
    assert_eq!(found.relation.first().map(|lead| lead.feature.as_str()), Some("region"), "{found:?}");
}

#[test]
fn other_inputs_are_told_before_labels_come() {
    let mut watch = begun();
    take(&mut watch, &rows(3, 1, 0.0, 0.2).0);
    take(&mut watch, &rows(4, 2, 0.0, 0.9).0);
    take(&mut watch, &hour(5, 1, 0));
    judge_all(&mut watch, 0);
    let found = explained(&watch).expect("it is estimated to do worse");
    let of = watch.progress.results.values().nth(1).expect("a window");
    assert_eq!((found.because, found.start, found.end), (Because::Estimate, of.start, of.end));
    let moved = found.moved.as_ref().expect("rows of the reference");
    assert!(moved.error.is_none() && moved.prediction.is_some(), "{moved:?}");
    // Windows that are well leave it in its place; another reference does not.
    take(&mut watch, &rows(5, 6, 0.0, 0.2).0);
    take(&mut watch, &hour(9, 1, 0));
    judge_all(&mut watch, 100);
    assert_eq!(explained(&watch).as_ref(), Some(&found));
    refer(&mut watch, &labelled(&rows(6, 0, 0.0, 0.9)));
    assert!(explained(&watch).is_none());
}

/// What is kept of a reference is bounded, and is what the model was given and said, and what was true.
#[test]
fn rows_of_the_reference_are_kept_within_bounds() {
    let watch = begun();
    let kept = watch.reference.as_ref().and_then(|reference| reference.kept.as_ref()).expect("rows");
    let mut names: Vec<&str> = kept.columns().iter().map(|column| column.name().as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["label", "noise", "prediction", "region", "score", "x"]);
    assert_eq!(kept.height() as u64, u64::from(ROWS));
    let mut wide = begun();
    let row = |at: usize| {
        let cells: Vec<String> = (0..80).map(|column| format!("\"f{column}\": {at}")).collect();
        format!("{{\"prediction\": {}, {}}}", at % 2, cells.join(", "))
    };
    refer(&mut wide, &(0..5000).map(row).collect::<Vec<_>>());
    let kept = wide.reference.as_ref().and_then(|reference| reference.kept.as_ref()).expect("rows");
    assert!(kept.height() * kept.width() <= 400_000 && kept.height() > 4900, "{:?}", kept.shape());
}
