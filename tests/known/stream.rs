//! Where the detectors of river fire in a stream, and ours must fire, too (`tests/known/stream.py` makes the values).

use plumbline::drift::stream::Signal;
use plumbline::drift::stream::adwin::{self, Adwin};
use plumbline::drift::stream::ddm::{self, Ddm};
use plumbline::drift::stream::kswin::{self, Kswin};
use plumbline::drift::stream::page_hinkley::{self, Direction, PageHinkley};
use serde_json::Value;

use super::peers::uniform;
use super::{agrees, each, root};

/// As `made` in stream.py.
fn made(stream: &Value) -> Vec<f64> {
    let seed = stream["seed"].as_u64().expect("a seed");
    let mut values = Vec::new();
    for segment in each(stream, "segments") {
        let number = |at: usize| segment[at].as_f64().expect("a number");
        let (rows, start, end, scale) = (segment[0].as_u64().expect("rows"), number(2), number(3), number(4));
        for row in 0..rows {
            let at = values.len() as u64;
            let mean = start + (end - start) * (row as f64 / rows as f64);
            values.push(match segment[1].as_str() {
                Some("bits") => f64::from(u8::from(uniform(seed, at) < mean)),
                _ => ((0..12).fold(0.0, |sum, i| sum + uniform(seed, at * 12 + i)) - 6.0) * scale + mean,
            });
        }
    }
    values
}

enum Detector {
    Adwin(Adwin),
    PageHinkley(PageHinkley),
    Kswin(Kswin),
    Ddm(Ddm),
}

impl Detector {
    /// What river's names are here, with the defaults of both.
    fn new(found: &Value) -> Self {
        let parameters = &found["parameters"];
        let number = |key: &str, default: f64| parameters[key].as_f64().unwrap_or(default);
        let whole = |key: &str, default: u64| parameters[key].as_u64().unwrap_or(default);
        match found["detector"].as_str().expect("a name") {
            "adwin" => {
                let default = adwin::Parameters::default();
                Self::Adwin(Adwin::new(adwin::Parameters {
                    delta: number("delta", default.delta),
                    clock: whole("clock", default.clock),
                    buckets: usize::try_from(whole("max_buckets", default.buckets as u64)).unwrap(),
                    least_part: whole("min_window_length", default.least_part),
                    grace: whole("grace_period", default.grace),
                }))
            }
            "page_hinkley" => {
                let default = page_hinkley::Parameters::default();
                Self::PageHinkley(PageHinkley::new(page_hinkley::Parameters {
                    least_values: whole("min_instances", default.least_values),
                    tolerance: number("delta", default.tolerance),
                    threshold: number("threshold", default.threshold),
                    fading: number("alpha", default.fading),
                    direction: match parameters["mode"].as_str() {
                        Some("up") => Direction::Up,
                        Some("down") => Direction::Down,
                        _ => default.direction,
                    },
                }))
            }
            "kswin" => {
                let default = kswin::Parameters::default();
                let parameters = kswin::Parameters {
                    alpha: number("alpha", default.alpha),
                    window: u32::try_from(whole("window_size", default.window.into())).unwrap(),
                    last: u32::try_from(whole("stat_size", default.last.into())).unwrap(),
                    seed: whole("seed", default.seed),
                };
                Self::Kswin(Kswin::new(parameters).expect("possible"))
            }
            _ => {
                let default = ddm::Parameters::default();
                Self::Ddm(Ddm::new(ddm::Parameters {
                    warm_start: whole("warm_start", default.warm_start),
                    warning: number("warning_threshold", default.warning),
                    drift: number("drift_threshold", default.drift),
                }))
            }
        }
    }

    fn update(&mut self, value: f64) -> Signal {
        match self {
            Self::Adwin(adwin) => adwin.update(value),
            Self::PageHinkley(page_hinkley) => page_hinkley.update(value),
            Self::Kswin(kswin) => kswin.update(value),
            Self::Ddm(ddm) => ddm.update(value != 0.0),
        }
    }

    fn state(&self) -> Vec<Option<f64>> {
        match self {
            Self::Adwin(adwin) => vec![Some(adwin.width() as f64), adwin.mean(), adwin.squares()],
            Self::PageHinkley(page_hinkley) => vec![page_hinkley.mean()],
            // Before the first test river calls it 0.
            Self::Kswin(kswin) => vec![kswin.p_value().or(Some(0.0))],
            Self::Ddm(ddm) => vec![ddm.rate()],
        }
    }
}

/// As `runs` in stream.py.
fn places(runs: &Value) -> Vec<u64> {
    let run = |run: &Value| run[0].as_u64().unwrap()..run[0].as_u64().unwrap() + run[1].as_u64().unwrap();
    runs.as_array().expect("runs").iter().flat_map(run).collect()
}

#[test]
fn the_detectors_fire_where_those_of_river_do() {
    let text = std::fs::read_to_string(root().join("tests/known/stream.json")).expect("the values");
    let values: Value = serde_json::from_str(&text).expect("JSON");
    for stream in each(&values, "streams") {
        let numbers = made(stream);
        for found in each(stream, "found") {
            let what = format!("{} {} {}", stream["name"], found["detector"], found["parameters"]);
            let mut detector = Detector::new(found);
            let (mut drifts, mut warnings) = (Vec::new(), Vec::new());
            let mut states = found["state"].as_array().expect("states").iter().peekable();
            for (at, value) in (0..).zip(&numbers) {
                match detector.update(*value) {
                    Signal::Drift => drifts.push(at),
                    Signal::Warning => warnings.push(at),
                    Signal::Stable => {}
                }
                if let Some(state) = states.next_if(|state| state[0].as_u64() == Some(at)) {
                    for (i, got) in detector.state().into_iter().enumerate() {
                        let what = format!("{what} after {at}, {i}");
                        match &state[i + 1] {
                            Value::Null => assert_eq!(got, None, "{what}"),
                            want => agrees(&what, got, want, 1e-9, 1e-12),
                        }
                    }
                }
            }
            assert!(states.next().is_none(), "{what}: all states were compared");
            assert_eq!(drifts, places(&found["drift"]), "{what}: drift");
            assert_eq!(warnings, places(&found["warning"]), "{what}: warning");
        }
    }
}
