//! REFERENCE.md is what the lists in the code say. `PLUMBLINE_BLESS=1 cargo test` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use libtest_mimic::Failed;
use plumbline::catalogue;
use plumbline::drift::aspect::Aspect;
use plumbline::drift::derived::text::ENTRIES;
use plumbline::drift::verdict::Thresholds;
use plumbline::drift::{Kind as ColumnKind, TESTS as DRIFT_TESTS};
use plumbline::export::prometheus;
use plumbline::frame::gpu::GPU_COLUMNS;
use plumbline::frame::model::MODEL_COLUMNS;
use plumbline::frame::{MINUTE_COLUMNS, MINUTE_SCHEMA_VERSION, MinuteColumn, Row};
use plumbline::metric::attribute::{ATTRIBUTES, Of};
use plumbline::metric::{AGENT_METRICS, Kind, Metric};
use plumbline::performance::measures::{Better, MEASURES};
use plumbline::quality::Check;
use plumbline::signal::container::Container;
use plumbline::signal::gpu::Gpu;
use plumbline::signal::model::Model;
use plumbline::signal::{Column, Table};

use crate::Test;
use crate::parts::check;

pub const TESTS: &[Test] = &[(&[], "reference::the_page_is_what_the_code_says", the_page_is_what_the_code_says)];

fn the_page_is_what_the_code_says() -> Result<(), Failed> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("REFERENCE.md");
    let page = page()?;
    if std::env::var("PLUMBLINE_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, &page)?;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    check(written == page, || "REFERENCE.md is out of date: run PLUMBLINE_BLESS=1 cargo test --test real".to_owned())
}

/// The attributes of a container or a GPU, by where Prometheus has them.
fn identity(of: Of) -> String {
    let own = || ATTRIBUTES.iter().filter(|named| named.of == of);
    let listed = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let labels = listed(own().filter(|named| named.is_label()).map(|named| named.shown().into()).collect());
    let rest = listed(own().filter(|named| !named.is_label()).map(|named| named.shown().into()).collect());
    let short = listed(own().filter_map(|named| named.short()).map(str::to_owned).collect());
    let beside = if short.is_empty() { String::new() } else { format!("; {short} beside them") };
    format!("{labels} (labels of every Prometheus series{beside}), {rest} (in `target_info`)")
}

