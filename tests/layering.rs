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
    ("terminal", &[]),
    ("identity", &[]),
    ("metric", &[]),
    ("signal", &["metric"]),
    ("catalogue", &["metric", "signal"]),
    ("reading", &["clock", "identity", "signal"]),
    ("alert", &["catalogue", "clock", "metric", "units"]),
    ("minute", &["metric", "reading", "signal", "stats"]),
    ("frame", &["identity", "metric", "minute", "signal"]),
    ("performance", &["stats"]),
    ("drift", &["performance", "stats", "units"]),
    ("estimate", &["drift", "stats"]),
    ("quality", &["drift", "stats", "units"]),
    ("segment", &["stats"]),
    ("fairness", &["segment", "stats"]),
    ("versions", &["performance", "segment", "stats", "units"]),
    ("attribution", &["estimate", "segment", "stats"]),
    (
        "review",
        &[
            "attribution",
            "drift",
            "estimate",
            "fairness",
            "performance",
            "quality",
            "segment",
            "stats",
            "units",
            "versions",
        ],
    ),
    ("rightsize", &["frame", "identity", "signal", "stats", "units"]),
    (
        "model",
        &[
            "attribution",
            "drift",
            "estimate",
            "fairness",
            "frame",
            "identity",
            "metric",
            "minute",
            "performance",
            "quality",
            "segment",
            "signal",
            "stats",
            "units",
            "versions",
        ],
    ),
    ("access", &["identity"]),
    ("ingest", &["access", "clock", "frame", "identity", "model", "performance", "stats", "units"]),
    ("health", &["metric"]),
    ("snapshot", &["alert", "identity", "metric", "minute", "model", "rightsize", "signal"]),
    ("analysis", &["clock", "frame", "identity", "metric", "minute", "reading", "signal", "snapshot"]),
    ("step", &["alert", "analysis", "clock", "frame", "metric", "model", "reading", "rightsize", "snapshot"]),
    ("query", &["frame", "signal", "stats"]),
    ("demo", &["clock", "frame", "identity", "metric", "minute", "reading", "signal", "stats", "units"]),
    ("collect", &["clock", "demo", "health", "identity", "reading", "signal", "stats", "units"]),
    ("client", &[]),
    ("top", &["client", "performance", "terminal", "units"]),
    ("fetch", &["client", "units"]),
    ("forward", &["client", "identity", "model", "units"]),
    ("mirror", &["client", "health", "units"]),
    ("export", &["alert", "client", "clock", "health", "metric", "stats", "units"]),
    ("store", &["frame", "identity", "minute", "units"]),
    (
        "web",
        &[
            "access",
            "alert",
            "catalogue",
            "chart",
            "clock",
            "drift",
            "health",
            "identity",
            "metric",
            "minute",
            "model",
            "performance",
            "quality",
            "query",
            "review",
            "rightsize",
            "signal",
            "snapshot",
            "units",
            "versions",
        ],
    ),
    ("dataset", &["frame"]),
    (
        "report",
        &[
            "attribution",
            "chart",
            "drift",
            "estimate",
            "fairness",
            "model",
            "performance",
            "quality",
            "review",
            "rightsize",
            "segment",
            "stats",
            "terminal",
            "units",
            "versions",
        ],
    ),
    ("telemetry", &["health"]),
    (
        "config",
        &[
            "access",
            "alert",
            "collect",
            "export",
            "fetch",
            "forward",
            "identity",
            "ingest",
            "mirror",
            "model",
            "rightsize",
            "store",
            "telemetry",
            "units",
        ],
    ),
    (
        "agent",
        &[
            "access",
            "alert",
            "analysis",
            "clock",
            "collect",
            "config",
            "dataset",
            "demo",
            "export",
            "fetch",
            "forward",
            "frame",
            "health",
            "identity",
            "ingest",
            "metric",
            "mirror",
            "model",
            "performance",
            "query",
            "reading",
            "rightsize",
            "snapshot",
            "demo",
            "step",
            "store",
            "telemetry",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "agent",
            "attribution",
            "clock",
            "config",
            "dataset",
            "demo",
            "drift",
            "estimate",
            "fairness",
            "fetch",
            "frame",
            "identity",
            "model",
            "performance",
            "quality",
            "report",
            "review",
            "segment",
            "signal",
            "snapshot",
            "stats",
            "telemetry",
            "terminal",
            "top",
            "units",
            "versions",
        ],
    ),
];

