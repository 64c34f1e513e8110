//! What is on the played node. Each line is there to show something; what, stands beside it.

/// The node's name.
pub const NODE: &str = "sample-node";
/// What the node has.
pub const CORES: f64 = 48.0;
/// In bytes.
pub const MEMORY: u64 = 192 * GIB;

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// How much of something is used in the course of a day.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// In the still of the night.
    pub low: f64,
    /// In the busiest hour.
    pub high: f64,
    /// The busiest hour, UTC.
    pub peak: f64,
    /// Of a weekend's day, as a share of a working day's.
    pub weekend: f64,
    /// By how much a minute differs from the one before, as a share.
    pub noise: f64,
}

const fn day(low: f64, high: f64, peak: f64) -> Load {
    Load { low, high, peak, weekend: 0.6, noise: 0.12 }
}

const fn steady(at: f64) -> Load {
    Load { low: at, high: at, peak: 0.0, weekend: 1.0, noise: 0.04 }
}

/// When a container of it runs.
#[derive(Debug, Clone, Copy)]
pub enum Runs {
    /// All the time; a new version comes every so many days.
    Always { rollout_days: i64 },
    /// Between two hours of each day, UTC.
    Between { from: i64, to: i64 },
    /// Until its memory ends, which takes so many hours; then it is begun anew.
    UntilMemoryEnds { hours: i64 },
}

/// A workload: one container in each of its pods.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    pub namespace: &'static str,
    /// As Kubernetes names it.
    pub kind: &'static str,
    pub name: &'static str,
    pub container: &'static str,
    pub image: &'static str,
    pub replicas: u32,
    pub runs: Runs,
    /// Cores that it would use if nothing stopped it.
    pub cpu: Load,
    pub cpu_request: Option<f64>,
    pub cpu_limit: Option<f64>,
    /// Bytes.
    pub memory: Load,
    pub memory_request: Option<u64>,
    pub memory_limit: Option<u64>,
    /// The model that it serves or trains.
    pub model: Option<(&'static str, Does)>,
}

/// What a container does with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Serves,
    Trains,
}

/// A GPU.
#[derive(Debug, Clone, Copy)]
pub struct Gpu {
    pub uuid: &'static str,
    /// The workload that holds it, by its place in [`WORKLOADS`], while that runs.
    pub holder: Option<usize>,
    /// The share of time that it computes while it is held.
    pub load: Load,
    /// Bytes that are held.
    pub held: u64,
}

/// What each GPU is.
pub const GPU_MODEL: &str = "NVIDIA L40S";
pub const GPU_MEMORY: u64 = 45 * GIB;
/// Watts, at rest and at work.
pub const GPU_POWER: (f64, f64) = (38.0, 320.0);

const MIBS: f64 = 1_048_576.0;
const GIBS: f64 = 1_073_741_824.0;

