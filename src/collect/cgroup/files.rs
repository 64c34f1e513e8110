//! Reads one container's files, v1 or v2 as the layout says, into a reading.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::layout::{Hierarchy, Layout, Version};
use super::parse;
use crate::signal::container::{Container, id};
use crate::signal::{Id, Item, Signals, Values};

/// More than any of these files holds; what is longer is cut, not followed.
const MAX_FILE: usize = 1 << 20;
/// Takes `memory.stat` in one call: the kernel makes such files anew for each.
const USUAL_FILE: usize = 8 << 10;

/// Text files read into one buffer that is used again and again.
#[derive(Debug)]
pub struct TextReader {
    buffer: Vec<u8>,
    length: usize,
}

impl Default for TextReader {
    fn default() -> Self {
        Self { buffer: vec![0; USUAL_FILE], length: 0 }
    }
}

impl TextReader {
    /// The file's text, or `None` if it cannot be read (absent, gone since, forbidden, not UTF-8).
    pub fn read(&mut self, path: &Path) -> Option<&str> {
        self.fill(&File::open(path).ok()?).ok()?;
        self.text()
    }

    /// Reads a file from its beginning to its end.
    fn fill(&mut self, file: &File) -> io::Result<()> {
        self.length = 0;
        loop {
            if self.length == self.buffer.len() {
                if self.length >= MAX_FILE {
                    return Ok(());
                }
                self.buffer.resize(self.length.saturating_mul(2), 0);
            }
            match file.read_at(&mut self.buffer[self.length..], self.length as u64)? {
                0 => return Ok(()),
                more => self.length = self.length.saturating_add(more),
            }
        }
    }

    /// Reads a file of one record, which the kernel gives whole: what does not fill the buffer is all of it.
    fn fill_record(&mut self, file: &File) -> io::Result<()> {
        self.length = file.read_at(&mut self.buffer, 0)?;
        if self.length < self.buffer.len() { Ok(()) } else { self.fill(file) }
    }

    /// What was read last.
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.buffer[..self.length]).ok()
    }
}

/// A file that every tick reads. One that is kept open costs a quarter of the system calls.
#[derive(Debug)]
struct TickFile {
    path: PathBuf,
    open: Option<File>,
    keep: bool,
}

impl TickFile {
    fn read<'t>(&mut self, text: &'t mut TextReader) -> Option<&'t str> {
        let open = self.open.take().filter(|file| text.fill_record(file).is_ok());
        // A cgroup that was made anew under its old name has other files.
        let again = || {
            let file = File::open(&self.path).ok()?;
            text.fill_record(&file).ok()?;
            Some(file)
        };
        self.open = Some(open.or_else(again)?).filter(|_| self.keep);
        text.text()
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
    /// What every tick reads: CPU time, memory usage, and its parts.
    cpu_time: Option<(Version, TickFile)>,
    memory_usage: Option<TickFile>,
    memory_stat: Option<(Version, TickFile)>,
}

/// Files that a container keeps open, where it does.
pub const KEPT: u64 = 3;

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

impl ContainerFiles {
    /// The files of the container whose cgroup lies at `path` below each hierarchy's root. `keep`: those that every tick reads stay open.
    pub fn new(layout: &Layout, path: &str, kubernetes: bool, keep: bool) -> Self {
        let folder = |hierarchy: &Option<Hierarchy>| {
            hierarchy.as_ref().map(|h| Folder { path: h.root.join(path.trim_start_matches('/')), version: h.version })
        };
        let (cpuacct, memory) = (folder(&layout.cpuacct), folder(&layout.memory));
        let file = |path| TickFile { path, open: None, keep };
        let cpu_time = |at: &Folder| (at.version, file(at.file("cpuacct.usage", "cpu.stat")));
        let memory_stat = |at: &Folder| (at.version, file(at.path.join("memory.stat")));
        Self {
            cpu: folder(&layout.cpu),
            cpu_time: cpuacct.as_ref().map(cpu_time),
            memory_usage: memory.as_ref().map(|at| file(at.file("memory.usage_in_bytes", "memory.current"))),
            memory_stat: memory.as_ref().map(memory_stat),
            cpuacct,
            memory,
            pids: folder(&layout.pids),
            io: folder(&layout.io),
            pressure: folder(&layout.pressure),
            kubernetes,
        }
    }

