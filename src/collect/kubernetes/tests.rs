//! The follower against a server that answers oddly. The real one is in tests/real.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use futures_util::stream;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::clock::FixedClock;
use crate::identity::About;

/// A server of the API: what it answers to lists of pods and to watches of them, by how often each was asked before.
struct Server {
    url: String,
    authority: Option<String>,
    asked: Arc<Mutex<Vec<String>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

type Answer = fn(usize, &str) -> Response;

impl Server {
    fn start(lists: Answer, watches: Answer) -> Self {
        let mut server = Self::listen(lists, watches, |listener| listener);
        server.url.insert_str(0, "http://");
        server
    }

    fn listen<L: Listener<Addr = SocketAddr>>(
        lists: Answer,
        watches: Answer,
        over: impl FnOnce(TcpListener) -> L,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = over(runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("an address"));
        let url = listener.local_addr().expect("an address").to_string();
        let (log, counts) = (Arc::clone(&asked), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
        let handler = move |uri: Uri| {
            let (log, counts) = (Arc::clone(&log), Arc::clone(&counts));
            async move {
                let text = uri.to_string();
                log.lock().expect("a log").push(text.clone());
                let watch = text.contains("watch=true");
                if uri.path() == "/api/v1/nodes" {
                    return if watch { open(&[]) } else { list(&[node()], "1", None) };
                }
                let count = counts[usize::from(watch)].fetch_add(1, Ordering::Relaxed);
                if watch { watches(count, &text) } else { lists(count, &text) }
            }
        };
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { url, authority: None, asked, runtime: Some(runtime) }
    }

    /// One that proves who it is by whatever certificate is there when somebody comes.
    fn start_with_certificate(lists: Answer, watches: Answer, acceptor: &Arc<Mutex<TlsAcceptor>>) -> Self {
        let acceptor = Arc::clone(acceptor);
        let mut server = Self::listen(lists, watches, |listener| Tls { listener, acceptor });
        server.url.insert_str(0, "https://");
        server
    }

    fn collector(&self) -> Result<Box<dyn Collector>, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kubeconfig");
        let authority = self.authority.as_ref().map(|pem| {
            let path = folder.path().join("ca.crt");
            fs::write(&path, pem).expect("written");
            path
        });
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{ "name": "c", "cluster": { "server": self.url, "certificate-authority": authority } }],
            "users": [{ "name": "u", "user": { "token": "secret-token" } }],
            "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u" } }],
        });
        fs::write(&path, text.to_string()).expect("written");
        let config = Config { kubeconfig: Some(path), ..Config::default() };
        let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        super::open(&config, &Context { clock, wake: Stop::default(), node: "node-1".to_owned() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a log").iter().filter(|uri| uri.contains("/pods")).cloned().collect()
    }
}

/// A listener that speaks TLS.
struct Tls {
    listener: TcpListener,
    acceptor: Arc<Mutex<TlsAcceptor>>,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.listener).await;
            let acceptor = self.acceptor.lock().expect("a certificate").clone();
            // Who does not trust it goes.
            if let Ok(stream) = acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate of the authority, new each time.
fn certificate(authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("names");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        );
    TlsAcceptor::from(Arc::new(config.expect("a certificate")))
}

/// Says so and hangs up.
fn gone(answer: impl IntoResponse) -> Response {
    ([("connection", "close")], answer).into_response()
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": "5" },
        "spec": { "containers": [{ "name": "app", "resources": { "requests": { "cpu": "1" } } }] },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "app", "containerID": format!("containerd://{}", "a".repeat(64)), "restartCount": 0,
            "state": { "running": { "startedAt": "2026-11-27T01:30:00Z" } },
        }] },
    })
}

fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node-1", "labels": { "karpenter.sh/nodepool": "gpu", "other": "x" } },
        "status": { "capacity": { "cpu": "4" }, "allocatable": { "cpu": "3500m", "memory": "8Gi" } },
    })
}

fn list(items: &[Value], version: &str, more: Option<&str>) -> Response {
    let kind = if items.iter().any(|item| item["kind"] == "Node") { "NodeList" } else { "PodList" };
    let metadata = json!({ "resourceVersion": version, "continue": more });
    let body = json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "items": items });
    ([("content-type", "application/json")], body.to_string()).into_response()
}

