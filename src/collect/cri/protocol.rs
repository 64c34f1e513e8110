//! The messages of `runtime.v1.RuntimeService`, as far as they are read (kubernetes/cri-api, `pkg/apis/runtime/v1/api.proto`).
//! Annotations are passed over: they may be large, and hold what is not ours.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

/// Tells who the runtime is.
pub const VERSION: &str = "/runtime.v1.RuntimeService/Version";
/// Lists sandboxes of pods.
pub const SANDBOXES: &str = "/runtime.v1.RuntimeService/ListPodSandbox";
/// Lists containers.
pub const CONTAINERS: &str = "/runtime.v1.RuntimeService/ListContainers";
/// Tells more of one container.
pub const STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";

/// The request of [`VERSION`], [`SANDBOXES`] (all) and [`CONTAINERS`] (all).
#[derive(Clone, PartialEq, Message)]
pub struct Request {}

#[derive(Clone, PartialEq, Message)]
pub struct Version {
    #[prost(string, tag = "2")]
    pub runtime_name: String,
    #[prost(string, tag = "3")]
    pub runtime_version: String,
}

/// The answer to [`SANDBOXES`], each a [`Sandbox`], and to [`CONTAINERS`], each a [`Container`].
#[derive(Clone, PartialEq, Message)]
pub struct Listed {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub items: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sandbox {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<SandboxMetadata>,
    /// 0: ready, 1: not ready.
    #[prost(int32, tag = "3")]
    pub state: i32,
    /// Nanoseconds since the epoch.
    #[prost(int64, tag = "4")]
    pub created_at: i64,
    #[prost(btree_map = "string, string", tag = "5")]
    pub labels: BTreeMap<String, String>,
}

/// The state of a [`Sandbox`] that runs.
pub const READY: i32 = 0;

#[derive(Clone, PartialEq, Message)]
pub struct SandboxMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uid: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Container {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub pod_sandbox_id: String,
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "4")]
    pub image: Option<Image>,
    /// 0: created, 1: running, 2: exited, 3: unknown.
    #[prost(int32, tag = "6")]
    pub state: i32,
    /// Nanoseconds since the epoch.
    #[prost(int64, tag = "7")]
    pub created_at: i64,
    #[prost(btree_map = "string, string", tag = "8")]
    pub labels: BTreeMap<String, String>,
}

/// The state of a [`Container`] that has not run yet.
pub const CREATED: i32 = 0;
/// The state of a [`Container`] that has ended.
pub const EXITED: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    /// How often it was made before, in its sandbox.
    #[prost(uint32, tag = "2")]
    pub attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// A reference or an id.
    #[prost(string, tag = "1")]
    pub image: String,
    /// As it was asked for; newer runtimes tell it.
    #[prost(string, tag = "18")]
    pub user_specified_image: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct StatusRequest {
    #[prost(string, tag = "1")]
    pub container_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct StatusAnswer {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// Nanoseconds since the epoch; 0 for never.
    #[prost(int64, tag = "5")]
    pub started_at: i64,
    /// Nanoseconds since the epoch; 0 for never.
    #[prost(int64, tag = "6")]
    pub finished_at: i64,
    #[prost(int32, tag = "7")]
    pub exit_code: i32,
    #[prost(message, optional, tag = "8")]
    pub image: Option<Image>,
    /// A reference with a digest, or an id.
    #[prost(string, tag = "9")]
    pub image_ref: String,
    /// `OOMKilled` where it ended so.
    #[prost(string, tag = "10")]
    pub reason: String,
    #[prost(message, optional, tag = "16")]
    pub resources: Option<Resources>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Resources {
    #[prost(message, optional, tag = "1")]
    pub linux: Option<Linux>,
}

/// Zero is "not set".
#[derive(Clone, PartialEq, Message)]
pub struct Linux {
    /// Microseconds.
    #[prost(int64, tag = "1")]
    pub cpu_period: i64,
    /// Microseconds in a period.
    #[prost(int64, tag = "2")]
    pub cpu_quota: i64,
    #[prost(int64, tag = "3")]
    pub cpu_shares: i64,
    #[prost(int64, tag = "4")]
    pub memory_limit_in_bytes: i64,
}
