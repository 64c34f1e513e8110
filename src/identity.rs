//! Who is who: the things a node has, their keys, and what several sources say of one of them.
//!
//! ```text
//! Node ─┬─ Pod ── Container (a Run each time it is started) ── serves or trains: Model
//!       │   └──── Workload owns pods, or is a container of a plain engine
//!       └─ Device (whole, a slice of a parent, a time share) ── allocated to and used by Containers
//! ```
//!
//! Pure. A *fact* from a new source (Kubernetes, CRI) is a line in [`claim::SOURCES`] and a collector that reports
//! [`ContainerClaim`]s; a new *thing* or a part of a key is a type in [`things`].

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod allocation;
pub mod autoscaler;
pub mod cgroup;
pub mod claim;
pub mod image;
pub mod node;
pub mod owner;
pub mod things;

pub use allocation::Allocation;
pub use autoscaler::Autoscaler;
pub use cgroup::from_proc_cgroup;
pub use claim::{About, Claims, ContainerClaim, Devices, FieldSource, Source, Sourced};
pub use image::split_image;
pub use things::{Device, Link, Model, ModelKey, Pod, Relation, Role, Run, Share, Termination, Workload, WorkloadKind};