fn refused(code: u16, reason: &str, message: &str) -> Response {
    let body = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message });
    (StatusCode::from_u16(code).expect("a code"), [("content-type", "application/json")], body.to_string())
        .into_response()
}

fn event(kind: &str, object: &Value) -> String {
    json!({ "type": kind, "object": object }).to_string() + "\n"
}

/// Sends this and stays open.
fn open(parts: &[String]) -> Response {
    let sent = stream::iter(parts.to_vec()).map(|part| Ok::<_, std::io::Error>(Bytes::from(part)));
    Body::from_stream(sent.chain(stream::pending())).into_response()
}

/// Sends this and closes.
fn closed(parts: &[String]) -> Response {
    parts.concat().into_response()
}

/// The pods that it tells of, once that is so or a while has gone by.
fn pods_when(collector: &mut dyn Collector, is: impl Fn(&[String]) -> bool) -> Vec<String> {
    let mut pods = Vec::new();
    for _ in 0..200 {
        let claims = collector.read(Depth::Inner).expect("a report").claims.expect("claims");
        let of_pods = claims.iter().filter(|claim| matches!(claim.about, About::Pod(_)));
        pods = of_pods.filter_map(|claim| claim.pod.clone()?.name).collect();
        if is(&pods) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    pods
}

#[test]
fn pages_are_read_and_changes_are_followed() {
    let server = Server::start(
        |count, _| match count {
            0 => list(&[pod("a")], "10", Some("more")),
            _ => list(&[pod("b")], "10", None),
        },
        |count, _| match count {
            0 => closed(&[event("ADDED", &pod("c")), event("DELETED", &pod("a")), event("BOOKMARK", &bookmark("77"))]),
            _ => open(&[]),
        },
    );
    let mut collector = server.collector().expect("opens");
    assert!(collector.found().starts_with("2 pods on node-1 by http://127.0.0.1"), "{}", collector.found());
    assert_eq!(pods_when(&mut *collector, |pods| pods == ["b", "c"]), ["b", "c"]);
    let node = collector.read(Depth::Full).expect("a report").node.expect("a node");
    assert_eq!((node.allocatable["cpu"], node.requested["cpu"], node.pods), (3.5, 2.0, 2));
    assert_eq!((node.pool(), node.labels.len()), (Some("gpu"), 1));
    for _ in 0..100 {
        if server.asked().len() > 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let asked = server.asked();
    assert!(asked[0].contains("fieldSelector=spec.nodeName%3Dnode-1") && asked[0].contains("limit=100"), "{asked:?}");
    assert!(asked[1].contains("continue=more"), "{asked:?}");
    assert!(asked[2].contains("resourceVersion=10") && asked[2].contains("allowWatchBookmarks=true"), "{asked:?}");
    assert!(asked[2].contains("timeoutSeconds=290"), "the page on Kubernetes counts with this: {asked:?}");
    assert!(asked[3].contains("resourceVersion=77"), "a bookmark saves a list: {asked:?}");
}

fn bookmark(version: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "resourceVersion": version } })
}

#[test]
fn what_is_too_old_is_listed_anew() {
    let server = Server::start(
        |count, _| {
            if count == 0 { list(&[pod("a"), pod("b")], "10", None) } else { list(&[pod("b")], "20", None) }
        },
        |count, _| {
            match count {
            0 => closed(&[json!({ "type": "ERROR", "object": { "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version" } }).to_string() + "\n"]),
            _ => open(&[]),
        }
        },
    );
    let mut collector = server.collector().expect("opens");
    assert_eq!(pods_when(&mut *collector, |pods| pods == ["b"]), ["b"], "what went in between is gone");
}

#[test]
fn a_server_that_breaks_off_loses_nothing() {
    let server = Server::start(
        |_, _| list(&[pod("a")], "10", None),
        |count, _| match count {
            // Half a line; an object that is none; a server error; nothing at all; and at last a pod.
            0 => closed(&[event("ADDED", &pod("b"))[..40].to_owned()]),
            1 => closed(&["{\"type\":\"ADDED\",\"object\":17}\n".to_owned()]),
            2 => refused(500, "InternalError", "etcd is away"),
            3 => closed(&[]),
            _ => open(&[event("MODIFIED", &pod("c"))]),
        },
    );
    let mut collector = server.collector().expect("opens");
    assert_eq!(pods_when(&mut *collector, |pods| pods == ["a", "c"]), ["a", "c"]);
}

