//! Reads one container's files, v1 or v2 as the layout says, into a reading.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::layout::{Hierarchy, Layout, Version};
use super::parse;
use crate::reading::{Detail, Pressure};

/// More than any of these files holds; what is longer is cut, not followed.
const MAX_FILE: usize = 1 << 20;
/// Takes `memory.stat` in one call: the kernel makes such files anew for each.
const USUAL_FILE: usize = 8 << 10;

/// Text files read into one buffer that is used again and again.
#[derive(Debug)]
pub struct TextReader {
    buffer: Vec<u8>,
}

impl Default for TextReader {
    fn default() -> Self {
        Self { buffer: vec![0; USUAL_FILE] }
    }
}

impl TextReader {
    /// The file's text, or `None` if it cannot be read (absent, gone since, forbidden, not UTF-8).
    pub fn read(&mut self, path: &Path) -> Option<&str> {
        let mut file = File::open(path).ok()?;
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                if length >= MAX_FILE {
                    break;
                }
                self.buffer.resize(length * 2, 0);
            }
            match file.read(&mut self.buffer[length..]).ok()? {
                0 => break,
                more => length += more,
            }
        }
        std::str::from_utf8(&self.buffer[..length]).ok()
    }
}

/// One container's folder in each hierarchy.
#[derive(Debug)]
pub struct ContainerFiles {
    cpu: Option<Folder>,
    cpuacct: Option<Folder>,
    memory: Option<Folder>,
    pids: Option<Folder>,
    io: Option<Folder>,
    pressure: Option<Folder>,
    kubernetes: bool,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    version: Version,
}

impl Folder {
    fn file(&self, v1: &str, v2: &str) -> PathBuf {
        self.path.join(match self.version {
            Version::V1 => v1,
            Version::V2 => v2,
        })
    }
}

/// What the inner tick reads.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Basics {
    pub cpu_usage_ns: Option<u64>,
    pub memory_usage: Option<u64>,
    pub memory_working_set: Option<u64>,
}

impl ContainerFiles {
    /// The files of the container whose cgroup lies at `path` below each hierarchy's root.
    pub fn new(layout: &Layout, path: &str, kubernetes: bool) -> Self {
        let folder = |hierarchy: &Option<Hierarchy>| {
            hierarchy.as_ref().map(|h| Folder { path: h.root.join(path.trim_start_matches('/')), version: h.version })
        };
        Self {
            cpu: folder(&layout.cpu),
            cpuacct: folder(&layout.cpuacct),
            memory: folder(&layout.memory),
            pids: folder(&layout.pids),
            io: folder(&layout.io),
            pressure: folder(&layout.pressure),
            kubernetes,
        }
    }

    /// CPU time and memory.
    pub fn basics(&self, text: &mut TextReader) -> Basics {
        let memory_usage = self
            .memory
            .as_ref()
            .and_then(|folder| parse::number(text.read(&folder.file("memory.usage_in_bytes", "memory.current"))?));
        let inactive_file = self.memory.as_ref().and_then(|folder| {
            let key = match folder.version {
                Version::V1 => "total_inactive_file",
                Version::V2 => "inactive_file",
            };
            parse::keyed(text.read(&folder.path.join("memory.stat"))?, key)
        });
        Basics {
            cpu_usage_ns: self.cpu_usage_ns(text),
            memory_usage,
            memory_working_set: memory_usage.zip(inactive_file).map(|(usage, inactive)| usage.saturating_sub(inactive)),
        }
    }

    fn cpu_usage_ns(&self, text: &mut TextReader) -> Option<u64> {
        let folder = self.cpuacct.as_ref()?;
        let stat = text.read(&folder.file("cpuacct.usage", "cpu.stat"))?;
        match folder.version {
            Version::V1 => parse::number(stat),
            Version::V2 => parse::keyed(stat, "usage_usec").map(|us| us.saturating_mul(1000)),
        }
    }

    /// Every other signal of the container's cgroup; its network lies elsewhere.
    pub fn detail(&self, text: &mut TextReader, device_name: &dyn Fn(&str) -> String) -> Detail {
        let mut detail = Detail::default();
        self.read_cpu_time(text, &mut detail);
        self.read_cpu_control(text, &mut detail);
        self.read_memory(text, &mut detail);
        if let Some(folder) = &self.pids {
            detail.pids = text.read(&folder.path.join("pids.current")).and_then(parse::number);
            detail.pids_limit = text.read(&folder.path.join("pids.max")).and_then(parse::limit);
        }
        if let Some(folder) = &self.io {
            let file = folder.file("blkio.throttle.io_service_bytes_recursive", "io.stat");
            detail.block_io = text.read(&file).map_or_else(Vec::new, |text| match folder.version {
                Version::V1 => parse::io_service_bytes(text, device_name),
                Version::V2 => parse::io_stat(text, device_name),
            });
        }
        if let Some(folder) = &self.pressure {
            let mut stall = |file| text.read(&folder.path.join(file)).and_then(parse::pressure);
            detail.pressure =
                Pressure { cpu: stall("cpu.pressure"), memory: stall("memory.pressure"), io: stall("io.pressure") };
        }
        detail
    }

