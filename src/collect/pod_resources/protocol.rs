//! The messages of `v1.PodResourcesLister`, as far as they are read (kubernetes/kubelet, `pkg/apis/podresources/v1/api.proto`).

use bytes::Bytes;
use prost::Message;

/// Lists pods with what was set aside for them.
pub const LIST: &str = "/v1.PodResourcesLister/List";
/// Tells what the node has to set aside.
pub const ALLOCATABLE: &str = "/v1.PodResourcesLister/GetAllocatableResources";

/// Both requests say nothing.
#[derive(Clone, PartialEq, Message)]
pub struct Request {}

/// The answer to [`LIST`].
#[derive(Clone, PartialEq, Message)]
pub struct Listed {
    /// Each a [`Pod`].
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub pods: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Pod {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// Each a [`Container`].
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub containers: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Container {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub devices: Vec<Devices>,
    #[prost(int64, repeated, tag = "3")]
    pub cpu_ids: Vec<i64>,
    #[prost(message, repeated, tag = "4")]
    pub memory: Vec<Memory>,
    #[prost(message, repeated, tag = "5")]
    pub dynamic_resources: Vec<Claim>,
}

/// The answer to [`ALLOCATABLE`].
#[derive(Clone, PartialEq, Message)]
pub struct Allocatable {
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<Devices>,
    #[prost(int64, repeated, tag = "2")]
    pub cpu_ids: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Devices {
    #[prost(string, tag = "1")]
    pub resource: String,
    #[prost(string, repeated, tag = "2")]
    pub ids: Vec<String>,
    #[prost(message, optional, tag = "3")]
    pub topology: Option<Topology>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Memory {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(uint64, tag = "2")]
    pub size: u64,
    #[prost(message, optional, tag = "3")]
    pub topology: Option<Topology>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Topology {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<NumaNode>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NumaNode {
    #[prost(int64, tag = "1")]
    pub id: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Claim {
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(message, repeated, tag = "4")]
    pub devices: Vec<ClaimedDevice>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ClaimedDevice {
    #[prost(message, repeated, tag = "1")]
    pub cdi: Vec<CdiDevice>,
    #[prost(string, tag = "2")]
    pub driver: String,
    #[prost(string, tag = "3")]
    pub pool: String,
    #[prost(string, tag = "4")]
    pub device: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CdiDevice {
    #[prost(string, tag = "1")]
    pub name: String,
}