/// Crates that bring I/O, a clock or a runtime, and so have no place in the core.
const CORE: &[&str] = &[
    "clock",
    "units",
    "stats",
    "chart",
    "terminal",
    "identity",
    "metric",
    "signal",
    "catalogue",
    "review",
    "reading",
    "minute",
    "frame",
    "drift",
    "performance",
    "estimate",
    "quality",
    "segment",
    "fairness",
    "versions",
    "attribution",
    "rightsize",
    "alert",
    "health",
    "snapshot",
    "analysis",
    "step",
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

/// Whether all of the file is for tests: its parent declares it so.
fn is_for_tests(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else { return false };
    let parent = fs::read_to_string(folder.with_extension("rs")).unwrap_or_default();
    let declared = format!("mod {};", name.to_string_lossy());
    let lines: Vec<&str> = parent.lines().collect();
    lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1].trim_start_matches("pub ") == declared)
}

/// The code without comments and without its tests, which may use what they like.
fn code(path: &Path) -> String {
    if is_for_tests(path) {
        return String::new();
    }
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
    code.match_indices("crate::")
        .flat_map(|(at, _)| expanded(&code[at..]))
        .filter_map(|path| path.into_iter().nth(1))
        .collect()
}

/// The paths that begin here, groups (`a::{b, c::d}`) taken apart.
fn expanded(text: &str) -> Vec<Vec<String>> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let below = match text[name.len()..].strip_prefix("::") {
        Some(rest) => rest.strip_prefix('{').map_or_else(|| expanded(rest), group),
        None => Vec::new(),
    };
    if name.is_empty() {
        return Vec::new();
    }
    if below.is_empty() {
        return vec![vec![name]];
    }
    below.into_iter().map(|rest| std::iter::once(name.clone()).chain(rest).collect()).collect()
}

/// The paths of a group whose brace has just been opened.
fn group(text: &str) -> Vec<Vec<String>> {
    let mut depth = 0;
    let mut deeper = |c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth
    };
    let end = text.find(|c| deeper(c) < 0).unwrap_or(text.len());
    let mut depth = 0;
    let members = text[..end].split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    members.flat_map(|member| expanded(member.trim())).collect()
}

/// A file by the path of its module: `src/a/b.rs` is `a::b`.
type Module = Vec<String>;

fn module(path: &Path) -> Module {
    let below = path.strip_prefix(root().join("src")).expect("below src").with_extension("");
    below.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

/// The file that the path leads to, as it is written in `from`.
fn file_of(path: &[String], from: &Module, known: &BTreeSet<Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Vec::new(),
        "self" => from.clone(),
        "super" => from[..from.len() - 1].to_vec(),
        // What a file declares stands below it.
        child => [from.as_slice(), &[child.to_owned()]].concat(),
    };
    for part in rest {
        if part == "super" {
            at.pop();
        } else if part != "self" {
            let below = [at.as_slice(), std::slice::from_ref(part)].concat();
            if !known.contains(&below) {
                break;
            }
            at = below;
        }
    }
    known.contains(&at).then_some(at)
}

/// The files that a file imports or declares, but for those it stands below: a parent declares its children, and they may use
/// what is its own.
fn files_of(code: &str, from: &Module, known: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut paths = Vec::new();
    for head in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{head}::")) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                paths.extend(expanded(&code[at..]));
            }
        }
    }
    for line in code.lines().map(str::trim) {
        let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
        if let [.., "mod", name] = words.as_slice() {
            paths.push(vec![(*name).to_owned()]);
        }
    }
    let found = paths.iter().filter_map(|path| file_of(path, from, known));
    found.filter(|file| !from.starts_with(file)).collect()
}

