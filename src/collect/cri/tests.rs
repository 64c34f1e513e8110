use std::sync::Mutex;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use prost::Message;

use super::protocol::{
    CREATED, Container, ContainerMetadata, EXITED, Image, Linux, READY, Resources, Sandbox, SandboxMetadata,
};
use super::*;
use crate::clock::FixedClock;
use crate::collect::Stop;
use crate::collect::grpc::fake::{Answer, Server};
use crate::identity::{About, Role};

const RUNNING: i32 = 1;

fn id(letter: char) -> String {
    letter.to_string().repeat(64)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn nanoseconds(second: i64) -> i64 {
    second * 1_000_000_000
}

fn labels(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn sandbox(letter: char) -> Sandbox {
    Sandbox {
        id: id(letter),
        metadata: Some(SandboxMetadata { name: "web-0".to_owned(), uid: "u".to_owned(), namespace: "ml".to_owned() }),
        state: READY,
        created_at: nanoseconds(1000),
        labels: labels(&[("plumbline.io/model", "housing"), ("app", "pod's")]),
    }
}

fn container(letter: char, state: i32) -> Container {
    Container {
        id: id(letter),
        pod_sandbox_id: id('a'),
        metadata: Some(ContainerMetadata { name: "main".to_owned(), attempt: 3 }),
        image: Some(Image { image: "sha256:00ff".to_owned(), ..Image::default() }),
        state,
        created_at: nanoseconds(1001),
        labels: labels(&[("io.kubernetes.pod.uid", "u"), ("app", "its own")]),
    }
}

fn status(finished: i64, reason: &str) -> Status {
    Status {
        started_at: nanoseconds(1002),
        finished_at: nanoseconds(finished),
        image: Some(Image { image: "docker.io/team/web:2".to_owned(), user_specified_image: "team/web:2".to_owned() }),
        exit_code: if reason.is_empty() { 0 } else { 137 },
        image_ref: "docker.io/team/web@sha256:ff00".to_owned(),
        reason: reason.to_owned(),
        resources: Some(Resources {
            linux: Some(Linux {
                cpu_period: 50_000,
                cpu_quota: 25_000,
                cpu_shares: 256,
                memory_limit_in_bytes: 1 << 30,
            }),
        }),
    }
}

fn list<M: Message>(entries: &[M]) -> Listed {
    Listed { items: entries.iter().map(|entry| entry.encode_to_vec().into()).collect() }
}

/// What follows from lists, a status for all, and what was claimed before.
fn follows(containers: &[Container], told: Option<&Status>, before: &Claims, now: i64) -> Claims {
    let listing = Listing::new(&list(containers), &list(&[sandbox('a')]), before, 100, at(now));
    listing.claims(Some("containerd"), |_| told, before, at(now))
}

#[test]
fn a_container_has_its_name_its_pod_and_its_pods_labels() {
    let claims = follows(&[container('b', RUNNING)], Some(&status(0, "")), &Claims::new(), 2000);
    let claim = &claims[&id('b')];
    assert_eq!((&claim.about, claim.source, claim.runtime), (&About::Container(id('b')), CRI, Some("containerd")));
    assert_eq!((claim.name.as_deref(), claim.pod_container.as_deref()), (Some("main"), Some("main")));
    let pod = claim.pod.as_ref().expect("a pod");
    let of_pod = [&pod.namespace, &pod.name, &pod.uid].map(Option::as_deref);
    assert_eq!(of_pod, [Some("ml"), Some("web-0"), Some("u")]);
    let expected = labels(&[("plumbline.io/model", "housing"), ("app", "its own"), ("io.kubernetes.pod.uid", "u")]);
    assert_eq!(claim.labels.as_ref(), Some(&expected), "its own go before its pod's");
    assert_eq!((claim.image.as_deref(), claim.image_tag.as_deref()), (Some("docker.io/team/web"), Some("2")));
    assert_eq!((claim.image_digest.as_deref(), &claim.last_termination), (Some("sha256:ff00"), &None));
    assert_eq!((claim.cpu_limit, claim.cpu_request, claim.memory_limit), (Some(0.5), Some(0.25), Some(1 << 30)));
    assert_eq!((claim.started, claim.finished, claim.restarts), (Some(at(1002)), None, Some(3)));
    assert!(claim.says_it_runs() && claim.role.is_none() && claim.workload.is_none());
    let pause = &claims[&id('a')];
    assert_eq!((pause.name.as_deref(), pause.role, pause.started), (Some("POD"), Some(Role::Sandbox), Some(at(1000))));
    assert_eq!((&pause.pod, pause.pod_container.as_deref()), (&claim.pod, None));
    assert_eq!(pause.labels, None, "a sandbox serves no model");
}

#[test]
fn an_image_has_a_name_or_waits_for_one() {
    let image =
        |told: Option<&Status>| follows(&[container('b', RUNNING)], told, &Claims::new(), 2000)[&id('b')].image.clone();
    assert_eq!(image(None), None, "the list knows an id, and the status may know more");
    let told = |image: &str, asked: &str| {
        let image = Image { image: image.to_owned(), user_specified_image: asked.to_owned() };
        Status { image: Some(image), ..Status::default() }
    };
    assert_eq!(image(Some(&told("sha256:00ff", "team/web:2"))).as_deref(), Some("team/web"));
    assert_eq!(image(Some(&told("sha256:00ff", ""))).as_deref(), Some("sha256:00ff"), "nobody knows more");
    assert_eq!(image(Some(&told(&id('c'), ""))).as_deref(), Some(id('c').as_str()));
}

#[test]
fn shares_are_a_request_where_a_kubelet_set_them() {
    let bare = Container { labels: labels(&[]), ..container('b', RUNNING) };
    let claims = follows(&[bare], Some(&status(0, "")), &Claims::new(), 2000);
    assert_eq!((claims[&id('b')].cpu_request, claims[&id('b')].cpu_limit), (None, Some(0.5)));
    assert_eq!(claims[&id('b')].pod.as_ref().and_then(|pod| pod.name.as_deref()), Some("web-0"), "its sandbox's");
    let mut least = status(0, "");
    least.resources = Some(Resources { linux: Some(Linux { cpu_shares: 2, ..Linux::default() }) });
    let claims = follows(&[container('b', RUNNING)], Some(&least), &Claims::new(), 2000);
    let claim = &claims[&id('b')];
    assert_eq!((claim.cpu_request, claim.cpu_limit, claim.memory_limit), (None, None, None), "zero means not set");
}

#[test]
fn what_has_ended_is_told_of_for_a_while() {
    let running = follows(&[container('b', RUNNING)], Some(&status(0, "")), &Claims::new(), 2000);
    let ended = follows(&[container('b', EXITED)], Some(&status(2005, "OOMKilled")), &running, 2006);
    assert_eq!((ended[&id('b')].finished, ended[&id('b')].oom_events), (Some(at(2005)), 1));
    let end = ended[&id('b')].last_termination.as_ref().expect("an end");
    assert_eq!((end.reason.as_deref(), end.exit_code, end.at), (Some("OOMKilled"), Some(137), Some(at(2005))));
    let linger =
        |before: &Claims, listed: &[Container], now| follows(listed, Some(&status(2005, "OOMKilled")), before, now);
    let gone = linger(&ended, &[], 2010);
    assert_eq!((gone[&id('b')].finished, gone[&id('b')].oom_events), (Some(at(2005)), 1), "removed since");
    assert!(!linger(&gone, &[], 2036).contains_key(&id('b')));
    assert!(!linger(&ended, &[container('b', EXITED)], 2036).contains_key(&id('b')), "though it is listed still");
    assert!(!linger(&Claims::new(), &[container('b', EXITED)], 2036).contains_key(&id('b')), "nobody saw it run");
    // Removed without a word of its end.
    let lost = follows(&[], None, &running, 2003);
    assert_eq!(lost[&id('b')].finished, Some(at(2003)));
    assert_eq!(follows(&[], None, &lost, 2020)[&id('b')].finished, Some(at(2003)), "and does not end again");
    // An end in the future of our clock is now.
    let ahead = follows(&[container('b', EXITED)], Some(&status(9_000_000, "")), &running, 2006);
    assert_eq!(ahead[&id('b')].finished, Some(at(2006)));
}

#[test]
fn what_ran_between_two_reads_is_told_of_and_what_has_not_run_is_not() {
    let quick = follows(&[container('b', EXITED)], Some(&status(1003, "")), &Claims::new(), 1004);
    assert_eq!(quick[&id('b')].finished, Some(at(1003)));
    assert!(!follows(&[container('b', CREATED)], None, &Claims::new(), 1004).contains_key(&id('b')));
    let unknown = follows(&[container('b', 3)], None, &Claims::new(), 2000);
    assert!(unknown[&id('b')].says_it_runs(), "the runtime has lost it; the tree knows whether it runs");
}

#[test]
fn hostile_lists_are_bounded() {
    let many: Vec<Container> =
        (0..5000).map(|n| Container { id: format!("{n:064x}"), ..container('b', RUNNING) }).collect();
    let listing = Listing::new(&list(&many), &Listed::default(), &Claims::new(), 50, at(2000));
    assert_eq!(listing.containers.len(), 50);
    // Others with every read: what has gone is bounded, too.
    let mut before = Claims::new();
    for read in 0..20 {
        let others: Vec<Container> =
            (0..60).map(|n| Container { id: format!("{:064x}", read * 1000 + n), ..container('b', RUNNING) }).collect();
        let listing = Listing::new(&list(&others), &Listed::default(), &before, 50, at(2000));
        before = listing.claims(None, |_| None, &before, at(2000));
    }
    assert_eq!(before.len(), 100);
    let odd = ["", "../../etc", "B", &"x".repeat(64), &"é".repeat(32)];
    let odd: Vec<Container> =
        odd.iter().map(|id| Container { id: (*id).to_owned(), ..container('b', RUNNING) }).collect();
    assert_eq!(follows(&odd, None, &Claims::new(), 2000).len(), 1, "the sandbox alone: none of these is an id");
    let long = Container {
        metadata: Some(ContainerMetadata { name: "x".repeat(10_000), attempt: 0 }),
        labels: labels(&[("k", &"v".repeat(10_000)), ("io.kubernetes.container.name", "n")]),
        ..container('b', RUNNING)
    };
    let claims = follows(&[long], None, &Claims::new(), 2000);
    let claim = &claims[&id('b')];
    assert_eq!(claim.name.as_deref(), Some("n"), "by its label, when its name is none");
    assert!(claim.labels.as_ref().is_some_and(|labels| !labels.contains_key("k")));
}

/// A runtime that lists what it is told to, and counts the calls for a status.
struct Runtime {
    server: Server,
    containers: Arc<Mutex<Vec<Container>>>,
    asked: Arc<Mutex<Vec<String>>>,
    clock: Arc<FixedClock>,
}

impl Runtime {
    fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let (containers, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (listed, counted) = (Arc::clone(&containers), Arc::clone(&asked));
        let server = Server::start(move |method, request| match method {
            VERSION => {
                let (runtime_name, runtime_version) = ("containerd".to_owned(), "1.6.20".to_owned());
                Answer::message(&Version { runtime_name, runtime_version })
            }
            CONTAINERS => Answer::message(&list(&listed.lock().expect("a list"))),
            SANDBOXES => Answer::message(&list(&[sandbox('a')])),
            STATUS => {
                let id = StatusRequest::decode(request).expect("a request").container_id;
                counted.lock().expect("a list").push(id.clone());
                answer(&id)
            }
            _ => Answer::Status(12, "unknown method"),
        });
        Self { server, containers, asked, clock: Arc::new(FixedClock::new(at(2000))) }
    }

    fn open(&self) -> Result<Cri, Error> {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        Cri::open(&self.server.path(), 100, &Context { clock, wake: Stop::default(), node: String::new() })
    }

    fn list(&self, containers: &[Container]) {
        *self.containers.lock().expect("a list") = containers.to_vec();
    }

    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().expect("a list")).len()
    }
}

