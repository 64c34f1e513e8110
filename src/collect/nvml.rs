//! NVIDIA GPUs through NVML, device by device: utilization, memory, power, energy, temperature, and who holds memory.
//!
//! The library is loaded when the collector opens; without one, or without a GPU, the collector is absent and tried again
//! later. Each signal is optional: what a driver or device lacks is unknown, and a lost device takes only itself along.
//! Which container a process belongs to is found by its cgroup; joining names is left to `analysis`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nvml_wrapper::enum_wrappers::device::{Sampling, TemperatureSensor};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};
use serde::Deserialize;

use super::{Collector, Context, Entry, Error};
use crate::clock::Clock;
use crate::health::Brings;
use crate::identity::from_proc_cgroup;
use crate::reading::{Depth, GpuProcess, GpuReading, Report};
use crate::signal::gpu::id as signal;

/// NVML's place in the list.
pub const ENTRY: Entry = Entry {
    name: "nvml",
    without: "NVIDIA GPUs are not seen",
    brings: Brings::Devices,
    // Its readings are joined with containers, so its metrics are the snapshot's.
    open: |config, context| Ok(Box::new(Gpus::open(&config.gpu, &config.cgroup.proc, context)?)),
};

/// Options for GPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// NVML's library, a path; by default it is searched for where drivers put it.
    pub nvml_library: Option<PathBuf>,
}

const VENDOR: &str = "nvidia";
/// The name by which the system's loader finds it.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// Where drivers put it that the loader does not look at: driver containers, the GPU operator, GKE, NixOS, WSL.
const FOLDERS: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/nvidia/lib64",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "/run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "/run/nvidia/driver/usr/lib64",
    "/home/kubernetes/bin/nvidia/lib64",
    "/run/opengl-driver/lib",
    "/usr/lib/wsl/lib",
];

struct Gpus {
    nvml: Nvml,
    driver: Option<String>,
    count: u32,
    proc: PathBuf,
    clock: Arc<dyn Clock>,
    /// What does not change of a device, by index: a lost one cannot tell it any longer.
    identities: BTreeMap<u32, Identity>,
}

#[derive(Clone)]
struct Identity {
    id: String,
    model: Option<String>,
    /// The driver's time of the last sample of utilization that was read, in microseconds.
    sampled: Option<u64>,
}

impl Gpus {
    fn open(config: &Config, proc: &Path, context: &Context) -> Result<Self, Error> {
        let nvml = match &config.nvml_library {
            Some(path) => load(path).map_err(|error| match error {
                // A path that somebody wrote down is expected to be there.
                NvmlError::LibloadingError(error) => Error::Failed(format!("gpu.nvml_library: {error}")),
                error => failed(&error),
            })?,
            None => found()?,
        };
        let count = nvml.device_count().map_err(|error| failed(&error))?;
        if count == 0 {
            return Err(Error::NotFound("a GPU, though the NVIDIA driver is there".to_owned()));
        }
        let driver = nvml.sys_driver_version().ok();
        let (proc, clock) = (proc.to_owned(), Arc::clone(&context.clock));
        let mut gpus = Self { nvml, driver, count, proc, clock, identities: BTreeMap::new() };
        gpus.meet();
        Ok(gpus)
    }

    /// Learns who stands in each place. One that does not say, as it is lost, is who stood there before.
    fn meet(&mut self) {
        for index in 0..self.count {
            let Ok(device) = self.nvml.device_by_index(index) else { continue };
            let Ok(id) = device.uuid() else { continue };
            if self.identities.get(&index).is_none_or(|known| known.id != id) {
                self.identities.insert(index, Identity { id, model: device.name().ok(), sampled: None });
            }
        }
        self.identities.retain(|index, _| *index < self.count);
    }