/// Each group of files of which every one leads to every other.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = imports[from].iter().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file.clone()) {
                next.extend(&imports[file]);
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> = imports.keys().map(|file| (file, reached(file))).collect();
    let circle = |file: &Module| -> BTreeSet<Module> {
        all[file].iter().filter(|other| all[*other].contains(file)).cloned().collect()
    };
    imports.keys().map(circle).filter(|circle| circle.len() > 1).collect()
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
            if names(&code, banned) || code.contains(&format!("use {banned}")) {
                wrong.push(format!("{}: {banned} has no place in the core", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether code has a path that begins with this name, which may be the end of another: `isotonic`.
fn names(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let is_whole = |(at, _): (usize, &str)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(&path).any(is_whole)
}

#[test]
fn a_name_is_not_the_end_of_another() {
    assert!(names("let x = tonic::Code::Ok;", "tonic") && names("(std::fs::read)", "std::fs"));
    assert!(!names("use super::isotonic::Isotonic;", "tonic"));
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
fn no_files_import_one_another_in_a_circle() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    files.retain(|path| !["lib", "main"].contains(&room(path).as_str()));
    let known: BTreeSet<Module> = files.iter().map(|path| module(path)).collect();
    let imports: BTreeMap<Module, BTreeSet<Module>> =
        files.iter().map(|path| (module(path), files_of(&code(path), &module(path), &known))).collect();
    assert!(
        imports[&vec!["drift".to_owned(), "ks".to_owned()]].contains(&vec!["stats".to_owned(), "whole".to_owned()])
    );
    let named = |circle: &BTreeSet<Module>| circle.iter().map(|file| file.join("::")).collect::<Vec<_>>();
    let wrong: Vec<String> = circles(&imports).iter().map(|circle| named(circle).join(", ")).collect();
    assert!(wrong.is_empty(), "these import one another:\n{}", wrong.join("\n"));
}

#[test]
fn a_circle_of_files_is_found() {
    let known: BTreeSet<Module> = ["a", "a::b", "a::c", "a::c::d", "e"]
        .map(|name| name.split("::").map(str::to_owned).collect())
        .into_iter()
        .collect();
    let of = |name: &str, code: &str| {
        let from: Module = name.split("::").map(str::to_owned).collect();
        files_of(code, &from, &known).into_iter().map(|file| file.join("::")).collect::<Vec<_>>()
    };
    assert_eq!(of("a", "mod b;\npub mod c;\nuse self::c::d::X;\nuse c::Y;"), ["a::b", "a::c", "a::c::d"]);
    assert_eq!(of("a::b", "use super::{Z, c::{self, d::X}};\nuse super::super::e::f;"), ["a::c", "a::c::d", "e"]);
    assert_eq!(
        of("a::c::d", "use super::Own;\nuse crate::a::Own;\nlet x = crate::e::f(super::super::b::g());"),
        ["a::b", "e"]
    );
    let imports = |edges: &[(&str, &[&str])]| -> BTreeMap<Module, BTreeSet<Module>> {
        let module = |name: &&str| vec![(*name).to_owned()];
        edges.iter().map(|(from, to)| (module(from), to.iter().map(module).collect())).collect()
    };
    assert!(circles(&imports(&[("x", &["y"]), ("y", &["z"]), ("z", &[])])).is_empty());
    let found = circles(&imports(&[("x", &["y"]), ("y", &["z"]), ("z", &["x"]), ("w", &["x"])]));
    assert_eq!(found.iter().map(BTreeSet::len).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_follows_a_test_is_looked_at_too() {
    let text = "use crate::a;\n#[cfg(test)]\nmod reference;\nuse crate::b;\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n    use crate::c;\n    fn f() {\n    }\n}\nuse crate::d;";
    assert_eq!(imports(&without_tests(text)).into_iter().collect::<Vec<_>>(), ["a", "b", "d"]);
    let source = |path: &str| root().join("src").join(path);
    assert!(is_for_tests(&source("web/tests.rs")) && is_for_tests(&source("units/hostile.rs")));
    assert!(!is_for_tests(&source("web/page.rs")) && !is_for_tests(&source("web.rs")));
    // The whole configuration stands behind a module of tests.
    let config = code(&root().join("src/config.rs"));
    assert!(config.contains("pub struct Config") && !config.contains("fn everything"));
}

#[test]
fn the_parser_of_imports_sees_groups() {
    let code = "use crate::{a::{self, B}, c};\nuse crate::d::E;\ncrate::f::g();";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "f"]);
}

/// The map and the guide to contributors send people to places that are there: `room::item`, `src/room.rs`, `tests/real`.
#[test]
fn the_places_that_the_map_names_are_there() {
    let mut wrong = Vec::new();
    for page in ["src/lib.rs", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(page)).expect("a readable file");
        let named = text.split('`').skip(1).step_by(2).filter(|named| !named.contains(char::is_whitespace));
        for named in named.filter(|named| !is_there(named)) {
            wrong.push(format!("{page}: `{named}`"));
        }
    }
    assert!(wrong.is_empty(), "these are not there:\n{}", wrong.join("\n"));
    assert!(!is_there("reading::Detail") && !is_there("src/readings.rs") && is_there("signal::container"));
}

/// What looks like a place in the tree is one.
fn is_there(named: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if named.contains("::") && named.split("::").all(plain) {
        let (path, item) = named.rsplit_once("::").unwrap_or_default();
        let file = |path: &str| root().join("src").join(path.replace("::", "/")).with_extension("rs");
        let says = |text: String| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == item);
        return file(named).is_file() || fs::read_to_string(file(path)).is_ok_and(says);
    }
    let first = named.split('/').next().unwrap_or_default();
    if !named.contains('/') || !["src", "tests", "benches", "config", "deploy", "dashboards"].contains(&first) {
        return true;
    }
    !named.split('/').all(plain) || root().join(named).exists() || root().join(named).with_extension("rs").exists()
}