    fn read_cpu_time(&self, text: &mut TextReader, detail: &mut Detail) {
        /// v1 counts in USER_HZ, which is 100 on every architecture Linux containers run on.
        const NS_PER_TICK: u64 = 10_000_000;
        let Some(folder) = &self.cpuacct else { return };
        let Some(stat) = text.read(&folder.file("cpuacct.stat", "cpu.stat")) else { return };
        let (user, system, unit) = match folder.version {
            Version::V1 => ("user", "system", NS_PER_TICK),
            Version::V2 => ("user_usec", "system_usec", 1000),
        };
        detail.cpu_user_ns = parse::keyed(stat, user).map(|v| v.saturating_mul(unit));
        detail.cpu_system_ns = parse::keyed(stat, system).map(|v| v.saturating_mul(unit));
    }

    fn read_cpu_control(&self, text: &mut TextReader, detail: &mut Detail) {
        let Some(folder) = &self.cpu else { return };
        if let Some(stat) = text.read(&folder.path.join("cpu.stat")) {
            detail.cpu_periods = parse::keyed(stat, "nr_periods");
            detail.cpu_throttled_periods = parse::keyed(stat, "nr_throttled");
            detail.cpu_throttled_ns = match folder.version {
                Version::V1 => parse::keyed(stat, "throttled_time"),
                Version::V2 => parse::keyed(stat, "throttled_usec").map(|us| us.saturating_mul(1000)),
            };
        }
        match folder.version {
            Version::V1 => {
                let quota = text.read(&folder.path.join("cpu.cfs_quota_us")).and_then(|t| t.trim().parse().ok());
                let period = text.read(&folder.path.join("cpu.cfs_period_us")).and_then(parse::number);
                detail.cpu_limit = quota.zip(period).and_then(|(quota, period)| parse::quota(quota, period));
                // The kubelet sets shares to the request times 1024, and to the floor of 2 where there is none.
                // Elsewhere shares are a weight that somebody chose, not a request; on v2 the kernel keeps a weight
                // that two formulas may have made.
                detail.cpu_request = text
                    .read(&folder.path.join("cpu.shares"))
                    .and_then(parse::number)
                    .filter(|shares| self.kubernetes && *shares > 2)
                    .map(|shares| shares as f64 / 1024.0);
            }
            Version::V2 => {
                detail.cpu_limit = text.read(&folder.path.join("cpu.max")).and_then(parse::cpu_max);
            }
        }
    }

    fn read_memory(&self, text: &mut TextReader, detail: &mut Detail) {
        let Some(folder) = &self.memory else { return };
        let keys = match folder.version {
            Version::V1 => ["total_rss", "total_pgfault", "total_pgmajfault"],
            Version::V2 => ["anon", "pgfault", "pgmajfault"],
        };
        if let Some(stat) = text.read(&folder.path.join("memory.stat")) {
            let [rss, all_faults, major_faults] = keys.map(|key| parse::keyed(stat, key));
            detail.memory_rss = rss;
            detail.major_faults = major_faults;
            detail.minor_faults = all_faults.zip(major_faults).map(|(all, major)| all.saturating_sub(major));
        }
        let limit = text.read(&folder.file("memory.limit_in_bytes", "memory.max"));
        detail.memory_limit = match folder.version {
            Version::V1 => limit.and_then(parse::v1_memory_limit),
            Version::V2 => limit.and_then(parse::limit),
        };
        detail.oom_kills = text
            .read(&folder.file("memory.oom_control", "memory.events"))
            .and_then(|text| parse::keyed(text, "oom_kill"));
    }

    /// The first process of the container: its own, or of a cgroup the container made inside itself.
    /// `None` when it has none left, or they live in a PID namespace that is not visible from here (PID 0).
    pub fn any_pid(&self, text: &mut TextReader) -> Option<u32> {
        self.pids(text, 1).into_iter().next()
    }

    /// Up to `at_most` of the container's processes.
    pub fn pids(&self, text: &mut TextReader, at_most: usize) -> Vec<u32> {
        [&self.memory, &self.cpuacct, &self.cpu, &self.pids]
            .into_iter()
            .flatten()
            .next()
            .map_or_else(Vec::new, |folder| pids_below(&folder.path, text, at_most, 0))
    }
}

