//! The three questions that a reader comes with, answered: is each model right, is each thing the right size, what does it cost. Each with
//! the one thing to do next.

use maud::{Markup, html};

use super::{View, workload};
use crate::model::address;
use crate::model::view::ModelView;
use crate::performance::verdict::Verdict;
use crate::rightsize::review::Totals;
use crate::rightsize::{Assessment, Provisioning};
use crate::units::{money, percent};

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Well,
    Wrong,
    /// Nobody knows yet.
    Open,
}

struct Answer {
    question: &'static str,
    stands: Stands,
    figure: String,
    words: String,
    picture: Markup,
    /// What to do, and where.
    next: Option<(String, String)>,
}

pub fn section(view: &View) -> Markup {
    html! {
        section #tiles aria-label="In short" {
            ul.answers {
                @for answer in [models(view), sizes(view), cost(view)] {
                    li class=(match answer.stands { Stands::Well => "answer", Stands::Wrong => "answer wrong", Stands::Open => "answer open" }) {
                        h2 { (answer.question) }
                        p.figure { (answer.figure) @if answer.stands == Stands::Wrong { span aria-hidden="true" { " ⚠" } } }
                        (answer.picture)
                        p { (answer.words) }
                        @if let Some((text, target)) = &answer.next { p.next { a href=(target) { (text) " →" } } }
                    }
                }
            }
        }
    }
}

/// How much is wrong with a model: it does worse, it is estimated to, its samples drift.
fn wrong(model: &ModelView) -> Option<(u8, String)> {
    if let Some(change) = model.change().filter(|change| change.verdict == Verdict::Worse) {
        let name = change.measure.replace('_', " ");
        return Some((2, format!("{}: {name} {:.3}, was {:.3}", model.key, change.current, change.reference)));
    }
    let drifts = model.verdict.drift == Some(true) && !model.verdict.provisional;
    drifts.then(|| (1, format!("{}: {} columns drift", model.key, model.verdict.columns.len())))
}

fn models(view: &View) -> Answer {
    let models = &view.snapshot.models.models;
    let mut wrongs: Vec<(u8, String, &ModelView)> =
        models.iter().filter_map(|model| wrong(model).map(|(grade, text)| (grade, text, model))).collect();
    wrongs.sort_by_key(|(grade, ..)| std::cmp::Reverse(*grade));
    let judged = models.iter().filter(|model| model.verdict.drift.is_some()).count();
    let question = "Is each model right?";
    let next = wrongs.first().map(|(_, text, model)| (text.clone(), address::of("/models", &model.key, "")));
    let (stands, figure, words) = if models.is_empty() {
        (Stands::Open, "–".to_owned(), "No model has sent samples yet.".to_owned())
    } else if judged == 0 {
        (Stands::Open, format!("{} watched", models.len()), "No window has been judged yet.".to_owned())
    } else if wrongs.is_empty() {
        let unjudged = models.len() - judged;
        let more = if unjudged > 0 { format!(" {unjudged} more are not judged yet.") } else { String::new() };
        (
            Stands::Well,
            format!("{judged} of {judged}"),
            format!("No drift, and none does worse than on its reference.{more}"),
        )
    } else {
        let worse = wrongs.iter().filter(|(grade, ..)| *grade == 2).count();
        let verb = if wrongs.len() == 1 { "needs" } else { "need" };
        let words =
            format!("{verb} a look: {worse} worse than on the reference, {} with drift alone.", wrongs.len() - worse);
        (Stands::Wrong, format!("{} of {}", wrongs.len(), models.len()), words)
    };
    Answer { question, stands, figure, words, picture: html! {}, next }
}

/// The workloads that run here.
fn running(view: &View) -> impl Iterator<Item = &Assessment> {
    let all = view.snapshot.review.iter().flat_map(|review| &review.workloads);
    all.filter(|a| !a.ended && a.workload.node == view.snapshot.node)
}