    /// What every tick reads: CPU time and memory.
    pub fn read_inner(&mut self, text: &mut TextReader, values: &mut Values<Container>) {
        if let Some((version, file)) = &mut self.cpu_time {
            let time = file.read(text).and_then(|stat| match version {
                Version::V1 => parse::number(stat),
                Version::V2 => parse::keyed(stat, "usage_usec").map(|us| us.saturating_mul(1000)),
            });
            values.count(const { id("cpu.time") }, time);
        }
        let usage = self.memory_usage.as_mut().and_then(|file| file.read(text)).and_then(parse::number);
        values.count(const { id("memory.usage") }, usage);
        if let Some((version, file)) = &mut self.memory_stat {
            let inactive = match version {
                Version::V1 => "total_inactive_file",
                Version::V2 => "inactive_file",
            };
            let inactive = file.read(text).and_then(|stat| parse::keyed(stat, inactive));
            let working_set = usage.zip(inactive).map(|(usage, inactive)| usage.saturating_sub(inactive));
            values.count(const { id("memory.working_set") }, working_set);
        }
    }

    /// What only a full tick reads of the container's cgroup; its network lies elsewhere.
    pub fn read_full(
        &self,
        text: &mut TextReader,
        device_name: &dyn Fn(&str) -> String,
        Signals { values, items }: &mut Signals<Container>,
    ) {
        self.read_cpu_time(text, values);
        self.read_cpu_control(text, values);
        self.read_memory(text, values);
        if let Some(folder) = &self.pids {
            let mut file = |name: &str| text.read(&folder.path.join(name)).and_then(parse::number);
            values.count(const { id("pids.current") }, file("pids.current"));
            values.count(const { id("pids.limit") }, file("pids.max"));
        }
        if let Some(folder) = &self.io {
            let file = folder.file("blkio.throttle.io_service_bytes_recursive", "io.stat");
            let devices = text.read(&file).map_or_else(Vec::new, |text| match folder.version {
                Version::V1 => parse::io_service_bytes(text, device_name),
                Version::V2 => parse::io_stat(text, device_name),
            });
            items_of(devices, const { [id("disk.read"), id("disk.write")] }, items);
        }
        if let Some(folder) = &self.pressure {
            let mut stall = |file: &str, some, full| {
                let stall = text.read(&folder.path.join(file)).and_then(parse::pressure);
                values.count(some, stall.map(|stall| stall.some));
                values.count(full, stall.and_then(|stall| stall.full));
            };
            stall("cpu.pressure", const { id("pressure.cpu.some") }, const { id("pressure.cpu.full") });
            stall("memory.pressure", const { id("pressure.memory.some") }, const { id("pressure.memory.full") });
            stall("io.pressure", const { id("pressure.io.some") }, const { id("pressure.io.full") });
        }
    }

    fn read_cpu_time(&self, text: &mut TextReader, values: &mut Values<Container>) {
        /// v1 counts in USER_HZ, which is 100 on every architecture Linux containers run on.
        const NS_PER_TICK: u64 = 10_000_000;
        let Some(folder) = &self.cpuacct else { return };
        let Some(stat) = text.read(&folder.file("cpuacct.stat", "cpu.stat")) else { return };
        let (user, system, unit) = match folder.version {
            Version::V1 => ("user", "system", NS_PER_TICK),
            Version::V2 => ("user_usec", "system_usec", 1000),
        };
        let time = |key| parse::keyed(stat, key).map(|count| count.saturating_mul(unit));
        values.count(const { id("cpu.time_user") }, time(user));
        values.count(const { id("cpu.time_system") }, time(system));
    }

