//! The signals of a container.

use super::Part::{Increase, Last, Max, Mean, P95};
use super::{Each, Id, Signal, Table};
use crate::metric::Kind::{Counter, Gauge, UpDown};
use crate::metric::{Metric, metric};

/// A container's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container;

/// The signal with this key.
#[must_use]
pub const fn id(key: &str) -> Id<Container> {
    Id::of(key)
}

const NANOSECONDS: f64 = 1e9;
const MICROSECONDS: f64 = 1e6;

const DEVICE: Each = Each { attributes: &["system.device"], field: "device" };
/// The container's own network namespace has these.
pub const INTERFACE: Each = Each { attributes: &["network.interface.name"], field: "interface" };

const CPU_TIME: Metric =
    metric("container.cpu.time", Counter, "s", &["cpu.mode"], "CPU time used, by mode (user, system).");
const PAGING_FAULTS: Metric = metric(
    "container.paging.faults",
    Counter,
    "{fault}",
    &["system.paging.fault.type"],
    "Page faults, by type (major, minor).",
);
const DISK_IO: Metric = metric(
    "container.disk.io",
    Counter,
    "By",
    &["disk.io.direction", "system.device"],
    "Bytes moved on block devices, by direction (read, write).",
);
const NETWORK_IO: Metric = metric(
    "container.network.io",
    Counter,
    "By",
    &["network.io.direction", "network.interface.name"],
    "Bytes over the container's network namespace, by direction (receive, transmit); a shared namespace is reported once, the host's not at all.",
);
const PRESSURE: Metric = metric(
    "plumbline.container.pressure.time",
    Counter,
    "s",
    &["plumbline.pressure.resource", "plumbline.pressure.kind"],
    "Time stalled for a resource (cpu, memory, io): some or all (full) tasks. CPU throttling counts as pressure too.",
);

/// Time stalled for a resource.
const fn pressure(
    key: &'static str,
    series: &'static [(&'static str, &'static str)],
    column: &'static str,
    about: &'static str,
) -> Signal {
    Signal::time(key, MICROSECONDS, PRESSURE).series(series).minute(column, about, &[Increase])
}

