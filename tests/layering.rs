//! Holds the imports to the design: which room may use which. A new room, or a new dependency, is a line here.

#![expect(clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import from the crate. Rooms of the core first, then the edges, then who wires them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("stats", &[]),
    ("units", &["stats"]),
    ("chart", &[]),
    ("identity", &[]),
    ("reading", &["clock", "identity"]),
    ("metric", &[]),
    ("alert", &["metric", "units"]),
    ("minute", &["reading", "stats", "clock"]),
    ("frame", &["identity", "minute"]),
    ("performance", &[]),
    ("drift", &["performance", "stats", "units"]),
    ("rightsize", &["identity", "stats", "units"]),
    ("model", &["drift", "frame", "metric", "performance", "stats", "units"]),
    ("ingest", &["clock", "frame", "model", "units"]),
    ("health", &["metric"]),
    ("snapshot", &["alert", "identity", "metric", "minute", "model", "rightsize"]),
    ("analysis", &["clock", "frame", "identity", "metric", "minute", "reading", "snapshot"]),
    ("collect", &["clock", "health", "identity", "metric", "reading", "units"]),
    ("export", &["alert", "clock", "health", "metric", "stats", "units"]),
    ("store", &["frame", "minute", "units"]),
    (
        "web",
        &[
            "alert",
            "chart",
            "clock",
            "drift",
            "health",
            "minute",
            "model",
            "performance",
            "rightsize",
            "snapshot",
            "units",
        ],
    ),
    ("dataset", &["frame"]),
    ("report", &["chart", "drift", "performance", "rightsize", "stats", "units"]),
    ("telemetry", &["health"]),
    ("config", &["alert", "collect", "export", "ingest", "model", "rightsize", "store", "telemetry", "units"]),
    (
        "agent",
        &[
            "alert",
            "analysis",
            "clock",
            "collect",
            "config",
            "export",
            "frame",
            "health",
            "ingest",
            "metric",
            "model",
            "performance",
            "reading",
            "rightsize",
            "snapshot",
            "store",
            "telemetry",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "agent",
            "clock",
            "config",
            "dataset",
            "drift",
            "frame",
            "performance",
            "report",
            "snapshot",
            "telemetry",
            "units",
        ],
    ),
];

/// Crates that bring I/O, a clock or a runtime, and so have no place in the core.
const CORE: &[&str] = &[
    "clock",
    "units",
    "stats",
    "chart",
    "identity",
    "reading",
    "metric",
    "minute",
    "frame",
    "drift",
    "performance",
    "rightsize",
    "alert",
    "health",
    "snapshot",
    "analysis",
];
const NOT_IN_CORE: &[&str] =
    &["std::fs", "std::net", "std::env", "std::process", "tokio", "axum", "bollard", "reqwest", "tonic", "tracing"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The room a file stands in: its first component below `src`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).expect("below src");
    let first = below.components().next().expect("a component").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The code without comments and without its tests, which may use what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a readable file");
    without_tests(&text).lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// All of the file but the items marked `#[cfg(test)]`, wherever they stand. rustfmt closes an item at the indent it began with.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if item.is_some_and(|item| item.trim_end().ends_with('{')) {
            let end = format!("{indent}}}");
            lines.by_ref().find(|line| *line == end);
        }
    }
    kept.join("\n")
}

/// Every room that follows `crate::` in the code, in groups (`crate::{a, b}`) too.
fn imports(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let end = group
                    .find(|c| {
                        depth += i32::from(c == '{') - i32::from(c == '}');
                        depth < 0
                    })
                    .unwrap_or(group.len());
                let mut depth = 0;
                group[..end]
                    .split(|c| {
                        depth += i32::from(c == '{') - i32::from(c == '}');
                        c == ',' && depth == 0
                    })
                    .collect()
            }
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                rooms.insert(name);
            }
        }
    }
    rooms
}

#[test]
fn rooms_import_only_what_the_design_lets_them() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let room = room(&path);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(allowed) = allowed.get(room.as_str()) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", path.display()));
            continue;
        };
        for import in imports(&code(&path)) {
            if import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: `{room}` may not import `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_has_no_io_no_clock_and_no_runtime() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files.iter().filter(|path| CORE.contains(&room(path).as_str())) {
        let code = code(path);
        for banned in NOT_IN_CORE {
            if code.contains(&format!("{banned}::")) || code.contains(&format!("use {banned}")) {
                wrong.push(format!("{}: {banned} has no place in the core", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycle_and_no_edge_imports_another() {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, allowed) in ALLOWED {
        for import in *allowed {
            assert!(below.contains_key(import), "`{room}` imports `{import}`, which stands below it in the table");
        }
        below.insert(room, allowed.iter().copied().collect());
    }
    let edges = ["collect", "dataset", "export", "ingest", "report", "store", "web"];
    for edge in edges {
        for other in edges {
            assert!(!below[edge].contains(other), "{edge} imports {other}");
        }
    }
}

#[test]
fn what_follows_a_test_is_looked_at_too() {
    let text = "use crate::a;\n#[cfg(test)]\nmod reference;\nuse crate::b;\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n    use crate::c;\n    fn f() {\n    }\n}\nuse crate::d;";
    assert_eq!(imports(&without_tests(text)).into_iter().collect::<Vec<_>>(), ["a", "b", "d"]);
    // The whole configuration stands behind a module of tests.
    let config = code(&root().join("src/config.rs"));
    assert!(config.contains("pub struct Config") && !config.contains("fn everything"));
}

#[test]
fn the_parser_of_imports_sees_groups() {
    let code = "use crate::{a::{self, B}, c};\nuse crate::d::E;\ncrate::f::g();";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "f"]);
}