fn sizes(view: &View) -> Answer {
    let count = |provisioning| running(view).filter(|a| a.is(provisioning)).count();
    let (under, over) = (
        count(Provisioning::Under),
        running(view).filter(|a| a.is(Provisioning::Over) && !a.is(Provisioning::Under)).count(),
    );
    let all = running(view).count();
    let unknown =
        running(view).filter(|a| a.resources().iter().all(|(_, of)| of.provisioning == Provisioning::Unknown)).count();
    let most = |wanted: Provisioning| {
        let of = running(view).filter(move |a| a.is(wanted) && a.resources().iter().any(|(_, of)| of.changes()));
        of.max_by(|a, b| {
            (a.confirmed, a.saving.abs())
                .partial_cmp(&(b.confirmed, b.saving.abs()))
                .unwrap_or(std::cmp::Ordering::Equal)
        })
    };
    let next = most(Provisioning::Under).or_else(|| most(Provisioning::Over)).map(|a| {
        let wrong = a.resources().into_iter().find(|(_, of)| of.acts());
        let (name, of) = wrong.unwrap_or(("size", &a.cpu));
        let verb = if of.provisioning == Provisioning::Under { "Raise" } else { "Lower" };
        (format!("{verb} {} of {}", if name == "cpu" { "CPU" } else { name }, short(a)), workload::address(&a.workload))
    });
    let (stands, figure, words) = if view.snapshot.review.is_none() {
        (Stands::Open, "–".to_owned(), "Reading the history …".to_owned())
    } else if all == 0 || unknown == all {
        (Stands::Open, "–".to_owned(), "A size is judged once there is an hour of history.".to_owned())
    } else if under + over == 0 {
        (Stands::Well, format!("{} of {all}", all - unknown), "ask for about what they need.".to_owned())
    } else {
        let words = format!("workloads are the wrong size: {under} ask for too little, {over} for too much.");
        (Stands::Wrong, format!("{} of {all}", under + over), words)
    };
    Answer { question: "Is each thing the right size?", stands, figure, words, picture: html! {}, next }
}

/// The workload's own name.
fn short(a: &Assessment) -> &str {
    a.workload.workload.as_ref().map_or(&a.workload.name, |workload| &workload.name)
}

fn cost(view: &View) -> Answer {
    let question = "What does it cost, and waste?";
    let money = |amount: f64| money(amount, view.currency());
    let totals = view.snapshot.review.as_ref().map(|review| &review.totals);
    let Some(totals) = totals.filter(|totals| totals.cost + totals.gpu_cost > 0.0) else {
        let words = "Costs are known once the first minute has been written.".to_owned();
        return Answer {
            question, stands: Stands::Open, figure: "–".to_owned(), words, picture: html! {}, next: None
        };
    };
    let (all, wasted) = (totals.cost + totals.gpu_cost, totals.wasted());
    let saving = running(view).filter(|a| a.saving > 0.0).max_by(|a, b| a.saving.total_cmp(&b.saving));
    let idle = view.snapshot.review.iter().flat_map(|review| &review.gpus);
    let idle = idle.filter_map(|gpu| gpu.held_idle_cost).fold(0.0, f64::max);
    let next = match saving {
        Some(a) if a.saving >= idle => {
            Some((format!("Save {} on {}", money(a.saving), short(a)), workload::address(&a.workload)))
        }
        _ if idle > 0.0 => Some((format!("Free a GPU held idle for {} a month", money(idle)), "#gpus".to_owned())),
        _ => None,
    };
    let stands = if wasted >= 1.0 { Stands::Wrong } else { Stands::Well };
    let words = format!("of {} a month are wasted, {}.", money(all), percent(wasted / all));
    Answer { question, stands, figure: money(wasted), words, picture: split(totals), next }
}

/// The money as one bar: used, on GPUs that compute nothing, on sizes.
fn split(totals: &Totals) -> Markup {
    let all = (totals.cost + totals.gpu_cost).max(f64::MIN_POSITIVE);
    let part = |amount: f64| (amount / all * 100.0).clamp(0.0, 100.0);
    let (sizes, idle) = (part(totals.confirmed_saving), part(totals.gpu_held_idle_cost + totals.gpu_free_cost));
    let used = 100.0 - sizes - idle;
    let text =
        format!("{used:.0} % used, {sizes:.0} % asked for and not needed, {idle:.0} % on GPUs that compute nothing");
    html! {
        svg.split viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(text) {
            title { (text) }
            rect.used width=(format!("{used:.1}")) height="8" {}
            rect.wasted x=(format!("{used:.1}")) width=(format!("{sizes:.1}")) height="8" {}
            rect.idle x=(format!("{:.1}", used + sizes)) width=(format!("{idle:.1}")) height="8" {}
        }
    }
}