    fn read_device(&mut self, index: u32, depth: Depth) -> GpuReading {
        let known = self.identities.get(&index).cloned();
        let mut sampled = known.as_ref().and_then(|known| known.sampled);
        let id = known.as_ref().map_or_else(|| format!("gpu-{index}"), |known| known.id.clone());
        let mut reading = GpuReading {
            identified: known.is_some(),
            model: known.and_then(|known| known.model),
            driver: self.driver.clone(),
            depth,
            ..GpuReading::unread(id, index, VENDOR, self.clock.moment())
        };
        let mut signals = Signals::default();
        if let Some(device) = signals.take(self.nvml.device_by_index(index)) {
            let values = &mut reading.signals.values;
            let busy = signals.take(utilization(&device, &mut sampled));
            values.real(const { signal("utilization") }, busy.flatten());
            let memory = signals.take(device.memory_info()).filter(|memory| memory.used <= memory.total);
            values.count(const { signal("memory_used") }, memory.as_ref().map(|memory| memory.used));
            let total = memory.map(|memory| memory.total);
            values.count(const { signal("memory_total") }, total);
            let milliwatts = signals.take(device.power_usage());
            values.real(const { signal("power") }, milliwatts.map(|milliwatts| f64::from(milliwatts) / 1e3));
            if depth == Depth::Full {
                let millijoules = signals.take(device.total_energy_consumption());
                values.real(const { signal("energy") }, millijoules.map(|millijoules| millijoules as f64 / 1e3));
                let celsius = signals.take(device.temperature(TemperatureSensor::Gpu));
                values.real(const { signal("temperature") }, celsius.map(f64::from));
                let most = total.unwrap_or(u64::MAX);
                reading.processes = signals.take(processes(&device)).map(|all| self.resolve(all, most));
            }
        }
        reading.ok = signals.ok();
        if let Some(known) = self.identities.get_mut(&index) {
            known.sampled = sampled;
        }
        reading
    }

    /// The processes, each once, with the container its cgroup names. More memory than the device has is no answer.
    fn resolve(&self, all: Vec<ProcessInfo>, most: u64) -> Vec<GpuProcess> {
        let mut processes: BTreeMap<u32, GpuProcess> = BTreeMap::new();
        for info in all {
            let memory = match info.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes).filter(|bytes| *bytes <= most),
                UsedGpuMemory::Unavailable => None,
            };
            // One that computes and draws is told of twice, with the same memory.
            let process = processes.entry(info.pid).or_insert_with(|| {
                let cgroup = fs::read_to_string(self.proc.join(info.pid.to_string()).join("cgroup")).ok();
                let container = cgroup.as_deref().and_then(from_proc_cgroup).map(|identity| identity.id);
                GpuProcess { pid: info.pid, container, resolved: cgroup.is_some(), memory }
            });
            process.memory = process.memory.max(memory);
        }
        processes.into_values().collect()
    }
}

/// Share of the time since the last reading in which a kernel ran.
///
/// The driver's rate tells of the last sixth of a second alone: with a reading each second, work that comes in bursts is missed, all of it
/// where it keeps step with the readings (seen on an H200: half of each second busy, and 0 % in twelve readings of twelve). So every sample
/// that the driver took since is read, and the rate only where it keeps none.
fn utilization(device: &Device<'_>, sampled: &mut Option<u64>) -> Result<Option<f64>, NvmlError> {
    let samples = device.samples(Sampling::GpuUtilization, *sampled).unwrap_or_default();
    let Some(newest) = samples.iter().map(|sample| sample.timestamp).max() else {
        return device.utilization_rates().map(|rates| share(rates.gpu));
    };
    // What was sampled before the first reading is not of its time.
    let first = sampled.replace(newest).is_none();
    let shares = samples.iter().filter(|sample| !first || sample.timestamp == newest).filter_map(|sample| {
        let SampleValue::U32(percent) = sample.value else { return None };
        share(percent)
    });
    let (sum, count) = shares.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
    Ok((count > 0.0).then(|| sum / count))
}

/// Corrupt values occur: more than all of it is no answer.
fn share(percent: u32) -> Option<f64> {
    (percent <= 100).then(|| f64::from(percent) / 100.0)
}