fn told(_: &str) -> Answer {
    Answer::message(&StatusAnswer { status: Some(status(0, "")) })
}

#[test]
fn it_asks_for_more_of_what_is_new_or_has_changed() {
    let runtime = Runtime::start(told);
    let mut collector = runtime.open().expect("open");
    assert_eq!(collector.found(), format!("containerd 1.6.20 at {}", runtime.server.path()));
    let mut read = || collector.read(Depth::Inner).expect("a report").claims.expect("claims");
    runtime.list(&[container('b', RUNNING), container('c', RUNNING)]);
    let first = read();
    assert_eq!((first.len(), runtime.asked()), (3, 2));
    assert!(Arc::ptr_eq(&first, &read()), "the same again");
    assert_eq!(runtime.asked(), 0);
    runtime.list(&[container('b', EXITED), container('c', RUNNING), container('d', RUNNING)]);
    let second = read();
    assert_eq!((second.len(), runtime.asked()), (4, 2), "one has ended, one is new");
    assert_eq!(second.iter().filter(|claim| claim.says_it_runs()).count(), 3);
    runtime.clock.advance(Duration::from_secs(60));
    assert_eq!((read().len(), runtime.asked()), (3, 3), "limits change without a restart; what ended is forgotten");
}

#[test]
fn names_stand_without_a_status() {
    let runtime = Runtime::start(|_| Answer::Status(5, "not found"));
    let mut collector = runtime.open().expect("open");
    runtime.list(&[container('b', RUNNING)]);
    let mut read = || collector.read(Depth::Full).expect("a report").claims.expect("claims");
    let claims = read();
    let claim = claims.iter().find(|claim| claim.about == About::Container(id('b'))).expect("a claim");
    assert_eq!((claim.name.as_deref(), claim.started), (Some("main"), None));
    read();
    assert_eq!(runtime.asked(), 1, "not with every read");
    runtime.clock.advance(RETRY);
    read();
    assert_eq!(runtime.asked(), 1, "soon again");
}

