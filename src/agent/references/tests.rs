//! A reference is read, and what comes of one that is not what it should be.

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::Timestamp;

use super::*;
use crate::clock::{Clock, FixedClock};
use crate::frame::json::WrongTypes;
use crate::ingest::Reservation;
use crate::ingest::{Described, Sink};
use crate::model::Schema;

/// Takes everything, and remembers what.
#[derive(Default)]
struct Taken(Mutex<Vec<(Purpose, usize)>>, Mutex<Open>);

/// The models that were asked for and not taken yet, and how many these ever were.
#[derive(Default)]
struct Open {
    models: BTreeSet<ModelKey>,
    most: usize,
}

impl Sink for Taken {
    fn describe(&self, model: &ModelKey) -> Result<Described, Refused> {
        let mut open = self.1.lock().expect("unlocked");
        open.models.insert(model.clone());
        open.most = open.most.max(open.models.len());
        Ok(Described { spec: Arc::new(Spec::of(model)), schema: Arc::new(Schema::default()), max_features: 10 })
    }

    fn accept(&self, model: &ModelKey, purpose: Purpose, batch: Batch, _: Reservation) -> Result<(), Refused> {
        self.1.lock().expect("unlocked").models.remove(model);
        self.0.lock().expect("unlocked").push((purpose, batch.record.num_rows()));
        Ok(())
    }

    fn remove(&self, _: &ModelKey) -> Result<bool, Refused> {
        Ok(false)
    }

    fn refused(&self, _: &ModelKey, _: &WrongTypes) {}

    fn agent(&self) -> Option<String> {
        None
    }

    fn takes_forwarded(&self, _: &ModelKey) -> bool {
        true
    }

    fn answered(&self, _: u16, _: crate::ingest::RowCounts) {}
}

fn ingest(taken: &Arc<Taken>) -> Ingest {
    Ingest {
        sink: Arc::clone(taken) as _,
        config: crate::ingest::Config { max_rows: 100, ..crate::ingest::Config::default() },
        clock: Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH)) as Arc<dyn Clock>,
        in_flight: crate::ingest::Room::new(1 << 27),
        repeats: Arc::default(),
        copies: None,
    }
}

#[test]
fn a_file_is_taken_once_and_again_when_it_changes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("train.csv");
    let taken = Arc::<Taken>::default();
    let ingest = ingest(&taken);
    let spec = |hash: Option<String>| Spec {
        reference: Some(path.display().to_string()),
        reference_hash: hash,
        ..Spec::new("m")
    };
    let mut followed = Followed::new(&spec(None));
    let ask_of = |followed: &mut Followed| {
        runtime.block_on(ask(followed, &ingest, folder.path()));
        (followed.state.up, followed.state.error.clone().unwrap_or_default(), taken.0.lock().expect("unlocked").len())
    };
    let (up, error, count) = ask_of(&mut followed);
    assert!(up == Some(false) && error.contains("train.csv: No such file") && count == 0, "{error}");
    assert_eq!((followed.due, followed.pause), (RETRY, RETRY * 2));
    std::fs::write(&path, "x,plan\n1,a\n2,b\n3,a\n").expect("written");
    assert_eq!(ask_of(&mut followed), (Some(true), String::new(), 1));
    assert_eq!(ask_of(&mut followed).2, 1, "it has not changed");
    // The same bytes in a new file are no news either.
    let again = folder.path().join("again");
    std::fs::copy(&path, &again).and_then(|_| std::fs::rename(&again, &path)).expect("replaced");
    assert_eq!(ask_of(&mut followed).2, 1);
    std::fs::write(&path, "x,plan\n1,a\n2,b\n").expect("written");
    assert_eq!(ask_of(&mut followed).2, 2);
    std::fs::write(&path, format!("x\n{}", "1\n".repeat(101))).expect("written");
    let (up, error, count) = ask_of(&mut followed);
    assert!(up == Some(false) && error.contains("101 rows") && error.contains("profile") && count == 2, "{error}");
    // By its hash: of another nothing is taken.
    std::fs::write(&path, "x,plan\n1,a\n2,b\n").expect("written");
    let sha = crate::fetch::sha256(&path).expect("readable");
    let mut other = Followed::new(&spec(Some("0".repeat(64))));
    let (up, error, count) = ask_of(&mut other);
    assert!(up == Some(false) && error.contains(&sha) && error.contains(&"0".repeat(64)) && count == 2, "{error}");
    assert_eq!(ask_of(&mut Followed::new(&spec(Some(sha.to_uppercase())))).2, 3);
    let all = taken.0.lock().expect("unlocked").clone();
    assert_eq!(all, [(Purpose::Reference, 3), (Purpose::Reference, 2), (Purpose::Reference, 2)]);
}

#[test]
fn no_more_than_two_are_read_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let taken = Arc::<Taken>::default();
    let ingest = ingest(&taken);
    let of = |at: usize| {
        let path = folder.path().join(format!("{at}.csv"));
        std::fs::write(&path, format!("x\n{at}\n")).expect("written");
        Followed::new(&Spec { reference: Some(path.display().to_string()), ..Spec::new(&format!("m{at}")) })
    };
    let mut all: Vec<Followed> = (0..20).map(of).collect();
    runtime.block_on(ask_all(all.iter_mut(), &ingest, folder.path()));
    assert!(all.iter().all(|followed| followed.state.up == Some(true)));
    let open = taken.1.lock().expect("unlocked");
    assert_eq!((taken.0.lock().expect("unlocked").len(), open.models.len(), open.most), (20, 0, AT_ONCE));
}

#[test]
fn what_was_removed_is_taken_again() {
    let mut followed = Followed::new(&Spec { reference: Some("train.csv".to_owned()), ..Spec::new("m") });
    followed.taken = Some("sha".to_owned());
    followed.taken_at = SEEN;
    let progress = crate::model::watch::Progress::default();
    let mut model = crate::model::watch::Watch::new(Spec::new("m"), 10, progress, Timestamp::UNIX_EPOCH)
        .view(Timestamp::UNIX_EPOCH);
    let mut seen = |reference: bool, now: Duration| {
        let about = crate::model::reference::About {
            hash: "h".to_owned(),
            bins: String::new(),
            since: Timestamp::UNIX_EPOCH,
            provisional: false,
            rows: 7,
            profile: None,
        };
        let reference = reference.then_some(crate::model::view::ReferenceView {
            about,
            performance: None,
            not_estimated: None,
            usually_estimated: None,
        });
        model.reference = reference;
        followed.forget_if_gone(&ModelsView { models: vec![model.clone()], ..ModelsView::default() }, now);
        followed.taken.is_some()
    };
    assert!(seen(true, SEEN * 9));
    assert!(seen(false, SEEN + SEEN / 2), "it may not have been seen yet");
    assert!(!seen(false, SEEN * 2));
}
