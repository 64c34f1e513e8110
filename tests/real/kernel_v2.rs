//! A real kernel with cgroup v2 alone, booted in qemu: what the agent reads there is what the kernel says.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent;
use crate::parts::{Part, check, command, kernel};

pub const TESTS: &[Test] = &[(&[Part::Kernel], "kernel_v2::the_reading_is_what_the_kernel_says", the_reading)];

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const UID: &str = "2c48913c-b29f-11e7-9350-020968147796";

/// Lays out a machine's memory file system: busybox, the agent with its libraries, the first process.
pub fn lay_out(root: &Path, init: &str) -> Result<(), Failed> {
    for folder in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    agent::lay_out(root, "bin/plumbline")?;
    fs::write(root.join("init"), init)?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Boots the machine laid out in `root` below the folder, with more of qemu's options and of the kernel's; gives what it printed.
pub fn boot(folder: &Path, options: &[String], kernels: &str) -> Result<String, Failed> {
    let pack = "cd \"$1/root\" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > \"$1/initrd.gz\"";
    command("sh", &["-c", pack, "sh", &folder.to_string_lossy()])?;
    let console = folder.join("console");
    let kernel = kernel().ok_or("no kernel")?;
    let status = Command::new("timeout")
        .args(["180", "qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-nographic", "-no-reboot", "-net", "none"])
        .args(options)
        .args(["-append", &format!("console=ttyS0 quiet panic=1 psi=1 {kernels}"), "-kernel"])
        .arg(kernel)
        .arg("-initrd")
        .arg(folder.join("initrd.gz"))
        .stdin(Stdio::null())
        .stdout(File::create(&console)?)
        .stderr(Stdio::null())
        .status()?;
    let said = String::from_utf8_lossy(&fs::read(&console)?).replace('\r', "");
    check(status.success(), || format!("qemu: {status}: {said}"))?;
    Ok(said)
}

/// What stands between `<<<name` and `>>>`.
pub fn part<'a>(said: &'a str, name: &str) -> Result<&'a str, Failed> {
    let from = said.split_once(&format!("<<<{name}\n")).ok_or_else(|| format!("no {name} in: {said}"))?.1;
    Ok(from.split_once(">>>").ok_or("cut short")?.0)
}

fn table(text: &str) -> HashMap<&str, f64> {
    text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(k, v)| Some((k, v.parse().ok()?))).collect()
}

fn the_reading() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let init = include_str!("kernel_v2.init").replace("@ID@", ID).replace("@UID@", &UID.replace('-', "_"));
    lay_out(&folder.path().join("root"), &init)?;
    let said = boot(folder.path(), &[], "")?;
    let reading = part(&said, "reading")?;
    let json = reading.find('{').map(|at| &reading[at..]).ok_or_else(|| format!("no JSON in {reading}"))?;
    let end = json.rfind('}').ok_or("cut short")?;
    let reading: Value = serde_json::from_str(&json[..=end])?;
    let (before, after) = (table(part(&said, "before")?), table(part(&said, "after")?));

    let containers = reading["containers"].as_array().ok_or("no containers")?;
    check(containers.len() == 1, || reading.to_string())?;
    let c = &containers[0];
    check(c["id"] == ID && c["runtime"] == "containerd", || c.to_string())?;
    check(c["pod"]["uid"] == UID && reading["node"] == "v2-node", || c.to_string())?;
    check(c["cpu"]["limit"] == 0.5 && c["memory"]["limit"] == 64 << 20, || c.to_string())?;
    check(c["pids"]["current"] == 2 && c["pids"]["limit"].is_null(), || c["pids"].to_string())?;
    for (pointer, key, unit) in [
        ("/cpu/time", "usage_usec", 1e6),
        ("/cpu/periods", "nr_periods", 1.0),
        ("/cpu/throttled_periods", "nr_throttled", 1.0),
        ("/cpu/throttled_time", "throttled_usec", 1e6),
        ("/memory/rss", "anon", 1.0),
        ("/memory/minor_faults", "pgfault", 1.0),
        ("/pressure/cpu/some", "pressure", 1e6),
    ] {
        let ours =
            c.pointer(pointer).and_then(Value::as_f64).ok_or_else(|| format!("{pointer} is unknown: {c}"))? * unit;
        let (low, high) = (before.get(key).ok_or(key)?, after.get(key).ok_or(key)?);
        check(ours >= low - 1.0 && ours <= high + 1.0, || format!("{pointer}: {ours}, the kernel {low} to {high}"))?;
    }
    check(after["nr_throttled"] > 0.0 && after["anon"] > 20e6, || format!("{after:?}"))
}