pub const WORKLOADS: &[Workload] = &[
    // Asks for far more than it uses: the saving that leads the list. It serves the model that drifts.
    Workload {
        namespace: "ml",
        kind: "Deployment",
        name: "housing",
        container: "server",
        image: "registry.example.com/ml/housing",
        replicas: 3,
        runs: Runs::Always { rollout_days: 6 },
        cpu: day(0.12, 0.7, 14.0),
        cpu_request: Some(4.0),
        cpu_limit: Some(4.0),
        memory: day(1.1 * GIBS, 1.4 * GIBS, 14.0),
        memory_request: Some(8 * GIB),
        memory_limit: Some(8 * GIB),
        model: Some(("housing", Does::Serves)),
    },
    // The right size.
    Workload {
        namespace: "ml",
        kind: "Deployment",
        name: "employment",
        container: "server",
        image: "registry.example.com/ml/employment",
        replicas: 2,
        runs: Runs::Always { rollout_days: 9 },
        cpu: day(0.3, 0.9, 13.0),
        cpu_request: Some(1.4),
        cpu_limit: None,
        memory: day(1.5 * GIBS, 1.6 * GIBS, 13.0),
        memory_request: Some(2400 * MIB),
        memory_limit: Some(2400 * MIB),
        model: Some(("employment", Does::Serves)),
    },
    // A GPU each night, and none by day.
    Workload {
        namespace: "ml",
        kind: "CronJob",
        name: "housing-train",
        container: "train",
        image: "registry.example.com/ml/train",
        replicas: 1,
        runs: Runs::Between { from: 1, to: 5 },
        cpu: steady(6.5),
        cpu_request: Some(8.0),
        cpu_limit: None,
        memory: steady(14.0 * GIBS),
        memory_request: Some(16 * GIB),
        memory_limit: Some(24 * GIB),
        model: Some(("housing", Does::Trains)),
    },
    // Busy by day, idle by night, on two GPUs.
    Workload {
        namespace: "assistant",
        kind: "Deployment",
        name: "llm",
        container: "vllm",
        image: "registry.example.com/assistant/vllm",
        replicas: 1,
        runs: Runs::Always { rollout_days: 8 },
        cpu: day(0.8, 3.2, 15.0),
        cpu_request: Some(5.0),
        cpu_limit: None,
        memory: day(21.0 * GIBS, 24.0 * GIBS, 15.0),
        memory_request: Some(32 * GIB),
        memory_limit: Some(32 * GIB),
        model: None,
    },
    // Holds a GPU and computes next to nothing.
    Workload {
        namespace: "research",
        kind: "StatefulSet",
        name: "notebook",
        container: "jupyter",
        image: "registry.example.com/research/jupyter",
        replicas: 1,
        runs: Runs::Always { rollout_days: 30 },
        cpu: day(0.02, 0.3, 10.0),
        cpu_request: Some(6.0),
        cpu_limit: Some(8.0),
        memory: day(3.0 * GIBS, 3.4 * GIBS, 10.0),
        memory_request: Some(24 * GIB),
        memory_limit: Some(24 * GIB),
        model: None,
    },
    // Throttled in its busy hours: its limit is too low.
    Workload {
        namespace: "shop",
        kind: "Deployment",
        name: "checkout",
        container: "api",
        image: "registry.example.com/shop/checkout",
        replicas: 2,
        runs: Runs::Always { rollout_days: 4 },
        cpu: day(0.25, 1.3, 17.0),
        cpu_request: Some(0.5),
        cpu_limit: Some(1.0),
        memory: day(380.0 * MIBS, 460.0 * MIBS, 17.0),
        memory_request: Some(512 * MIB),
        memory_limit: Some(768 * MIB),
        model: None,
    },
    // Its memory ends every two days.
    Workload {
        namespace: "shop",
        kind: "Deployment",
        name: "recommender",
        container: "worker",
        image: "registry.example.com/shop/recommender",
        replicas: 1,
        runs: Runs::UntilMemoryEnds { hours: 52 },
        cpu: day(0.2, 0.45, 18.0),
        cpu_request: Some(0.5),
        cpu_limit: None,
        memory: steady(520.0 * MIBS),
        memory_request: Some(GIB),
        memory_limit: Some(GIB),
        model: None,
    },
    // The right size, without a limit on CPU.
    Workload {
        namespace: "data",
        kind: "StatefulSet",
        name: "postgres",
        container: "postgres",
        image: "docker.io/library/postgres",
        replicas: 1,
        runs: Runs::Always { rollout_days: 40 },
        cpu: day(0.6, 1.7, 16.0),
        cpu_request: Some(2.6),
        cpu_limit: None,
        memory: day(6.2 * GIBS, 6.6 * GIBS, 16.0),
        memory_request: Some(9 * GIB),
        memory_limit: Some(9 * GIB),
        model: None,
    },
    // Asks for too little, and takes what others asked for.
    Workload {
        namespace: "data",
        kind: "CronJob",
        name: "etl",
        container: "etl",
        image: "registry.example.com/data/etl",
        replicas: 1,
        runs: Runs::Between { from: 5, to: 8 },
        cpu: steady(2.6),
        cpu_request: Some(0.5),
        cpu_limit: None,
        memory: steady(3.1 * GIBS),
        memory_request: Some(GIB),
        memory_limit: Some(6 * GIB),
        model: None,
    },
    // Asks for nothing.
    Workload {
        namespace: "kube-system",
        kind: "DaemonSet",
        name: "log-shipper",
        container: "shipper",
        image: "registry.example.com/platform/log-shipper",
        replicas: 1,
        runs: Runs::Always { rollout_days: 21 },
        cpu: day(0.03, 0.08, 15.0),
        cpu_request: None,
        cpu_limit: None,
        memory: steady(90.0 * MIBS),
        memory_request: None,
        memory_limit: None,
        model: None,
    },
];

pub const GPUS: &[Gpu] = &[
    Gpu {
        uuid: "GPU-5a3e0d7c-0000-4000-8000-000000000000",
        holder: Some(3),
        load: Load { low: 0.03, high: 0.92, peak: 15.0, weekend: 0.4, noise: 0.1 },
        held: 41 * GIB,
    },
    Gpu {
        uuid: "GPU-5a3e0d7c-0001-4000-8000-000000000001",
        holder: Some(3),
        load: Load { low: 0.02, high: 0.85, peak: 15.0, weekend: 0.4, noise: 0.1 },
        held: 41 * GIB,
    },
    Gpu {
        uuid: "GPU-5a3e0d7c-0002-4000-8000-000000000002",
        holder: Some(2),
        load: Load { low: 0.94, high: 0.97, peak: 3.0, weekend: 1.0, noise: 0.03 },
        held: 33 * GIB,
    },
    Gpu {
        uuid: "GPU-5a3e0d7c-0003-4000-8000-000000000003",
        holder: Some(4),
        load: Load { low: 0.0, high: 0.0, peak: 10.0, weekend: 0.0, noise: 0.0 },
        held: 11 * GIB,
    },
];

/// Predictions of a replayed model in a minute of its busiest hour, for what they cost before the replay begins.
pub const TRAFFIC: &[(&str, Load)] = &[("housing", day(8.0, 90.0, 14.0)), ("employment", day(30.0, 160.0, 13.0))];
