//! A machine that loses its power: rows that were answered under `durability = "fsync"` are there when it is back.

use std::fs::{self, File};
use std::path::Path;

use libtest_mimic::Failed;

use crate::Test;
use crate::kernel_v2::{boot, lay_out, part};
use crate::parts::{Part, check, command, kernel};

pub const TESTS: &[Test] =
    &[(&[Part::Kernel], "power::what_is_on_the_disk_outlives_a_power_failure", what_is_on_the_disk_outlives_it)];

/// The kernel's parts that disks need, in the order in which they are loaded.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
];

/// Copies the modules of the kernel that is booted; those it has built in are no files.
fn modules(root: &Path) -> Result<Vec<String>, Failed> {
    let image = kernel().ok_or("no kernel")?;
    let version = image.file_name().and_then(|name| name.to_str()?.strip_prefix("vmlinuz-")).ok_or("no version")?;
    let tree =
        image.parent().and_then(Path::parent).ok_or("no folder")?.join("lib/modules").join(version).join("kernel");
    fs::create_dir_all(root.join("modules"))?;
    let mut names = Vec::new();
    for module in MODULES {
        let name = module.rsplit('/').next().unwrap_or_default();
        let from = tree.join(format!("{module}.ko"));
        if from.exists() {
            fs::copy(from, root.join("modules").join(format!("{name}.ko")))?;
            names.push(name.to_owned());
        }
    }
    check(!names.is_empty(), || format!("no modules below {}", tree.display()))?;
    Ok(names)
}

fn what_is_on_the_disk_outlives_it() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    fs::create_dir_all(&root)?;
    let modules = modules(&root)?;
    lay_out(&root, &include_str!("power.init").replace("@MODULES@", &modules.join(" ")))?;
    let mut options = Vec::new();
    for name in ["a", "b"] {
        let disk = folder.path().join(name);
        File::create(&disk)?.set_len(256 << 20)?;
        let path = disk.display().to_string();
        // The system gives a file to the disk when it is asked to, or half an hour later.
        command("mkfs.ext4", &["-q", "-F", &path])?;
        options.extend(["-drive".to_owned(), format!("file={path},if=virtio,format=raw,cache=writeback")]);
    }
    let said = boot(folder.path(), &options, "phase=1")?;
    check(part(&said, "taken")?.contains("10 rows") && !said.contains("no disk"), || said.clone())?;
    let said = boot(folder.path(), &options, "phase=2")?;
    let samples = |port: &str| -> Result<u64, Failed> {
        let told = part(&said, port)?;
        Ok(told.trim().strip_prefix("\"samples\":").ok_or_else(|| format!("{port}: {said}"))?.parse()?)
    };
    check(samples("9477")? == 6, || format!("fsync: what was answered is there: {said}"))?;
    // Without it the power's end costs what the system had not written yet: else nothing was shown. It may have written some, where the agent
    // had it write something else.
    check((1..6).contains(&samples("9478")?), || format!("os: the system had some in memory alone: {said}"))
}