    fn read_cpu_control(&self, text: &mut TextReader, values: &mut Values<Container>) {
        let Some(folder) = &self.cpu else { return };
        if let Some(stat) = text.read(&folder.path.join("cpu.stat")) {
            values.count(const { id("cpu.periods") }, parse::keyed(stat, "nr_periods"));
            values.count(const { id("cpu.throttled_periods") }, parse::keyed(stat, "nr_throttled"));
            let throttled = match folder.version {
                Version::V1 => parse::keyed(stat, "throttled_time"),
                Version::V2 => parse::keyed(stat, "throttled_usec").map(|us| us.saturating_mul(1000)),
            };
            values.count(const { id("cpu.throttled_time") }, throttled);
        }
        let limit = match folder.version {
            Version::V1 => {
                let quota = text.read(&folder.path.join("cpu.cfs_quota_us")).and_then(|t| t.trim().parse().ok());
                let period = text.read(&folder.path.join("cpu.cfs_period_us")).and_then(parse::number);
                // The kubelet sets shares to the request times 1024, and to the floor of 2 where there is none.
                // Elsewhere shares are a weight that somebody chose, not a request; on v2 the kernel keeps a weight
                // that two formulas may have made.
                let shares = text.read(&folder.path.join("cpu.shares")).and_then(parse::number);
                let request = shares.filter(|shares| self.kubernetes && *shares > 2);
                values.real(const { id("cpu.request") }, request.map(|shares| shares as f64 / 1024.0));
                quota.zip(period).and_then(|(quota, period)| parse::quota(quota, period))
            }
            Version::V2 => text.read(&folder.path.join("cpu.max")).and_then(parse::cpu_max),
        };
        values.real(const { id("cpu.limit") }, limit);
    }