impl Collector for Gpus {
    fn found(&self) -> String {
        let mut models: BTreeMap<&str, u32> = BTreeMap::new();
        for known in self.identities.values() {
            let count = models.entry(known.model.as_deref().unwrap_or("unknown")).or_default();
            *count = count.saturating_add(1);
        }
        let models: Vec<String> = models.into_iter().map(|(model, count)| format!("{count} x {model}")).collect();
        let silent = (self.count as usize).saturating_sub(self.identities.len());
        let silent = if silent > 0 { format!(", {silent} that do not answer") } else { String::new() };
        let driver = self.driver.as_deref().unwrap_or("of unknown version");
        format!("{}{silent}; driver {driver}", models.join(", "))
    }

    fn read(&mut self, depth: Depth) -> Result<Report, Error> {
        if depth == Depth::Full {
            self.count = self.nvml.device_count().map_err(|error| failed(&error))?;
            self.meet();
        }
        let gpus: Vec<GpuReading> = (0..self.count).map(|index| self.read_device(index, depth)).collect();
        if gpus.is_empty() {
            return Err(Error::NotFound("a GPU any longer, though the NVIDIA driver is there".to_owned()));
        }
        Ok(Report { gpus: Some(gpus), ..Report::default() })
    }
}

/// What a device's answers say of the device itself.
#[derive(Default)]
struct Signals {
    answered: bool,
    lost: bool,
}

impl Signals {
    fn take<T>(&mut self, answer: Result<T, NvmlError>) -> Option<T> {
        self.answered |= answer.is_ok();
        self.lost |= matches!(answer, Err(NvmlError::GpuLost | NvmlError::ResetRequired));
        answer.ok()
    }

    fn ok(&self) -> Option<bool> {
        if self.lost { Some(false) } else { self.answered.then_some(true) }
    }
}

/// Processes that compute, and those that draw. Drivers before 510 have the older call only.
fn processes(device: &Device<'_>) -> Result<Vec<ProcessInfo>, NvmlError> {
    let compute = match device.running_compute_processes() {
        Err(NvmlError::FailedToLoadSymbol(_)) => device.running_compute_processes_v2(),
        told => told,
    };
    let graphics = device.running_graphics_processes();
    match (compute, graphics) {
        (Ok(mut all), Ok(more)) => {
            all.extend(more);
            Ok(all)
        }
        (Ok(all), Err(_)) | (Err(_), Ok(all)) => Ok(all),
        (Err(error), Err(_)) => Err(error),
    }
}

fn load(path: &Path) -> Result<Nvml, NvmlError> {
    Nvml::builder().lib_path(path.as_os_str()).init()
}

/// The library where the loader or a driver has it.
fn found() -> Result<Nvml, Error> {
    let usual = std::iter::once(PathBuf::from(LIBRARY));
    let elsewhere = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY)).filter(|path| path.exists());
    for path in usual.chain(elsewhere) {
        match load(&path) {
            Ok(nvml) => return Ok(nvml),
            Err(NvmlError::LibloadingError(_)) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(Error::NotFound(format!("{LIBRARY} (gpu.nvml_library names one elsewhere)")))
}

/// A driver that is not loaded or has no device is absent; all else is a fault.
fn failed(error: &NvmlError) -> Error {
    match error {
        NvmlError::DriverNotLoaded => Error::NotFound("a loaded NVIDIA driver".to_owned()),
        NvmlError::NotFound => Error::NotFound("a GPU, by the NVIDIA driver".to_owned()),
        NvmlError::LibRmVersionMismatch => Error::Failed(
            "NVML and the NVIDIA driver are of different versions; a restart of the host usually mends it".to_owned(),
        ),
        NvmlError::NoPermission => {
            Error::Failed("NVML: no permission; /dev/nvidiactl and /dev/nvidia0 must be readable".to_owned())
        }
        error => Error::Failed(format!("NVML: {error}")),
    }
}
