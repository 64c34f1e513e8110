//! A library that plays NVML: what it answers is read anew with every call from the JSON file that `PLUMBLINE_FAKE_NVML` names,
//! so that a test can have GPUs compute, fall silent or get lost while the agent runs.
//!
//! ```json
//! {"driver": "580.65.06", "gpus": [{"uuid": "GPU-1", "name": "NVIDIA H100 80GB HBM3", "utilization": 97,
//!   "memory_used": 1073741824, "memory_total": 85899345920, "power_mw": 500000, "energy_mj": 1000, "temperature": 60,
//!   "processes": [{"pid": 42, "memory": 1073741824}], "lost": false, "slow_ms": 0}]}
//! ```
//!
//! A signal that is left out is answered as not supported. Numbers and layouts are those of NVIDIA's nvml.h.

#![expect(unsafe_code, reason = "it plays a C library")]
#![expect(missing_docs, reason = "each function is NVML's of the same name")]
#![expect(clippy::missing_safety_doc, reason = "each function is NVML's of the same name")]
#![expect(clippy::disallowed_methods, reason = "it has no other way to be told what to play")]

use std::ffi::{CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::time::Duration;

use serde_json::Value;

const SUCCESS: c_int = 0;
const INVALID_ARGUMENT: c_int = 2;
const NOT_SUPPORTED: c_int = 3;
const NOT_FOUND: c_int = 6;
const INSUFFICIENT_SIZE: c_int = 7;
const DRIVER_NOT_LOADED: c_int = 9;
const GPU_IS_LOST: c_int = 15;
const UNKNOWN: c_int = 999;

#[repr(C)]
pub struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

#[repr(C)]
pub struct MemoryV2 {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
pub struct Process {
    pid: c_uint,
    used: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

fn scenario() -> Option<Value> {
    let path = std::env::var_os("PLUMBLINE_FAKE_NVML")?;
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// The device behind a handle, after as long as it takes; or the error it answers.
fn device(handle: *const c_void) -> Result<Value, c_int> {
    let index = (handle as usize).checked_sub(1).ok_or(INVALID_ARGUMENT)?;
    let gpu = scenario().and_then(|s| s["gpus"].get(index).cloned()).ok_or(UNKNOWN)?;
    std::thread::sleep(Duration::from_millis(gpu["slow_ms"].as_u64().unwrap_or(0)));
    if gpu["lost"] == true { Err(GPU_IS_LOST) } else { Ok(gpu) }
}

fn number(handle: *const c_void, field: &str) -> Result<u64, c_int> {
    device(handle)?[field].as_u64().ok_or(NOT_SUPPORTED)
}

fn status(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(SUCCESS)
}

unsafe fn text(value: Option<&str>, out: *mut c_char, length: c_uint) -> Result<(), c_int> {
    let value = CString::new(value.ok_or(NOT_SUPPORTED)?).map_err(|_| UNKNOWN)?;
    let bytes = value.as_bytes_with_nul();
    if bytes.len() > length as usize {
        return Err(INSUFFICIENT_SIZE);
    }
    // SAFETY: the caller gives a buffer of `length` bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    Ok(())
}

/// As the interface has it; what is larger is the largest it can say.
fn narrow(value: u64) -> c_uint {
    c_uint::try_from(value).unwrap_or(c_uint::MAX)
}

/// Writes to where the caller points.
unsafe fn put<T>(out: *mut T, value: Result<T, c_int>) -> c_int {
    status(value.map(|value| {
        // SAFETY: the caller gives a valid place.
        unsafe { out.write(value) }
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_int {
    match scenario() {
        Some(scenario) if scenario["driver"].is_string() => SUCCESS,
        _ => DRIVER_NOT_LOADED,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(out: *mut c_char, length: c_uint) -> c_int {
    let scenario = scenario().unwrap_or_default();
    // SAFETY: as the caller promises.
    status(unsafe { text(scenario["driver"].as_str(), out, length) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(out: *mut c_uint) -> c_int {
    let count = scenario().and_then(|s| s["gpus"].as_array().map(|gpus| narrow(gpus.len() as u64))).ok_or(UNKNOWN);
    // SAFETY: as the caller promises.
    unsafe { put(out, count) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, out: *mut *const c_void) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { put(out, Ok((index as usize + 1) as *const c_void)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUUID(handle: *const c_void, out: *mut c_char, length: c_uint) -> c_int {
    // SAFETY: as the caller promises.
    status(device(handle).and_then(|gpu| unsafe { text(gpu["uuid"].as_str(), out, length) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(handle: *const c_void, out: *mut c_char, length: c_uint) -> c_int {
    // SAFETY: as the caller promises.
    status(device(handle).and_then(|gpu| unsafe { text(gpu["name"].as_str(), out, length) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(handle: *const c_void, out: *mut Utilization) -> c_int {
    let rates = number(handle, "utilization").map(|gpu| Utilization { gpu: narrow(gpu), memory: 0 });
    // SAFETY: as the caller promises.
    unsafe { put(out, rates) }
}

/// A sample of utilization, as the driver keeps a few a second.
#[repr(C)]
pub struct Sample {
    timestamp: c_ulonglong,
    /// A union of eight bytes; here an unsigned number of four.
    value: c_ulonglong,
}

/// Plays `samples`, each a pair of a time and a percentage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetSamples(
    handle: *const c_void,
    _kind: c_uint,
    after: c_ulonglong,
    value_type: *mut c_uint,
    count: *mut c_uint,
    samples: *mut Sample,
) -> c_int {
    const UNSIGNED_INT: c_uint = 1;
    let all = device(handle).and_then(|gpu| gpu["samples"].as_array().cloned().ok_or(NOT_SUPPORTED));
    let newer = all.map(|all| {
        let pair = |pair: &serde_json::Value| Some(Sample { timestamp: pair[0].as_u64()?, value: pair[1].as_u64()? });
        all.iter().filter_map(pair).filter(|sample| sample.timestamp > after).collect::<Vec<_>>()
    });
    status(newer.and_then(|newer| {
        if newer.is_empty() {
            return Err(NOT_FOUND);
        }
        // SAFETY: the caller gives valid places, and room for the count that it was told before.
        unsafe {
            value_type.write(UNSIGNED_INT);
            if !samples.is_null() {
                let room = usize::try_from(count.read()).unwrap_or(0);
                newer.iter().take(room).enumerate().for_each(|(at, sample)| {
                    samples.add(at).write(Sample { timestamp: sample.timestamp, value: sample.value });
                });
            }
            count.write(narrow(newer.len() as u64));
        }
        Ok(())
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(handle: *const c_void, out: *mut MemoryV2) -> c_int {
    let memory = device(handle).and_then(|gpu| {
        let total = gpu["memory_total"].as_u64().ok_or(NOT_SUPPORTED)?;
        let used = gpu["memory_used"].as_u64().ok_or(NOT_SUPPORTED)?;
        Ok(MemoryV2 { version: 0, total, reserved: 0, free: total - used, used })
    });
    // SAFETY: as the caller promises.
    unsafe { put(out, memory) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerUsage(handle: *const c_void, out: *mut c_uint) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { put(out, number(handle, "power_mw").map(narrow)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(handle: *const c_void, out: *mut c_ulonglong) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { put(out, number(handle, "energy_mj")) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(handle: *const c_void, _sensor: c_uint, out: *mut c_uint) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { put(out, number(handle, "temperature").map(narrow)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    handle: *const c_void,
    count: *mut c_uint,
    out: *mut Process,
) -> c_int {
    let gpu = match device(handle) {
        Ok(gpu) => gpu,
        Err(error) => return error,
    };
    let Some(processes) = gpu["processes"].as_array() else { return NOT_SUPPORTED };
    // SAFETY: the caller gives a valid count, and room for as many processes as it says.
    unsafe {
        let room = *count as usize;
        *count = narrow(processes.len() as u64);
        if room < processes.len() {
            return INSUFFICIENT_SIZE;
        }
        for (at, process) in processes.iter().enumerate() {
            out.add(at).write(Process {
                pid: narrow(process["pid"].as_u64().unwrap_or(0)),
                // NVML_VALUE_NOT_AVAILABLE
                used: process["memory"].as_u64().unwrap_or(u64::MAX),
                gpu_instance: c_uint::MAX,
                compute_instance: c_uint::MAX,
            });
        }
    }
    SUCCESS
}
