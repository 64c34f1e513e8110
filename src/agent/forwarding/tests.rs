//! Labels of clients go to every other agent, in order, none is lost, and none comes back.

use std::sync::mpsc::channel;

use arrow::array::{Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray};
use jiff::Timestamp;

use super::*;
use crate::clock::FixedClock;
use crate::forward::fake::Fake;
use crate::health::ForwardingState;
use crate::ingest::Reservation;
use crate::model::Schema;
use crate::model::border::{ARRIVAL, Batch, Purpose};
use crate::store::{Log, Samples};

/// An agent's store, and who sends on what it has.
struct Sender {
    data: tempfile::TempDir,
    samples: Samples,
    models: Arc<Models>,
    clock: Arc<FixedClock>,
    health: Arc<Health>,
    forwarding: Forwarding,
    _queue: std::sync::mpsc::Receiver<super::super::models::Accepted>,
}

impl Sender {
    fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let samples = Samples::open(data.path(), "n").expect("ours");
        let (out, queue) = channel();
        let health = Arc::<Health>::default();
        let models = Arc::new(Models::new(&Config::default(), Arc::clone(&health), out));
        models.set_log(Ok(Log::open(&samples.log_folder(), 1, 1).expect("a log")));
        models.set_agent(Some(samples.agent().expect("a name")));
        let clock = Arc::new(FixedClock::new("2026-06-01T00:00:00Z".parse().expect("a time")));
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let forwarding = Forwarding::new(Arc::clone(&models), (data.path(), "n"), shared, Arc::clone(&health));
        Self { data, samples, models, clock, health, forwarding, _queue: queue }
    }

    /// The same after a crash: what was not written is gone.
    fn again(&mut self) {
        let shared: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let place = (self.data.path(), "n");
        self.forwarding = Forwarding::new(Arc::clone(&self.models), place, shared, Arc::clone(&self.health));
    }

    fn send_to(&mut self, fakes: &[&Fake]) {
        let agents = fakes.iter().map(|fake| fake.url()).collect();
        self.forwarding.configure(forward::Config { agents, ..forward::Config::default() });
    }

    fn accept(&self, ids: &[&str], forwarded: bool) {
        self.accept_at(ids, forwarded, self.clock.now());
    }

    fn accept_at(&self, ids: &[&str], forwarded: bool, at: Timestamp) {
        let times = TimestampMillisecondArray::from(vec![at.as_millisecond(); ids.len()]).with_timezone("UTC");
        let columns: [(&str, Arc<dyn Array>); 4] = [
            ("id", Arc::new(StringViewArray::from_iter_values(ids))),
            ("timestamp", Arc::new(times.clone())),
            (ARRIVAL, Arc::new(times)),
            ("label", Arc::new(Int64Array::from(vec![1; ids.len()]))),
        ];
        let record = RecordBatch::try_from_iter(columns).expect("a record");
        let mut batch = Batch { record, schema: Schema::default() };
        if forwarded {
            batch = batch.forwarded().expect("marked");
        }
        let nothing = Reservation::none(&self.models.in_flight);
        self.models.accept(&ModelKey::named("m"), Purpose::Labels, batch, nothing).expect("accepted");
    }

    async fn rounds(&mut self, rounds: u64) {
        for _ in 0..rounds {
            self.forwarding.round().await;
            self.clock.advance(KEEP_EVERY);
        }
    }

    fn state(&self) -> ForwardingState {
        self.health.state().forwarding
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

#[test]
fn every_agent_gets_each_label_of_a_client_once() {
    run(async {
        let mut sender = Sender::new();
        let (one, two, me) = (Fake::start('b').await, Fake::start('c').await, Fake::start('d').await);
        // This agent is behind one of the addresses.
        me.said().agent = sender.samples.agent().expect("a name");
        sender.accept(&["1", "2"], false);
        sender.send_to(&[&one, &two, &me]);
        sender.rounds(2).await;
        sender.accept(&["from another"], true);
        sender.accept(&["3"], false);
        sender.rounds(2).await;
        for fake in [&one, &two] {
            assert_eq!(fake.ids(), ["1", "2", "3"]);
        }
        assert_eq!(me.ids(), [""; 0], "it sends nothing to itself");
        let state = sender.state();
        assert_eq!((state.sent, state.refused, state.lost, state.received), (6, 0, 0, 1));
        assert_eq!(state.agents.len(), 2, "{state:?}");
        assert!(state.agents.values().all(|agent| agent.up == Some(true) && agent.sent == 3));
        // A start later they go on where they were; one that is new has all.
        let new = Fake::start('e').await;
        sender.again();
        sender.accept(&["4"], false);
        sender.send_to(&[&one, &new]);
        sender.rounds(2).await;
        assert_eq!((one.ids(), new.ids()), (["1", "2", "3", "4"].map(str::to_owned).to_vec(), one.ids()));
        assert_eq!(two.ids(), ["1", "2", "3"], "it is named no longer");
    });
}

#[test]
fn an_agent_that_is_away_has_what_it_missed_and_is_asked_less_and_less_often() {
    run(async {
        let mut sender = Sender::new();
        let fake = Fake::start('b').await;
        sender.send_to(&[&fake]);
        sender.rounds(1).await;
        // It has another token, then no time.
        fake.said().token = Some("Bearer secret".to_owned());
        sender.accept(&["1"], false);
        sender.rounds(1).await;
        let before = fake.said().calls;
        sender.rounds(100).await;
        let calls = fake.said().calls - before;
        assert!((3..12).contains(&calls), "{calls} calls in 200 s");
        let address = fake.url();
        let state = sender.state();
        assert_eq!(state.agents[&address].up, Some(false));
        assert!(state.agents[&address].error.as_ref().is_some_and(|error| error.contains("token")), "{state:?}");
        sender.accept(&["2"], false);
        {
            let mut said = fake.said();
            said.token = None;
            said.answers.push_back((429, String::new(), Some(600)));
        }
        sender.clock.advance(Duration::from_secs(60));
        sender.rounds(2).await;
        let before = fake.said().calls;
        sender.clock.advance(Duration::from_secs(500));
        sender.rounds(2).await;
        assert_eq!(fake.said().calls, before, "it asked for ten minutes");
        sender.clock.advance(Duration::from_secs(120));
        sender.rounds(2).await;
        assert_eq!(fake.ids(), ["1", "2"]);
        assert_eq!((sender.state().sent, sender.state().lost), (2, 0));
        assert_eq!(sender.state().agents[&address].error, None);
    });
}

#[test]
fn what_is_in_the_store_is_owed_until_it_is_taken_and_what_is_too_old_is_lost() {
    run(async {
        let mut sender = Sender::new();
        let fake = Fake::start('b').await;
        let long_ago = sender.clock.now() - Duration::from_secs(40 * 86_400);
        // What came before anybody was there to be owed it is no loss.
        sender.accept_at(&["before"], false, long_ago);
        sender.send_to(&[&fake]);
        sender.rounds(2).await;
        assert_eq!((fake.ids().len(), sender.state().lost), (0, 0));
        fake.said().token = Some("Bearer secret".to_owned());
        sender.accept(&["1"], false);
        sender.rounds(2).await;
        assert_eq!(sender.models.owed_from(), Some(1));
        // Its segment becomes Parquet meanwhile.
        sender.models.with_log(|log| log.rotate().expect("rotated"));
        let closed = sender.models.with_log(|log| log.closed().expect("segments")).expect("a log");
        let (removed, repeated) = (BTreeMap::new(), BTreeMap::new());
        let leave =
            crate::store::samples::Leave { removed: &removed, repeated: &repeated, of_counts_alone: &BTreeSet::new() };
        sender.samples.compact(&closed[0], leave).expect("compacted");
        sender.accept(&["2"], false);
        sender.again();
        sender.send_to(&[&fake]);
        fake.said().token = None;
        sender.rounds(2).await;
        assert_eq!(fake.ids(), ["1", "2"]);
        // Forty days without an answer.
        fake.said().token = Some("Bearer secret".to_owned());
        sender.accept(&["3"], false);
        sender.rounds(1).await;
        sender.clock.advance(Duration::from_secs(5 * 86_400));
        sender.rounds(1).await;
        assert_eq!(sender.state().lost, 0);
        sender.accept_at(&["4"], false, sender.clock.now() - Duration::from_secs(31 * 86_400));
        fake.said().token = None;
        sender.clock.advance(Duration::from_secs(60));
        sender.rounds(2).await;
        assert_eq!((fake.ids().join(" "), sender.state().lost), ("1 2 3".to_owned(), 1));
        assert_eq!(sender.models.owed_from(), Some(2), "no more than what is to come");
    });
}

#[test]
fn an_agent_that_takes_little_at_once_is_sent_little_at_once_and_refusals_are_counted() {
    run(async {
        let mut sender = Sender::new();
        let fake = Fake::start('b').await;
        fake.said().most = Some(3);
        let ids: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        sender.accept(&ids, false);
        sender.send_to(&[&fake]);
        sender.rounds(2).await;
        assert_eq!(fake.ids(), ids);
        let text = r#"{"errors":[{"message":"is a string"}]}"#.to_owned();
        fake.said().answers.push_back((422, text, None));
        sender.accept(&["wrong"], false);
        sender.rounds(1).await;
        sender.accept(&["right"], false);
        sender.rounds(1).await;
        let state = sender.state();
        assert_eq!((state.sent, state.refused, fake.ids().last().map(String::as_str)), (21, 1, Some("right")));
        assert!(state.agents[&fake.url()].error.as_ref().is_some_and(|why| why.contains("is a string")), "{state:?}");
    });
}

/// Its data folder is lost: who comes in its place, at the same address, has everything again.
#[test]
fn who_comes_to_an_address_is_not_taken_for_who_was_there() {
    run(async {
        let mut sender = Sender::new();
        let fake = Fake::start('b').await;
        sender.accept(&["1"], false);
        sender.send_to(&[&fake]);
        sender.rounds(2).await;
        fake.said().agent = "c".repeat(32);
        sender.accept(&["2"], false);
        sender.rounds(4).await;
        assert_eq!(fake.ids(), ["1", "1", "2"]);
        // Nor is there a label needed to notice.
        fake.said().agent = "d".repeat(32);
        sender.clock.advance(Duration::from_secs(200));
        sender.rounds(2).await;
        assert_eq!(fake.ids(), ["1", "1", "2", "1", "2"]);
    });
}

#[test]
fn what_is_switched_off_sends_nothing_and_owes_nothing() {
    run(async {
        let mut sender = Sender::new();
        let fake = Fake::start('b').await;
        sender.send_to(&[&fake]);
        sender.accept(&["1"], false);
        sender.rounds(2).await;
        assert!(sender.state().enabled && sender.models.owed_from().is_some());
        sender.send_to(&[]);
        assert!(!sender.state().enabled && sender.models.owed_from().is_none() && sender.state().agents.is_empty());
        // Nor does it as long as nobody knows who this is.
        sender.models.set_agent(None);
        sender.send_to(&[&fake]);
        sender.accept(&["2"], false);
        sender.rounds(2).await;
        assert_eq!(fake.ids(), ["1"]);
    });
}
