//! The capacity review in a terminal: the sums, workloads by what is to be done, GPUs, models, and what to type.

use std::fmt::Write as _;

use super::{GPU_HEADS, MODEL_HEADS, Parts, gpu_line, missing, model_line, period, since, sums, title};
use crate::report::{IN_FULL, dash, said};
use crate::rightsize::changed::Changed;
use crate::rightsize::review::Review;
use crate::rightsize::{Assessment, Provisioning, Resource};
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::text::{plain, width};
use crate::terminal::tone::Tone;
use crate::units::{bytes, cores, money};

/// For a terminal. Ends with a line break.
#[must_use]
pub fn table(review: &Review, changed: Option<&Changed>, look: Look) -> String {
    let heading = |text: &str, tone: Tone| {
        said(text, look).lines().fold(String::new(), |all, line| all + &tone.headline(line, look.colour) + "\n")
    };
    let mut text = heading(&title(review), Tone::Strong);
    text += &said(&period(review), look);
    text.push('\n');
    text.extend(sums(review).iter().map(|line| said(line, look)));
    if let Some(changed) = changed {
        let _ = write!(text, "\n{}", heading(&since::head(changed), Tone::Strong));
        text.extend(since::lines(changed, &review.prices.currency).iter().map(|line| said(line, look)));
    }
    let parts = Parts::of(review);
    for ((head, list, empty), tone) in
        parts.sections().into_iter().zip([Tone::Bad, Tone::Warning, Tone::Warning, Tone::Strong])
    {
        match (list, empty) {
            ([], None) => {}
            ([], Some(empty)) => {
                let _ = write!(text, "\n{}", said(empty, look));
            }
            (list, _) => {
                let _ = write!(text, "\n{}", heading(&format!("{head} ({})", list.len()), tone));
                text += &workloads(list, review).text(look, IN_FULL);
            }
        }
    }
    let others = [(gpus(review), "GPUs"), (models(review), "Models")];
    for (table, head) in others.iter().filter(|(table, _)| !table.is_empty()) {
        let _ = write!(text, "\n{}{}", heading(head, Tone::Strong), table.text(look, IN_FULL));
    }
    if !parts.ended.is_empty() {
        let names: Vec<&str> = parts.ended.iter().map(|a| a.workload.name.as_str()).collect();
        let _ = write!(text, "\n{}", said(&format!("Ended, and not in the sums: {}.", names.join(", ")), look));
    }
    // One way for each workload; Markdown and JSON have the others.
    let patched = parts.sections().into_iter().flat_map(|(_, list, _)| list);
    let commands: Vec<&str> = patched
        .filter_map(|a| a.patches.iter().find(|patch| patch.tool.is_command()))
        .map(|patch| patch.text.as_str())
        .collect();
    if !commands.is_empty() {
        let _ = write!(text, "\n{}", heading("To do it", Tone::Strong));
        text.extend(commands.into_iter().map(|line| command(line, look.width)));
    }
    text
}

fn workloads(list: &[&Assessment], review: &Review) -> Table {
    let mut columns = vec![Column::name("WORKLOAD")];
    if review.nodes.len() > 1 {
        columns.push(Column::text("NODE", 8).rank(4));
    }
    columns.extend([
        Column::word("CPU"),
        Column::word("MEMORY"),
        Column::figure("A MONTH"),
        Column::figure("CHANGE"),
        Column::figure("REPLICAS").rank(6),
        Column::word("TRUST").rank(5),
        Column::text("WHY", 32).rank(7),
    ]);
    let mut table = Table::new(columns);
    for a in list {
        let mut row = vec![Cell::from(a.workload.name.as_str())];
        if review.nodes.len() > 1 {
            row.push(a.workload.node.as_str().into());
        }
        let change = match a.saving {
            saving if saving > 0.0 => Cell::new(&format!("-{}", money(saving, &review.prices.currency)), Tone::Good),
            saving if saving < 0.0 => {
                Cell::new(&format!("+{}", money(-saving, &review.prices.currency)), Tone::Warning)
            }
            _ => Cell::new(&dash(), Tone::Soft),
        };
        row.extend([
            resource(&a.cpu, cores),
            resource(&a.memory, bytes),
            money(a.cost, &review.prices.currency).into(),
            change,
            a.replicas.to_string().into(),
            if a.confirmed { "confirmed".into() } else { Cell::new("investigate", Tone::Soft) },
            format!("{}; {}", a.cpu.reason, a.memory.reason).into(),
        ]);
        table.push(row);
    }
    table
}