#[test]
fn many_statuses_are_asked_for_over_several_reads() {
    let clock = Arc::new(FixedClock::new(at(2000)));
    let slow = Arc::clone(&clock);
    let runtime = Runtime::start(move |id| {
        slow.advance(Duration::from_millis(300));
        told(id)
    });
    let runtime = Runtime { clock, ..runtime };
    let mut collector = runtime.open().expect("open");
    let many: Vec<Container> =
        (0..10).map(|n| Container { id: format!("{n:064x}"), ..container('b', RUNNING) }).collect();
    runtime.list(&many);
    let mut read = || {
        let claims = collector.read(Depth::Inner).expect("a report").claims.expect("claims");
        (claims.len(), runtime.asked())
    };
    assert_eq!([read(), read(), read(), read()], [(11, 4), (11, 4), (11, 2), (11, 0)]);
}

#[test]
fn a_runtime_without_the_interface_is_absent() {
    let server = Server::start(|_, _| Answer::Status(12, "unknown service runtime.v1.RuntimeService"));
    let clock = Arc::new(FixedClock::new(at(2000)));
    let context = Context { clock, wake: Stop::default(), node: String::new() };
    let config = Config { sockets: vec!["/nowhere/x.sock".to_owned(), server.path()] };
    let config = crate::collect::Config { cri: config, ..crate::collect::Config::default() };
    let error = (ENTRY.open)(&config, &context).err().expect("an error");
    assert_eq!(
        error.to_string(),
        format!("not found: /nowhere/x.sock, runtime.v1.RuntimeService at {}", server.path())
    );
    assert!(matches!(error, Error::NotFound(_)), "no fault");
}

