//! The formats of cgroup and proc files. Pure: text in, numbers out; what does not parse is `None`.

/// Bytes that moved over one device or interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub name: String,
    /// Read or received.
    pub into: u64,
    /// Written or transmitted.
    pub out: u64,
}

/// Time stalled for a resource, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// At least one task waited.
    pub some: u64,
    /// Every task waited. Old kernels have no such line for CPU.
    pub full: Option<u64>,
}

/// A file that holds one number; of a limit `max` is none.
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A v1 limit: the kernel spells "none" as the largest number of whole pages.
pub fn v1_memory_limit(text: &str) -> Option<u64> {
    /// Less than a page of 64 KiB below the largest number that is signed.
    const NONE: u64 = i64::MAX.unsigned_abs() - (1 << 16);
    number(text).filter(|bytes| *bytes < NONE)
}

/// The value of `key` in a file of `key value` lines.
pub fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| number(value))?
    })
}

/// Cores of a quota and a period in microseconds; a quota that is not positive is no limit.
pub fn quota(quota: i64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// v2 `cpu.max`: `quota period`, the quota perhaps `max`.
pub fn cpu_max(text: &str) -> Option<f64> {
    let (limit, period) = text.trim().split_once(' ')?;
    quota(limit.parse().ok()?, period.parse().ok()?)
}

/// A pressure file: microseconds stalled, from the `total=` of its lines.
pub fn pressure(text: &str) -> Option<Stall> {
    let total = |kind: &str| {
        text.lines().find_map(|line| {
            let fields = line.strip_prefix(kind)?.strip_prefix(' ')?;
            fields.split(' ').find_map(|field| number(field.strip_prefix("total=")?))
        })
    };
    Some(Stall { some: total("some")?, full: total("full") })
}

/// v2 `io.stat`: one line per device, `major:minor rbytes=... wbytes=...`.
/// `device_name` turns `major:minor` into a name. Devices that moved nothing are left out.
pub fn io_stat(text: &str, device_name: impl Fn(&str) -> String) -> Vec<Moved> {
    text.lines()
        .filter_map(|line| {
            let (device, fields) = line.split_once(' ')?;
            let field = |key: &str| fields.split(' ').find_map(|f| number(f.strip_prefix(key)?)).unwrap_or(0);
            let (read, write) = (field("rbytes="), field("wbytes="));
            (read > 0 || write > 0).then(|| Moved { name: device_name(device), into: read, out: write })
        })
        .collect()
}

/// v1 `blkio.throttle.io_service_bytes_recursive`: lines `major:minor Operation bytes`, and a total.
pub fn io_service_bytes(text: &str, device_name: impl Fn(&str) -> String) -> Vec<Moved> {
    let mut devices: Vec<(&str, u64, u64)> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(operation), Some(bytes)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Some(bytes) = number(bytes).filter(|bytes| *bytes > 0) else { continue };
        let index = devices.iter().position(|(name, ..)| *name == device).unwrap_or_else(|| {
            devices.push((device, 0, 0));
            devices.len().saturating_sub(1)
        });
        match operation {
            "Read" => devices[index].1 = devices[index].1.saturating_add(bytes),
            "Write" => devices[index].2 = devices[index].2.saturating_add(bytes),
            _ => {}
        }
    }
    devices
        .into_iter()
        .filter(|(_, read, write)| *read > 0 || *write > 0)
        .map(|(device, read, write)| Moved { name: device_name(device), into: read, out: write })
        .collect()
}

/// `/proc/PID/net/dev` without the loopback interface.
pub fn net_dev(text: &str) -> Vec<Moved> {
    text.lines()
        .filter_map(|line| {
            let (interface, counters) = line.split_once(':')?;
            let interface = interface.trim();
            let mut counters = counters.split_ascii_whitespace();
            let receive = number(counters.next()?)?;
            // Receive has eight columns, then transmit begins with its bytes.
            let transmit = number(counters.nth(7)?)?;
            (interface != "lo").then(|| Moved { name: interface.to_owned(), into: receive, out: transmit })
        })
        .collect()
}

/// `/proc/partitions` (or `/proc/diskstats`) as pairs of `major:minor` and name.
pub fn partitions(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (major, minor) = (number(fields.first()?)?, number(fields.get(1)?)?);
            Some((format!("{major}:{minor}"), (*fields.last()?).to_owned()))
        })
        .collect()
}