/// v2 keeps processes in leaves only, so an empty folder may have them further down (Podman's `container`, an init system).
fn pids_below(folder: &Path, text: &mut TextReader, at_most: usize, depth: usize) -> Vec<u32> {
    const MAX_DEPTH: usize = 4;
    let own: Vec<u32> = text.read(&folder.join("cgroup.procs")).map_or_else(Vec::new, |procs| {
        procs.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid != 0).take(at_most).collect()
    });
    if !own.is_empty() || depth == MAX_DEPTH {
        return own;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return own };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .map(|entry| pids_below(&entry.path(), text, at_most, depth + 1))
        .find(|pids| !pids.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::reading::{DeviceIo, Stall};

    fn lay_out(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temporary folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
            fs::write(path, text).expect("file");
        }
        dir
    }

    #[test]
    fn a_v2_container() {
        let dir = lay_out(&[
            ("cgroup.controllers", "cpu io memory pids\n"),
            (
                "c/cpu.stat",
                "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 10\nnr_throttled 4\nthrottled_usec 77\n",
            ),
            ("c/cpu.max", "50000 100000\n"),
            ("c/memory.current", "1000\n"),
            ("c/memory.stat", "anon 600\ninactive_file 300\npgfault 50\npgmajfault 5\n"),
            ("c/memory.max", "2000\n"),
            ("c/memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n"),
            ("c/pids.current", "7\n"),
            ("c/pids.max", "max\n"),
            ("c/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n"),
            (
                "c/cpu.pressure",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=8\n",
            ),
            ("c/container/cgroup.procs", "123\n"),
        ]);
        let layout = Layout::detect(dir.path()).expect("a layout");
        let files = ContainerFiles::new(&layout, "/c", false);
        let text = &mut TextReader::default();
        assert_eq!(
            files.basics(text),
            Basics { cpu_usage_ns: Some(1_500_000), memory_usage: Some(1000), memory_working_set: Some(700) }
        );
        let detail = files.detail(text, &|_| "sda".to_owned());
        let want = Detail {
            cpu_user_ns: Some(1_000_000),
            cpu_system_ns: Some(500_000),
            cpu_periods: Some(10),
            cpu_throttled_periods: Some(4),
            cpu_throttled_ns: Some(77_000),
            cpu_limit: Some(0.5),
            cpu_request: None,
            memory_rss: Some(600),
            memory_limit: Some(2000),
            oom_kills: Some(2),
            minor_faults: Some(45),
            major_faults: Some(5),
            pids: Some(7),
            pids_limit: None,
            block_io: vec![DeviceIo { device: "sda".to_owned(), read: 10, write: 20 }],
            network: Vec::new(),
            pressure: Pressure { cpu: Some(Stall { some: 9, full: Some(8) }), memory: None, io: None },
        };
        assert_eq!(detail, want);
        assert_eq!(files.any_pid(text), Some(123));
    }

    #[test]
    fn a_v1_container_of_kubernetes() {
        let dir = lay_out(&[
            ("cpu,cpuacct/c/cpuacct.usage", "1500000\n"),
            ("cpu,cpuacct/c/cpuacct.stat", "user 3\nsystem 2\n"),
            ("cpu,cpuacct/c/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 77000\n"),
            ("cpu,cpuacct/c/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/c/cpu.cfs_period_us", "100000\n"),
            ("cpu,cpuacct/c/cpu.shares", "256\n"),
            ("memory/c/memory.usage_in_bytes", "1000\n"),
            (
                "memory/c/memory.stat",
                "rss 1\ntotal_rss 600\ntotal_inactive_file 1300\ntotal_pgfault 50\ntotal_pgmajfault 5\n",
            ),
            ("memory/c/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("memory/c/cgroup.procs", "0\n"),
        ]);
        let layout = Layout::detect(dir.path()).expect("a layout");
        let text = &mut TextReader::default();
        let files = ContainerFiles::new(&layout, "/c", true);
        assert_eq!(files.basics(text).memory_working_set, Some(0), "floored at zero");
        let detail = files.detail(text, &str::to_owned);
        assert_eq!((detail.cpu_user_ns, detail.cpu_system_ns), (Some(30_000_000), Some(20_000_000)));
        assert_eq!((detail.cpu_limit, detail.cpu_request), (None, Some(0.25)));
        assert_eq!((detail.memory_limit, detail.oom_kills), (None, Some(2)));
        assert_eq!((detail.pids, detail.pressure), (None, Pressure::default()));
        assert_eq!(files.any_pid(text), None, "PID 0 is a process of another PID namespace");
        let plain = ContainerFiles::new(&layout, "/c", false).detail(text, &str::to_owned);
        assert_eq!(plain.cpu_request, None, "outside Kubernetes shares are no request");
    }

    #[test]
    fn a_container_that_is_gone_reads_as_nothing() {
        let dir = lay_out(&[("cgroup.controllers", "cpu io memory pids\n")]);
        let layout = Layout::detect(dir.path()).expect("a layout");
        let files = ContainerFiles::new(&layout, "/gone", false);
        let text = &mut TextReader::default();
        assert_eq!(files.basics(text), Basics::default());
        assert_eq!(files.detail(text, &str::to_owned), Detail::default());
    }
}