#[test]
fn a_list_that_fails_for_long_takes_the_collector_down() {
    // What is too old is listed anew, and that fails: each try begins well, and comes to nothing.
    let server = Server::start(
        |count, _| {
            if count == 0 { list(&[pod("a")], "10", None) } else { refused(500, "InternalError", "etcd is away") }
        },
        |_, _| closed(&[expired()]),
    );
    let mut collector = server.collector().expect("opens");
    let down = (0..800).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        collector.read(Depth::Inner).err()
    });
    assert!(matches!(&down, Some(Error::Failed(why)) if why.contains("etcd is away")), "{down:?}");
}

fn expired() -> String {
    let message = "too old resource version";
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410, "reason": "Expired", "message": message });
    json!({ "type": "ERROR", "object": status }).to_string() + "\n"
}

#[test]
fn a_large_pod_costs_what_is_kept_of_it() {
    let server = Server::start(
        |_, _| {
            let mut large = pod("a");
            let annotations: serde_json::Map<String, Value> =
                (0..5000).map(|n| (format!("x{n}"), "y".repeat(400).into())).collect();
            large["metadata"]["annotations"] = annotations.into();
            list(&[large], "10", None)
        },
        |_, _| open(&[]),
    );
    let mut collector = server.collector().expect("opens");
    let claims = collector.read(Depth::Full).expect("a report").claims.expect("claims");
    assert!(claims.iter().all(|claim| format!("{claim:?}").len() < 4000));
}

#[test]
fn a_right_that_is_missing_is_named_and_no_secret_is() {
    let server = Server::start(
        |_, _| refused(403, "Forbidden", "pods is forbidden: User \"x\" cannot list resource \"pods\""),
        |_, _| open(&[]),
    );
    let Err(error) = server.collector() else { panic!("it has no right") };
    let told = error.to_string();
    assert!(told.contains("cannot list resource") && told.contains("needs list and watch of pods and nodes"), "{told}");
    assert!(!told.contains("secret-token"));
}

#[test]
fn outside_a_pod_there_is_nothing_to_follow() {
    let context =
        Context { clock: Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH)), wake: Stop::default(), node: String::new() };
    let absent = Config { kubeconfig: Some(PathBuf::from("/nowhere/kubeconfig")), ..Config::default() };
    let Err(error) = super::open(&absent, &context) else { panic!("there is no file") };
    assert!(matches!(&error, Error::Failed(why) if why.starts_with("/nowhere/kubeconfig: ")), "{error}");
    // Unless the tests run in a pod themselves.
    if let Err(error) = super::open(&Config::default(), &context) {
        assert!(matches!(&error, Error::NotFound(why) if why.contains("collect.kubernetes.kubeconfig")), "{error}");
    }
}

#[test]
fn certificates_change_and_so_may_their_authority() {
    let (first, second) = (authority(), authority());
    let acceptor = Arc::new(Mutex::new(certificate(&first)));
    // Nobody is kept: each watch ends at once, and the next begins with a handshake.
    let lists: Answer = |count, _| gone(list(&[pod(&format!("list-{count}"))], "10", None));
    let watches: Answer = |count, _| match count {
        0 => gone(closed(&[])),
        1 => gone(closed(&[event("ADDED", &pod("b"))])),
        _ => gone(closed(&[expired()])),
    };
    let mut server = Server::start_with_certificate(lists, watches, &acceptor);
    server.authority = Some(first.pem());
    let mut collector = server.collector().expect("opens");
    // Another of the same authority: nothing is to be noticed.
    *acceptor.lock().expect("a certificate") = certificate(&first);
    let is_there = |pods: &[String]| pods.iter().any(|pod| pod == "b");
    assert!(is_there(&pods_when(&mut *collector, is_there)));
    // Another authority: it is down in the end, and says why; opened anew with what is then told of, it is up.
    *acceptor.lock().expect("a certificate") = certificate(&second);
    let down = (0..800).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        collector.read(Depth::Inner).err()
    });
    assert!(matches!(&down, Some(Error::Failed(why)) if why.contains("certificate")), "{down:?}");
    let Err(refused) = server.collector() else { panic!("nobody vouches for it") };
    assert!(refused.to_string().contains("certificate"), "{refused}");
    server.authority = Some(second.pem());
    let mut collector = server.collector().expect("opens");
    assert!(!pods_when(&mut *collector, |pods| !pods.is_empty()).is_empty());
}