    fn read_memory(&self, text: &mut TextReader, values: &mut Values<Container>) {
        let Some(folder) = &self.memory else { return };
        let keys = match folder.version {
            Version::V1 => ["total_rss", "total_pgfault", "total_pgmajfault"],
            Version::V2 => ["anon", "pgfault", "pgmajfault"],
        };
        if let Some(stat) = text.read(&folder.path.join("memory.stat")) {
            let [rss, all_faults, major_faults] = keys.map(|key| parse::keyed(stat, key));
            values.count(const { id("memory.rss") }, rss);
            values.count(const { id("memory.major_faults") }, major_faults);
            let minor_faults = all_faults.zip(major_faults).map(|(all, major)| all.saturating_sub(major));
            values.count(const { id("memory.minor_faults") }, minor_faults);
        }
        let limit = text.read(&folder.file("memory.limit_in_bytes", "memory.max"));
        let limit = match folder.version {
            Version::V1 => limit.and_then(parse::v1_memory_limit),
            Version::V2 => limit.and_then(parse::number),
        };
        values.count(const { id("memory.limit") }, limit);
        let kills = text.read(&folder.file("memory.oom_control", "memory.events"));
        values.count(const { id("memory.oom_kills") }, kills.and_then(|text| parse::keyed(text, "oom_kill")));
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

/// Notes what moved, in and out, by device or interface.
pub fn items_of(moved: Vec<parse::Moved>, [into, out]: [Id<Container>; 2], items: &mut Vec<Item<Container>>) {
    for parse::Moved { name, into: received, out: sent } in moved {
        items.push(Item { id: into, name: name.clone(), count: received });
        items.push(Item { id: out, name, count: sent });
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
        .map(|entry| pids_below(&entry.path(), text, at_most, depth.saturating_add(1)))
        .find(|pids| !pids.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lay_out(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temporary folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
            fs::write(path, text).expect("file");
        }
        dir
    }

    fn read(files: &mut ContainerFiles, device: &str) -> Signals<Container> {
        let (mut signals, text) = (Signals::default(), &mut TextReader::default());
        files.read_inner(text, &mut signals.values);
        files.read_full(text, &|_| device.to_owned(), &mut signals);
        signals
    }

    fn known(values: &Values<Container>) -> Vec<(&'static str, Option<f64>)> {
        let all = Id::all().map(|id| (id.signal().key, values.value(id)));
        all.filter(|(_, value)| value.is_some()).collect()
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
        let mut files = ContainerFiles::new(&layout, "/c", false, true);
        let text = &mut TextReader::default();
        let Signals { values, items } = read(&mut files, "sda");
        let want = [
            ("cpu.time", 0.0015),
            ("cpu.time_user", 0.001),
            ("cpu.time_system", 0.0005),
            ("cpu.limit", 0.5),
            ("cpu.periods", 10.0),
            ("cpu.throttled_periods", 4.0),
            ("cpu.throttled_time", 77e-6),
            ("memory.usage", 1000.0),
            ("memory.working_set", 700.0),
            ("memory.rss", 600.0),
            ("memory.limit", 2000.0),
            ("memory.oom_kills", 2.0),
            ("memory.minor_faults", 45.0),
            ("memory.major_faults", 5.0),
            ("pids.current", 7.0),
            ("pressure.cpu.some", 9e-6),
            ("pressure.cpu.full", 8e-6),
        ];
        assert_eq!(known(&values), want.map(|(key, value)| (key, Some(value))), "and nothing else is known");
        let item = |key, count| Item { id: id(key), name: "sda".to_owned(), count };
        assert_eq!(items, [item("disk.read", 10), item("disk.write", 20)]);
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
        let mut files = ContainerFiles::new(&layout, "/c", true, false);
        let values = read(&mut files, "").values;
        let value = |key: &str| values.value(id(key));
        assert_eq!(value("memory.working_set"), Some(0.0), "floored at zero");
        assert_eq!((value("cpu.time_user"), value("cpu.time_system")), (Some(0.03), Some(0.02)));
        assert_eq!((value("cpu.limit"), value("cpu.request")), (None, Some(0.25)));
        assert_eq!((value("memory.limit"), value("memory.oom_kills")), (None, Some(2.0)));
        assert_eq!((value("pids.current"), value("pressure.cpu.some")), (None, None));
        assert_eq!(files.any_pid(text), None, "PID 0 is a process of another PID namespace");
        let plain = read(&mut ContainerFiles::new(&layout, "/c", false, false), "");
        assert_eq!(plain.value(id("cpu.request")), None, "outside Kubernetes shares are no request");
    }

    #[test]
    fn a_container_that_is_gone_reads_as_nothing() {
        let dir = lay_out(&[("cgroup.controllers", "cpu io memory pids\n")]);
        let layout = Layout::detect(dir.path()).expect("a layout");
        let mut files = ContainerFiles::new(&layout, "/gone", false, true);
        assert_eq!(read(&mut files, ""), Signals::default());
    }

    /// A cgroup that is removed and made anew, as a container's is that starts again: what was kept open is another's.
    #[test]
    fn what_is_made_anew_is_read_anew() {
        let dir = lay_out(&[("cgroup.controllers", "cpu io memory pids\n"), ("c/memory.current", "1000\n")]);
        let layout = Layout::detect(dir.path()).expect("a layout");
        let mut files = ContainerFiles::new(&layout, "/c", false, true);
        let usage = |files: &mut ContainerFiles| read(files, "").values.get(id("memory.usage"));
        assert_eq!(usage(&mut files), Some(1000));
        fs::write(dir.path().join("c/memory.current"), "2000\n").expect("written");
        assert_eq!(usage(&mut files), Some(2000), "read again from its beginning");
        // A file that can be opened and not be read plays the one of a cgroup that is gone.
        files.memory_usage.as_mut().expect("a file").open = Some(File::open(dir.path()).expect("a folder"));
        assert_eq!(usage(&mut files), Some(2000));
        fs::remove_file(dir.path().join("c/memory.current")).expect("removed");
        files.memory_usage.as_mut().expect("a file").open = None;
        assert_eq!(usage(&mut files), None);
    }
}