impl Table for Container {
    const SIGNALS: &'static [Signal] = &[
        Signal::real("uptime", metric("container.uptime", Gauge, "s", &[], "Time since the container started."))
            .every_tick(),
        Signal::count(
            "restarts",
            metric(
                "plumbline.container.restarts",
                UpDown,
                "{restart}",
                &[],
                "How often the runtime has restarted the container of its own accord.",
            ),
        )
        .minute("restarts", "restarts by the runtime in all", &[Last]),
        Signal::real(
            "cpu.usage",
            metric("container.cpu.usage", Gauge, "{cpu}", &[], "CPU used over the last full tick, in cores."),
        )
        .every_tick()
        .minute("cpu_usage", "CPU used, in cores", &[Mean, Max, P95])
        .rate_of("cpu.time")
        .read_back(&[Mean, Max, P95]),
        Signal::new("cpu.time", super::Form::Time(NANOSECONDS), None).every_tick().minute(
            "cpu_time",
            "CPU time used, in seconds",
            &[Increase],
        ),
        Signal::time("cpu.time_user", NANOSECONDS, CPU_TIME).series(&[("cpu.mode", "user")]).minute(
            "cpu_time_user",
            "CPU time in user mode, in seconds",
            &[Increase],
        ),
        Signal::time("cpu.time_system", NANOSECONDS, CPU_TIME).series(&[("cpu.mode", "system")]).minute(
            "cpu_time_system",
            "CPU time in kernel mode, in seconds",
            &[Increase],
        ),
        Signal::real(
            "cpu.limit",
            metric("plumbline.container.cpu.limit", UpDown, "{cpu}", &[], "CPU limit in cores; absent without one."),
        )
        .minute("cpu_limit", "CPU limit in cores, null without one", &[Last])
        .read_back(&[Last]),
        Signal::real(
            "cpu.request",
            metric(
                "plumbline.container.cpu.request",
                UpDown,
                "{cpu}",
                &[],
                "CPU request in cores; absent if it is unset or unknown.",
            ),
        )
        .minute("cpu_request", "CPU request in cores, null if none or unknown", &[Last])
        .read_back(&[Last]),
        Signal::count(
            "cpu.periods",
            metric(
                "plumbline.container.cpu.periods",
                Counter,
                "{period}",
                &[],
                "CFS enforcement periods that elapsed.",
            ),
        )
        .minute("cpu_periods", "CFS periods elapsed", &[Increase])
        .read_back(&[Increase]),
        Signal::count(
            "cpu.throttled_periods",
            metric(
                "plumbline.container.cpu.throttled.periods",
                Counter,
                "{period}",
                &[],
                "CFS enforcement periods in which the container was throttled.",
            ),
        )
        .minute("cpu_throttled_periods", "CFS periods throttled", &[Increase])
        .read_back(&[Increase]),
        Signal::time(
            "cpu.throttled_time",
            NANOSECONDS,
            metric(
                "plumbline.container.cpu.throttled.time",
                Counter,
                "s",
                &[],
                "Time the container's tasks stood throttled.",
            ),
        )
        .minute("cpu_throttled_time", "time tasks stood throttled, in seconds", &[Increase]),
        Signal::count(
            "memory.usage",
            metric("container.memory.usage", UpDown, "By", &[], "Memory charged, page cache included."),
        )
        .every_tick()
        .minute("memory_usage", "memory charged, in bytes", &[Mean, Max, P95]),
        Signal::count(
            "memory.working_set",
            metric("container.memory.working_set", UpDown, "By", &[], "Memory usage less inactive file pages."),
        )
        .every_tick()
        .minute("memory_working_set", "usage less inactive file pages, in bytes", &[Mean, Max, P95])
        .read_back(&[Mean, Max]),
        Signal::count("memory.rss", metric("container.memory.rss", UpDown, "By", &[], "Anonymous memory.")).minute(
            "memory_rss",
            "anonymous memory in bytes",
            &[Last],
        ),
        Signal::count(
            "memory.limit",
            metric("plumbline.container.memory.limit", UpDown, "By", &[], "Memory limit; absent without one."),
        )
        .minute("memory_limit", "memory limit in bytes, null without one", &[Last])
        .read_back(&[Last]),
        Signal::count(
            "memory.request",
            metric(
                "plumbline.container.memory.request",
                UpDown,
                "By",
                &[],
                "Memory request (soft limit); absent if it is unset or unknown.",
            ),
        )
        .minute("memory_request", "memory request in bytes, null if none or unknown", &[Last])
        .read_back(&[Last]),
        Signal::count(
            "memory.available",
            metric(
                "container.memory.available",
                UpDown,
                "By",
                &[],
                "Memory limit less working set; absent without a limit.",
            ),
        ),
        Signal::count(
            "memory.oom_kills",
            metric(
                "plumbline.container.memory.oom_kills",
                Counter,
                "{kill}",
                &[],
                "Processes of the container that the kernel killed for want of memory.",
            ),
        )
        .minute("oom_kills", "processes killed for want of memory", &[Increase])
        .read_back(&[Increase]),
        Signal::count("memory.minor_faults", PAGING_FAULTS).series(&[("system.paging.fault.type", "minor")]).minute(
            "minor_faults",
            "page faults without disk",
            &[Increase],
        ),
        Signal::count("memory.major_faults", PAGING_FAULTS).series(&[("system.paging.fault.type", "major")]).minute(
            "major_faults",
            "page faults from disk",
            &[Increase],
        ),
        Signal::count(
            "pids.current",
            metric("plumbline.container.pids", UpDown, "{task}", &[], "Tasks (processes and threads)."),
        )
        .minute("pids", "tasks", &[Last]),
        Signal::count(
            "pids.limit",
            metric(
                "plumbline.container.pids.limit",
                UpDown,
                "{task}",
                &[],
                "The most tasks the container may have; absent without a limit.",
            ),
        ),
        Signal::count("network.receive", NETWORK_IO)
            .series(&[("network.io.direction", "receive")])
            .each(INTERFACE)
            .minute("network_receive", "bytes received; only on the row of the namespace's owner", &[Increase]),
        Signal::count("network.transmit", NETWORK_IO)
            .series(&[("network.io.direction", "transmit")])
            .each(INTERFACE)
            .minute("network_transmit", "bytes transmitted; only on the row of the namespace's owner", &[Increase]),
        Signal::count("disk.read", DISK_IO).series(&[("disk.io.direction", "read")]).each(DEVICE).minute(
            "disk_read",
            "bytes read from block devices",
            &[Increase],
        ),
        Signal::count("disk.write", DISK_IO).series(&[("disk.io.direction", "write")]).each(DEVICE).minute(
            "disk_write",
            "bytes written to block devices",
            &[Increase],
        ),
        pressure(
            "pressure.cpu.some",
            &[("plumbline.pressure.resource", "cpu"), ("plumbline.pressure.kind", "some")],
            "cpu_pressure_some",
            "time some task waited for CPU, in seconds",
        ),
        pressure(
            "pressure.cpu.full",
            &[("plumbline.pressure.resource", "cpu"), ("plumbline.pressure.kind", "full")],
            "cpu_pressure_full",
            "time every task waited for CPU, in seconds",
        ),
        pressure(
            "pressure.memory.some",
            &[("plumbline.pressure.resource", "memory"), ("plumbline.pressure.kind", "some")],
            "memory_pressure_some",
            "time some task waited for memory, in seconds",
        ),
        pressure(
            "pressure.memory.full",
            &[("plumbline.pressure.resource", "memory"), ("plumbline.pressure.kind", "full")],
            "memory_pressure_full",
            "time every task waited for memory, in seconds",
        ),
        pressure(
            "pressure.io.some",
            &[("plumbline.pressure.resource", "io"), ("plumbline.pressure.kind", "some")],
            "io_pressure_some",
            "time some task waited for block I/O, in seconds",
        ),
        pressure(
            "pressure.io.full",
            &[("plumbline.pressure.resource", "io"), ("plumbline.pressure.kind", "full")],
            "io_pressure_full",
            "time every task waited for block I/O, in seconds",
        ),
    ];
}
