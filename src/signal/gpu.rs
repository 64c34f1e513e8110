//! The signals of a GPU.

use super::Part::{Increase, Last, Max, Mean, P95, Share};
use super::{Id, Signal, Table};
use crate::metric::Kind::{Counter, Gauge, UpDown};
use crate::metric::{Metric, metric};

/// A GPU's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gpu;

/// The signal with this key.
#[must_use]
pub const fn id(key: &str) -> Id<Gpu> {
    Id::of(key)
}

const STATUS: Metric = metric(
    "hw.status",
    UpDown,
    "1",
    &["hw.state"],
    "1 for the state the device is in (ok, failed), 0 for the other; failed when the driver has lost it.",
);
const STATE: Metric = metric(
    "plumbline.gpu.state",
    UpDown,
    "1",
    &["state"],
    "1 for the state the GPU is in, 0 for the others: active (computing), held_idle (memory resident, nothing computed), free (no process).",
);

/// A state that it is in or not; the API names the one that it is in.
const fn state(key: &'static str, metric: Metric, series: &'static [(&'static str, &'static str)]) -> Signal {
    Signal::count(key, metric).series(series).not_shown().every_tick()
}

/// A state that it is paid for.
const fn paid(
    key: &'static str,
    series: &'static [(&'static str, &'static str)],
    column: &'static str,
    about: &'static str,
) -> Signal {
    state(key, STATE, series).minute(column, about, &[Share]).read_back(&[Share])
}

impl Table for Gpu {
    const SIGNALS: &'static [Signal] = &[
        Signal::real(
            "utilization",
            metric(
                "hw.gpu.utilization",
                Gauge,
                "1",
                &["hw.gpu.task"],
                "Share of the driver's last sample period in which a kernel ran on the GPU.",
            ),
        )
        .series(&[("hw.gpu.task", "general")])
        .every_tick()
        .minute("utilization", "share of time a kernel ran", &[Mean, Max, P95])
        .read_back(&[Mean]),
        Signal::count(
            "memory_used",
            metric("hw.gpu.memory.usage", UpDown, "By", &[], "GPU memory in use, what the driver reserves left out."),
        )
        .every_tick()
        .minute("memory_used", "memory in use, in bytes", &[Mean, Max])
        .read_back(&[Max]),
        Signal::count("memory_total", metric("hw.gpu.memory.limit", UpDown, "By", &[], "GPU memory there is."))
            .every_tick()
            .minute("memory_total", "memory there is, in bytes", &[Last])
            .read_back(&[Last]),
        Signal::real(
            "memory_utilization",
            metric("hw.gpu.memory.utilization", Gauge, "1", &[], "Share of the GPU's memory in use."),
        )
        .every_tick(),
        Signal::real("power", metric("hw.power", Gauge, "W", &[], "Power the device draws.")).every_tick().minute(
            "power",
            "power, in watts",
            &[Mean, Max],
        ),
        Signal::real(
            "energy",
            metric("hw.energy", Counter, "J", &[], "Energy the device has used since its driver was loaded."),
        )
        .minute("energy", "energy used, in joules", &[Increase])
        .read_back(&[Increase]),
        Signal::real("temperature", metric("hw.temperature", Gauge, "Cel", &[], "Temperature of the device.")).minute(
            "temperature",
            "temperature in degrees Celsius",
            &[Max],
        ),
        state("status.ok", STATUS, &[("hw.state", "ok")]),
        state("status.failed", STATUS, &[("hw.state", "failed")]),
        paid("state.active", &[("state", "active")], "active", "it computed"),
        paid("state.held_idle", &[("state", "held_idle")], "held_idle", "memory was resident and nothing computed"),
        paid("state.free", &[("state", "free")], "free", "no process was on it"),
    ];
}