/// `4 → 1.02 cores`: what is requested, and what should be. The arrow says which way; the colour says it again.
fn resource(resource: &Resource, unit: fn(f64) -> String) -> Cell {
    let tone = match resource.provisioning {
        Provisioning::Under => Tone::Bad,
        Provisioning::Over => Tone::Warning,
        _ => Tone::Plain,
    };
    let text = match (resource.requested, resource.recommended) {
        (Some(requested), Some(to)) if resource.changes() => {
            let (from, to) = (unit(requested), unit(to));
            let same = from.rsplit_once(' ').zip(to.rsplit_once(' ')).filter(|((_, one), (_, other))| one == other);
            format!("{} → {to}", same.map_or(from.as_str(), |((number, _), _)| number))
        }
        (Some(requested), _) => unit(requested),
        (None, Some(to)) => format!("{} → {}", missing(resource), unit(to)),
        (None, None) => missing(resource).to_owned(),
    };
    Cell::new(&text, tone)
}

fn gpus(review: &Review) -> Table {
    let ranks = [0, 0, 2, 1, 1, 5, 4, 3];
    let columns = GPU_HEADS.iter().zip(ranks).enumerate().map(|(at, (head, rank))| {
        let head = head.to_uppercase();
        if at == 0 { Column::name(&head) } else { Column::figure(&head).rank(rank) }
    });
    let mut table = Table::new(columns.collect());
    for gpu in &review.gpus {
        let idle = gpu.held_idle.is_some_and(|share| share > 0.0);
        let waste = |at: usize| if at == 3 && idle { Tone::Warning } else { Tone::Plain };
        let cells = gpu_line(gpu, review);
        table.push(cells.iter().enumerate().map(|(at, cell)| Cell::new(cell, waste(at))).collect());
    }
    table
}

fn models(review: &Review) -> Table {
    let [model, drift, drifting, performance, predictions, cost] = MODEL_HEADS.map(str::to_uppercase);
    let mut table = Table::new(vec![
        Column::name(&model),
        Column::text(&drift, 12),
        Column::figure(&drifting).rank(4),
        Column::word(&performance).rank(1),
        Column::figure(&predictions).rank(3),
        Column::figure(&cost).rank(2),
    ]);
    for model in &review.models {
        let tone = match model.drift {
            Some(true) => Tone::Bad,
            Some(false) => Tone::Good,
            None => Tone::Soft,
        };
        let tone = |at: usize| if at == 1 { tone } else { Tone::Plain };
        let cells = model_line(model, review);
        table.push(cells.iter().enumerate().map(|(at, cell)| Cell::new(cell, tone(at))).collect());
    }
    table
}

/// A command in lines that a shell joins again. One with quotes stays as it is: a blank in it may be part of a word.
fn command(text: &str, room: Option<usize>) -> String {
    let text = plain(text);
    let Some(room) = room.filter(|room| width(&text) > *room && !text.contains(['\'', '"', '\\'])) else {
        return text + "\n";
    };
    let (mut all, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        // A blank and a backslash follow.
        if !line.trim().is_empty() && width(&line) + 1 + width(word) + 2 > room {
            let _ = writeln!(all, "{line} \\");
            " ".clone_into(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    all + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_joins_what_was_parted() {
        let text = "kubectl -n ml set resources deployment/housing -c server --requests=cpu=970m,memory=1896Mi --limits=cpu=970m";
        let parted = command(text, Some(60));
        assert!(parted.lines().all(|line| width(line) <= 60) && parted.lines().count() > 1, "{parted}");
        assert_eq!(parted.trim_end().replace(" \\\n ", ""), text);
        assert_eq!(command(text, None), format!("{text}\n"));
        let quoted = format!("{text} 'a  b'");
        assert_eq!(command(&quoted, Some(60)), format!("{quoted}\n"));
    }
}
