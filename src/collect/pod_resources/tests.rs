use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use super::protocol::{CdiDevice, Claim, Memory, NumaNode, Pod};
use super::*;
use crate::collect::grpc::fake::{Answer, Server};

fn devices(resource: &str, ids: &[&str], node: Option<i64>) -> protocol::Devices {
    protocol::Devices {
        resource: resource.to_owned(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        topology: node.map(|id| Topology { nodes: vec![NumaNode { id }] }),
    }
}

fn container(name: &str, devices: Vec<protocol::Devices>) -> protocol::Container {
    protocol::Container { name: name.to_owned(), devices, ..protocol::Container::default() }
}

fn pod(name: &str, containers: &[protocol::Container]) -> Pod {
    let containers = containers.iter().map(|container| container.encode_to_vec().into()).collect();
    Pod { name: name.to_owned(), namespace: "ml".to_owned(), containers }
}

fn listed(pods: &[Pod]) -> Listed {
    Listed { pods: pods.iter().map(|pod| pod.encode_to_vec().into()).collect() }
}

/// The one claim of a list with one container.
fn only(container: protocol::Container) -> Option<ContainerClaim> {
    let mut claims = claims(&listed(&[pod("web-0", &[container])]), 10);
    claims.pop().map(Arc::unwrap_or_clone)
}

fn given(resource: &str, ids: &[&str]) -> Option<Devices> {
    only(container("main", vec![devices(resource, ids, None)])).expect("a claim").devices
}

fn named(ids: &[&str]) -> Devices {
    Devices::Named(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn what_was_set_aside_is_told_of_the_container_in_its_pod() {
    let claim = protocol::ClaimedDevice {
        cdi: vec![CdiDevice { name: "k8s.gpu.nvidia.com/device=gpu-0".to_owned() }],
        driver: "gpu.nvidia.com".to_owned(),
        pool: "node-1".to_owned(),
        device: "gpu-0".to_owned(),
    };
    let container = protocol::Container {
        name: "main".to_owned(),
        devices: vec![
            devices("nvidia.com/gpu", &["GPU-b"], Some(1)),
            devices("example.com/nic", &["x"], None),
            devices("nvidia.com/gpu", &["GPU-a"], Some(0)),
        ],
        cpu_ids: vec![3, 2, 3, -1],
        memory: vec![
            Memory {
                kind: "memory".to_owned(),
                size: 1 << 30,
                topology: Some(Topology { nodes: vec![NumaNode { id: 0 }] }),
            },
            Memory { kind: "hugepages-2Mi".to_owned(), size: 0, topology: None },
        ],
        dynamic_resources: vec![Claim { name: "one".to_owned(), namespace: "ml".to_owned(), devices: vec![claim] }],
    };
    let claim = only(container).expect("a claim");
    let about = About::Named { namespace: "ml".to_owned(), pod: "web-0".to_owned(), container: "main".to_owned() };
    assert_eq!((&claim.about, claim.source, claim.says_it_runs()), (&about, POD_RESOURCES, false));
    assert_eq!(claim.devices, Some(named(&["GPU-a", "GPU-b"])));
    let json = serde_json::to_value(&claim.allocated).expect("JSON");
    let expected = serde_json::json!({
        "devices": [
            { "resource": "example.com/nic", "ids": ["x"], "numa_nodes": [] },
            { "resource": "nvidia.com/gpu", "ids": ["GPU-a"], "numa_nodes": [0] },
            { "resource": "nvidia.com/gpu", "ids": ["GPU-b"], "numa_nodes": [1] },
        ],
        "claims": [{ "namespace": "ml", "name": "one", "devices": [{
            "driver": "gpu.nvidia.com", "pool": "node-1", "device": "gpu-0", "cdi": ["k8s.gpu.nvidia.com/device=gpu-0"],
        }] }],
        "exclusive_cpus": [2, 3],
        "memory": [{ "kind": "memory", "bytes": 1 << 30, "numa_nodes": [0] }],
    });
    assert_eq!(json, expected, "in order, and no CPU below zero, nor memory of no bytes");
}

#[test]
fn gpus_are_known_by_the_ids_that_drivers_know() {
    assert_eq!(
        given("nvidia.com/gpu", &["GPU-a::0", "GPU-a::1", "GPU-b"]),
        Some(named(&["GPU-a", "GPU-b"])),
        "by turns"
    );
    assert_eq!(given("nvidia.com/gpu.shared", &["GPU-a::7"]), Some(named(&["GPU-a"])));
    assert_eq!(given("nvidia.com/mig-1g.10gb", &["MIG-c"]), Some(named(&["MIG-c"])));
    assert_eq!(given("nvidia.com/gpu", &["1"]), Some(named(&["1"])), "a place");
    assert_eq!(given("amd.com/gpu", &["0000:c1:00.0"]), Some(named(&["0000:c1:00.0"])));
    assert_eq!(given("amd.com/gpu", &["1"]), None, "not the place of one of NVIDIA's");
    assert_eq!(given("gpu.intel.com/i915", &["card0-0"]), Some(named(&["card0-0"])));
    assert_eq!(given("example.com/fpga", &["GPU-a"]), None);
    let cdi = |name: &str| protocol::ClaimedDevice {
        cdi: vec![CdiDevice { name: name.to_owned() }],
        ..protocol::ClaimedDevice::default()
    };
    let claim = Claim { devices: vec![cdi("nvidia.com/gpu=GPU-a"), cdi("other.com/gpu=GPU-b")], ..Claim::default() };
    let by_claim = protocol::Container { dynamic_resources: vec![claim], ..container("main", Vec::new()) };
    assert_eq!(only(by_claim).expect("a claim").devices, Some(named(&["GPU-a"])));
}

#[test]
fn nothing_and_nobody_are_left_out() {
    assert_eq!(only(container("main", Vec::new())), None);
    assert_eq!(only(container("main", vec![devices("nvidia.com/gpu", &[], None)])), None, "no device");
    let some = || vec![devices("nvidia.com/gpu", &["GPU-a"], None)];
    assert_eq!(only(container("", some())), None, "of whom?");
    assert_eq!(only(container(&"x".repeat(1000), some())), None, "no name is so long");
    let odd = only(container("ma\u{1b}in\u{202e}", some())).expect("a claim");
    assert!(matches!(odd.about, About::Named { container, .. } if container == "ma\u{1b}in\u{202e}"), "as it is");
}

#[test]
fn a_list_of_any_length_is_bounded() {
    let pods: Vec<Pod> = (0..2000)
        .map(|place| pod(&format!("p{place}"), &[container("main", vec![devices("nvidia.com/gpu", &["GPU-a"], None)])]))
        .collect();
    assert_eq!(claims(&listed(&pods), 50).len(), 50);
    let ids: Vec<String> = (0..20_000).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let many = only(container("main", vec![devices("example.com/x", &ids, None)])).expect("a claim");
    assert_eq!(many.allocated.expect("an allocation").devices[0].ids.len(), MOST);
    // A million empty pods in two bytes each.
    let body: Vec<u8> = std::iter::repeat_n([0x0a, 0], 1 << 20).flatten().collect();
    assert!(claims(&Listed::decode(&body[..]).expect("a list"), 50).is_empty());
}

fn config(server: &Server) -> Config {
    Config { socket: server.path() }
}

#[test]
fn the_collector_says_what_a_kubelet_has_and_gave() {
    let all = Allocatable {
        devices: vec![
            devices("nvidia.com/gpu", &["GPU-a", "GPU-b"], Some(0)),
            devices("nvidia.com/gpu", &["GPU-c"], Some(1)),
        ],
        cpu_ids: vec![0, 1, 2, 3],
    };
    let list = listed(&[pod("web-0", &[container("main", vec![devices("nvidia.com/gpu", &["GPU-a"], None)])])]);
    let server = Server::start(move |method, _| match method {
        LIST => Answer::message(&list),
        ALLOCATABLE => Answer::message(&all),
        _ => Answer::Status(12, "unknown method"),
    });
    let mut collector = PodResources::open(&config(&server), 10).expect("open");
    assert_eq!(collector.found(), format!("kubelet at {}, 4 CPUs, 3 nvidia.com/gpu", server.path()));
    let mut claims = |depth| collector.read(depth).expect("a report").claims;
    let first = claims(Depth::Full).expect("claims");
    assert_eq!(first.len(), 1);
    assert!(claims(Depth::Inner).is_none(), "the kubelet is asked on full ticks");
    assert!(Arc::ptr_eq(&first, &claims(Depth::Full).expect("claims")), "the same again");
}

#[test]
fn an_old_kubelet_lists_and_another_server_is_absent() {
    let old = Server::start(|method, _| match method {
        LIST => Answer::message(&Listed::default()),
        _ => Answer::Status(12, "unknown method GetAllocatableResources"),
    });
    let collector = PodResources::open(&config(&old), 10).expect("open");
    assert_eq!(collector.found(), format!("kubelet at {}", old.path()));
    let other = Server::start(|_, _| Answer::Status(12, "unknown service v1.PodResourcesLister"));
    assert!(matches!(PodResources::open(&config(&other), 10), Err(Error::NotFound(_))));
    let nowhere = Config { socket: "/nowhere/kubelet.sock".to_owned() };
    assert!(matches!(PodResources::open(&nowhere, 10), Err(Error::NotFound(_))));
    let broken = Server::start(|_, _| Answer::Raw(vec![0x0a, 0xff]));
    assert!(matches!(PodResources::open(&config(&broken), 10), Err(Error::Failed(_))));
}

proptest! {
    /// Whatever the bytes of pods and of containers: claims with whole names, in one order, or none.
    #[test]
    fn any_bytes_are_survived(pods in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let list = Listed { pods: pods.into_iter().map(Bytes::from).collect() };
        for list in [Some(list), Listed::decode(&body[..]).ok()].into_iter().flatten() {
            for claim in claims(&list, 3) {
                prop_assert!(claim.allocated.as_ref().is_some_and(|given| !given.is_empty()));
            }
        }
        let _ = Allocatable::decode(&body[..]).map(|all| to_give(&all));
    }

    /// The order in which the kubelet lists makes no difference.
    #[test]
    fn the_kubelets_order_is_not_ours(resources in prop::collection::vec((0..3_u8, 0..4_u8, prop::option::of(0..2_i64)), 1..8), seed in any::<u64>()) {
        let all: Vec<_> = resources.iter().map(|(resource, id, node)| devices(&format!("x.com/{resource}"), &[&id.to_string()], *node)).collect();
        let mut other = all.clone();
        other.rotate_left(usize::try_from(seed % all.len() as u64).unwrap_or(0));
        other.reverse();
        prop_assert_eq!(only(container("main", all)), only(container("main", other)));
    }
}