/// `/proc/uptime`: milliseconds since boot, time asleep included.
pub fn uptime_ms(text: &str) -> Option<i64> {
    let (seconds, hundredths) = text.split_ascii_whitespace().next()?.split_once('.')?;
    seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(hundredths.parse::<i64>().ok()?.checked_mul(10)?)
}

/// `/proc/stat`: cores that are online, a line each behind that of all.
pub fn cores(text: &str) -> Option<f64> {
    let of_core =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let count = text.lines().filter(of_core).count();
    (count > 0).then_some(count as f64)
}

/// `/proc/meminfo`: bytes of memory that there are.
pub fn memory(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = number(line.split_ascii_whitespace().next()?)?;
    (kib > 0).then_some(kib as f64 * 1024.0)
}

/// Field 22 of `/proc/PID/stat`: clock ticks from boot to the process's start.
/// The command in field 2 may hold spaces and parentheses, so count from the last one.
pub fn start_ticks(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    number(after_command.split_ascii_whitespace().nth(19)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn v2_files() {
        let stat = "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 23\nnr_throttled 21\n";
        assert_eq!(keyed(stat, "usage_usec"), Some(1_500_000));
        assert_eq!(keyed(stat, "nr_throttled"), Some(21));
        assert_eq!(keyed(stat, "nr"), None);
        assert_eq!(cpu_max("50000 100000\n"), Some(0.5));
        assert_eq!(cpu_max("max 100000\n"), None);
        assert_eq!(number("max\n"), None);
        assert_eq!(number("67108864\n"), Some(67_108_864));
        let io = "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:0 \n";
        assert_eq!(io_stat(io, str::to_owned), vec![Moved { name: "254:0".to_owned(), into: 4096, out: 8192 }]);
    }

    #[test]
    fn v1_files() {
        assert_eq!(v1_memory_limit("9223372036854771712\n"), None);
        assert_eq!(v1_memory_limit("9223372036854710272\n"), None, "64 KiB pages");
        assert_eq!(v1_memory_limit("67108864\n"), Some(67_108_864));
        assert_eq!(quota(-1, 100_000), None);
        assert_eq!(quota(150_000, 100_000), Some(1.5));
        assert_eq!(quota(1, 0), None);
        let io = "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 1\n254:0 Total 12288\n7:0 Read 0\nTotal 12288\n";
        assert_eq!(
            io_service_bytes(io, str::to_owned),
            vec![Moved { name: "254:0".to_owned(), into: 4096, out: 8192 }]
        );
    }

    #[test]
    fn pressure_totals() {
        let text =
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=45\n";
        assert_eq!(pressure(text), Some(Stall { some: 123, full: Some(45) }));
        assert_eq!(pressure("some avg10=0.00 total=7\n"), Some(Stall { some: 7, full: None }));
        assert_eq!(pressure(""), None);
    }

    #[test]
    fn network_without_loopback() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n  \
            eth0:    5000      10    0    0    0     0          0         0     7000      12    0    0    0     0       0          0\n";
        assert_eq!(net_dev(text), vec![Moved { name: "eth0".to_owned(), into: 5000, out: 7000 }]);
    }

    #[test]
    fn a_command_may_look_like_anything() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1000 10";
        assert_eq!(start_ticks(stat), Some(987_654));
        assert_eq!(uptime_ms("12345.67 54321.00\n"), Some(12_345_670));
        let stat = "cpu  1 2 3\ncpu0 1 1 1\ncpu1 0 1 2\nintr 5 cpu9\n";
        assert_eq!((cores(stat), cores("cpu 1 2 3\nctxt 5\n")), (Some(2.0), None));
        assert_eq!(memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16.0 * 1024.0 * 1024.0));
        assert_eq!((memory("MemFree: 1 kB\n"), memory("MemTotal: many kB\n")), (None, None));
    }

    #[test]
    fn devices_have_names() {
        let text = "major minor  #blocks  name\n\n 254        0  268435456 vda\n";
        assert_eq!(partitions(text), vec![("254:0".to_owned(), "vda".to_owned())]);
    }

    proptest! {
        #[test]
        fn nothing_the_kernel_could_write_panics(text in "[a-z0-9_:=. \n()max-]{0,200}") {
            let _ = (number(&text), v1_memory_limit(&text), keyed(&text, "a"), cpu_max(&text));
            let _ = (pressure(&text), io_stat(&text, str::to_owned), io_service_bytes(&text, str::to_owned));
            let _ = (net_dev(&text), partitions(&text), start_ticks(&text), uptime_ms(&text), cores(&text), memory(&text));
        }
    }
}