fn page() -> Result<String, Failed> {
    let mut page = String::from(
        "# Reference\n\nMade from the lists in the code; a test holds it to them.\n\n\
         ## Metrics of containers\n\n\
         Names of OpenTelemetry's semantic conventions 1.44.0; what they lack stands under `plumbline.`.\n\
         C counter, U up-down counter, G gauge. A signal that is unknown is absent.\n\n",
    );
    table(&mut page, catalogue::of_containers())?;
    write!(page, "\nA container's identity: {}. ", identity(Of::Container))?;
    page.push_str("Over OTLP all are attributes of the resource.\n\n## Metrics of GPUs\n\n");
    table(&mut page, catalogue::of_gpus())?;
    write!(page, "\nA GPU's identity: {}.\n\n## Metrics of models\n\n", identity(Of::Gpu))?;
    table(&mut page, catalogue::of_models())?;
    page.push_str(
        "\n`reference.hash` names the reference's bins that are exported and its counts in them (`reference.bins` of `/api/v1/models`): bins of equal hashes add up over replicas. \
         Those of a provisional reference are of one node alone.\n\n## Drift\n\n\
         A column drifts by the first aspect of it that is significant and large: its p-value, corrected over all aspects of all \
         columns, lies below `thresholds.significance`, and its effect, the noise of both samples taken off, above its threshold and \
         above what the column varies by itself in a reference with times.\n\n\
         | Aspect | P-value | Effect | Above |\n|---|---|---|---|\n",
    );
    for aspect in Aspect::ALL {
        let (help, measure) = (aspect.help(), aspect.measure());
        let (name, set) = (measure.setting(), Thresholds::default().of(measure));
        writeln!(page, "| `{}` | {help} | {} | `thresholds.{name}`, {set} |", aspect.name(), measure.help())?;
    }
    page.push_str(
        "\nTexts and dates are compared by columns that are made of them, named after them.\n\n| Of | Column | What it is |\n|---|---|---|\n",
    );
    for entry in ENTRIES {
        writeln!(page, "| a text | `NAME.{}` | {} |", entry.name, entry.help)?;
    }
    page.push_str("| a date | `NAME.age` | days before its row's time |\n");
    page.push_str(
        "\n## Drift tests\n\nThey are shown beside the verdict; one decides where it has a threshold (`thresholds.tests`).\n\n\
         | Test | For | By default | Definition |\n|---|---|---|---|\n",
    );
    for test in DRIFT_TESTS {
        let name = |kind: &ColumnKind| if *kind == ColumnKind::Numeric { "numbers" } else { "categories" };
        let kinds = test.kinds.iter().map(name).collect::<Vec<_>>().join(", ");
        let default = if test.default { "yes" } else { "no" };
        writeln!(page, "| `{}` | {kinds} | {default} | {} |", test.name, test.help)?;
    }
    page.push_str(
        "\n## Data quality\n\nA finding lies beyond its limit (`quality.limits`), beyond one and a half times what any of the reference's own \
         windows shows, and is no chance: its p-value, corrected over all checks of all columns, lies below `thresholds.significance`. What \
         chance cannot show has no p-value.\n\n| Check | Limit | Rule |\n|---|---|---|\n",
    );
    for check in Check::ALL {
        let limit = if check == Check::Staleness { "`stale_after`".to_owned() } else { check.limit().to_string() };
        writeln!(page, "| `{}` | {limit} | {} |", check.name(), check.rule())?;
    }
    page.push_str(
        "\n## Measures of performance\n\nThe first of those with a rank that is defined leads: its drop is the model's.\n\n\
         | Measure | Better | Rank | Definition |\n|---|---|---|---|\n",
    );
    for measure in MEASURES {
        let better = match measure.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
        };
        let rank = measure.rank.map_or_else(|| "–".to_owned(), |rank| rank.to_string());
        writeln!(page, "| `{}` | {better} | {rank} | {} |", measure.name, measure.help)?;
    }
    page.push_str("\n## Metrics of the agent itself\n\n");
    table(&mut page, AGENT_METRICS.iter().copied())?;
    writeln!(
        page,
        "\n## Minute history\n\n\
         `DATA/container_minute/version={MINUTE_SCHEMA_VERSION}/node=NAME/date=YYYY-MM-DD/hour=HH/minutes.parquet` (UTC), \
         zstd. The version is also in each file's metadata (`plumbline.schema.version`). A version gains columns and \
         loses none; a column that changes its meaning raises it. Percentiles are R-7 over the minute's inner ticks. \
         Null is unknown.\n\n| Column | Type | Meaning |\n|---|---|---|"
    )?;
    for column in MINUTE_COLUMNS {
        writeln!(page, "| `{}` | {} | {} |", column.name, column.kind(), column.help)?;
    }
    signals::<Container>(&mut page)?;
    columns(&mut page, "GPU", GPU_COLUMNS)?;
    signals::<Gpu>(&mut page)?;
    columns(&mut page, "Model", MODEL_COLUMNS)?;
    signals::<Model>(&mut page)?;
    Ok(page)
}

fn columns<R: Row>(page: &mut String, name: &str, columns: &[MinuteColumn<R>]) -> Result<(), Failed> {
    writeln!(
        page,
        "\n## {name} minutes\n\n`DATA/{}/version={}/node=NAME/date=YYYY-MM-DD/hour=HH/minutes.parquet`, likewise.\n\n\
         | Column | Type | Meaning |\n|---|---|---|",
        R::TABLE,
        R::VERSION
    )?;
    for column in columns {
        writeln!(page, "| `{}` | {} | {} |", column.name, column.kind(), column.help)?;
    }
    Ok(())
}

fn signals<T: Table>(page: &mut String) -> Result<(), Failed> {
    for column in Column::<T>::all() {
        let kind = if column.is_count() { "u64" } else { "f64" };
        writeln!(page, "| `{}` | {kind} | {} |", column.name(), column.about())?;
    }
    Ok(())
}

fn table(page: &mut String, metrics: impl Iterator<Item = &'static Metric>) -> Result<(), Failed> {
    page.push_str("| Metric | Kind | Unit | Attributes | Prometheus | Meaning |\n|---|---|---|---|---|---|\n");
    for metric in metrics {
        let kind = match metric.kind {
            Kind::Counter => "C",
            Kind::UpDown => "U",
            Kind::Gauge => "G",
        };
        let attributes: Vec<String> = metric.attributes.iter().map(|key| format!("`{key}`")).collect();
        writeln!(
            page,
            "| `{}` | {kind} | `{}` | {} | `{}` | {} |",
            metric.name,
            metric.unit,
            attributes.join(", "),
            prometheus::name(metric),
            metric.help
        )?;
    }
    Ok(())
}