proptest! {
    /// Whatever the bytes: claims of ids that are ids, and none that ended long ago.
    #[test]
    fn any_bytes_are_survived(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..5), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let listed = Listed { items: entries.into_iter().map(Bytes::from).collect() };
        let status = StatusAnswer::decode(&body[..]).ok().and_then(|answer| answer.status);
        for listed in [Some(listed), Listed::decode(&body[..]).ok()].into_iter().flatten() {
            let listing = Listing::new(&listed, &listed, &Claims::new(), 3, at(2000));
            let claims = listing.claims(None, |_| status.as_ref(), &Claims::new(), at(2000));
            prop_assert!(claims.keys().all(|id| crate::identity::cgroup::is_container_id(id)));
        }
    }

    /// Whatever states a container goes through and whatever the runtime says of times: it is told of while it runs, and never for
    /// longer than 30 s after it was last said to.
    #[test]
    fn a_life_has_an_end(states in prop::collection::vec(prop::option::of((0..5_i32, any::<i64>(), any::<i64>())), 1..20)) {
        let mut before = Claims::new();
        let mut last_run = None;
        for (now, state) in (2000..).step_by(7).zip(states) {
            let told = state.map(|(_, started_at, finished_at)| Status { started_at, finished_at, ..Status::default() });
            let listed: Vec<Container> = state.iter().map(|(state, ..)| container('b', *state)).collect();
            let claims = follows(&listed, told.as_ref(), &before, now);
            let runs = state.is_some_and(|(state, ..)| state != CREATED && state != EXITED);
            let claim = claims.get(&id('b'));
            prop_assert_eq!(claim.is_some_and(|claim| claim.says_it_runs()), runs);
            last_run = if runs { Some(now) } else { last_run };
            if let Some(finished) = claim.and_then(|claim| claim.finished) {
                prop_assert!(finished <= at(now) && at(now).duration_since(finished) < SignedDuration::from_secs(30));
                prop_assert!(last_run.is_some_and(|last| now - last < 30 + 7) || now - 1001 < 30);
            }
            before = claims;
        }
    }
}
