//! The state machine: pending, firing, resolved, for each rule and series.
//!
//! A value beyond the threshold makes an alert pending, and after `for` it fires; it goes on until the value is back at the clear
//! level and `keep_firing_for` is over. A series that is no longer told of counts as clear after two minutes, so that neither a
//! restart of the agent nor a missed reading resolves anything.
//!
//! Times within are by a steady clock, so that a clock that is set makes nothing fire. What is shown and what is kept is by the
//! wall clock: the difference of the two, as it stands then, is added ([`Engine::correct`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::rule::{Rule, Severity};
use super::trail::Trail;
use super::view::{Alert, AlertState, AlertsView, Event, RuleView, moved};
use crate::metric::attribute::Named;
use crate::metric::{Kind, Metric, Number, Point};

/// A series that nobody tells of counts as clear after this long.
const ABSENT: SignedDuration = SignedDuration::from_secs(120);
/// Alerts that are over are shown for two weeks, so many at most.
const RESOLVED: usize = 1000;
const RESOLVED_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Whoever was away for longer is not told of what was.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Events that are held for those who tell people.
const EVENTS: usize = 1000;

type Labels = BTreeMap<String, String>;
type Key = (String, Labels);

/// What is kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// When it was kept.
    pub at: Option<Timestamp>,
    alerts: Vec<Active>,
    resolved: Vec<Alert>,
    let_go: LetGo,
    /// The number of the last event.
    pub sequence: u64,
    /// Events that a receiver has not taken yet.
    pub events: Vec<Event>,
    /// Of counters: what they had counted, so that what happened while the agent was away counts too.
    trails: Vec<KeptTrail>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptTrail {
    rule: String,
    series: String,
    trail: Trail,
    seen: Timestamp,
}

/// Alerts that were over within two weeks, and that there was no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct LetGo {
    count: u64,
    /// When the newest of them was over.
    newest: Option<Timestamp>,
}

/// An alert that is followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Active {
    alert: Alert,
    /// When its series was last told of.
    seen: Timestamp,
    /// Since when its value has been clear.
    cleared: Option<Timestamp>,
}

impl Kept {
    /// Of alerts that are over, the newest first, and nothing else.
    #[must_use]
    pub fn over(at: Timestamp, resolved: Vec<Alert>) -> Self {
        Self { at: Some(at), resolved, ..Self::default() }
    }

    /// The same by a clock that is so much ahead.
    fn moved(mut self, by: SignedDuration) -> Self {
        if by.is_zero() {
            return self;
        }
        self.at = self.at.map(|at| moved(at, by));
        for held in &mut self.alerts {
            held.alert = held.alert.clone().moved(by);
            held.seen = moved(held.seen, by);
            held.cleared = held.cleared.map(|at| moved(at, by));
        }
        self.resolved = self.resolved.into_iter().map(|alert| alert.moved(by)).collect();
        self.let_go.newest = self.let_go.newest.map(|at| moved(at, by));
        self.events = self.events.into_iter().map(|event| event.moved(by)).collect();
        for kept in &mut self.trails {
            kept.trail.shift(by);
            kept.seen = moved(kept.seen, by);
        }
        self
    }
}

/// All rules and what meets them.
#[derive(Debug)]
pub struct Engine {
    node: String,
    rules: Vec<Rule>,
    max_alerts: usize,
    /// Since when somebody looks: counters that begin later count from zero.
    started: Timestamp,
    active: BTreeMap<Key, Active>,
    resolved: VecDeque<Alert>,
    let_go: LetGo,
    /// By rule and series.
    trails: HashMap<(String, String), (Trail, Timestamp)>,
    events: VecDeque<Event>,
    sequence: u64,
    /// How many were over so far.
    over: u64,
    left_out: u64,
    /// How far the wall clock is ahead of the steady one.
    correction: SignedDuration,
    /// An alert came, went or changed its state in the last step.
    changed: bool,
}

impl Engine {
    /// With what was kept of the one before. The time in between counts for nobody: what was pending is as far as it was.
    #[must_use]
    pub fn new(node: String, rules: Vec<Rule>, max_alerts: usize, kept: Kept, now: Timestamp) -> Self {
        // What is from the future was written by a clock that was ahead by at least so much.
        let ahead = kept.at.map_or(SignedDuration::ZERO, |at| at.duration_since(now)).max(SignedDuration::ZERO);
        let kept = kept.moved(-ahead);
        let away = kept.at.map_or(SignedDuration::ZERO, |at| now.duration_since(at)).max(SignedDuration::ZERO);
        let later = |time: Timestamp| time.checked_add(away).unwrap_or(time).min(now);
        // What is from the future still makes no sense.
        let past = |alert: &mut Alert| {
            alert.since = alert.since.min(now);
            alert.fired = alert.fired.map(|at| at.min(now));
            alert.resolved = alert.resolved.map(|at| at.min(now));
        };
        let followed = kept.alerts.into_iter().filter(|held| held.alert.state != AlertState::Resolved);
        let active = followed.take(max_alerts).map(|mut held| {
            past(&mut held.alert);
            if held.alert.state == AlertState::Pending {
                held.alert.since = later(held.alert.since);
            }
            held.seen = later(held.seen);
            held.cleared = held.cleared.map(later);
            ((held.alert.name.clone(), held.alert.labels.clone()), held)
        });
        let mut resolved: VecDeque<Alert> = kept.resolved.into_iter().take(RESOLVED).collect();
        resolved.iter_mut().for_each(past);
        Self {
            node,
            max_alerts,
            started: now,
            active: active.collect(),
            resolved,
            let_go: LetGo { newest: kept.let_go.newest.map(|at| at.min(now)), ..kept.let_go },
            trails: kept
                .trails
                .into_iter()
                .map(|KeptTrail { rule, series, trail, seen }| ((rule, series), (trail, seen)))
                .collect(),
            events: kept.events.into(),
            sequence: kept.sequence,
            over: 0,
            left_out: 0,
            correction: SignedDuration::ZERO,
            changed: false,
            rules,
        }
    }

    /// Takes other rules. Alerts of a rule that is gone are over with the next step.
    pub fn configure(&mut self, rules: Vec<Rule>, max_alerts: usize) {
        (self.rules, self.max_alerts) = (rules, max_alerts);
    }

    /// Says how far the wall clock is ahead of the steady one, by which `now` is told.
    pub fn correct(&mut self, ahead: SignedDuration) {
        self.correction = ahead;
    }

    /// What is to be kept, by the wall clock; of events those beyond `told`, of the last day.
    #[must_use]
    pub fn kept(&self, now: Timestamp, told: u64) -> Kept {
        let fresh = |event: &&Event| event.sequence > told && now.duration_since(event.at) < TOLD_FOR;
        let kept = Kept {
            sequence: self.sequence,
            events: self.events.iter().filter(fresh).cloned().collect(),
            at: Some(now),
            alerts: self.active.values().cloned().collect(),
            resolved: self.resolved.iter().cloned().collect(),
            let_go: self.let_go,
            trails: self
                .trails
                .iter()
                .map(|((rule, series), (trail, seen))| KeptTrail {
                    rule: rule.clone(),
                    series: series.clone(),
                    trail: trail.kept(),
                    seen: *seen,
                })
                .collect(),
        };
        kept.moved(self.correction)
    }

    /// Holds the points against the rules. Returns whether any alert came, went or changed its state.
    pub fn step(&mut self, points: &[&Point], now: Timestamp) -> bool {
        (self.changed, self.left_out) = (false, 0);
        let rules = std::mem::take(&mut self.rules);
        for rule in &rules {
            let values = self.values(rule, points, now);
            self.apply(rule, &values, now);
        }
        let known = |name: &str| rules.iter().any(|rule| rule.name == name);
        let orphans: Vec<Key> = self.active.keys().filter(|(name, _)| !known(name)).cloned().collect();
        for key in orphans {
            self.resolve(&key, now);
        }
        self.rules = rules;
        let fresh = |at: Timestamp| now.duration_since(at) < RESOLVED_FOR;
        self.resolved.retain(|alert| alert.resolved.is_some_and(fresh));
        if !self.let_go.newest.is_some_and(fresh) {
            self.let_go = LetGo::default();
        }
        // Series that are gone leave nothing behind, once no rule looks back as far.
        let longest = self.rules.iter().filter_map(|rule| rule.over).max().unwrap_or_default();
        self.trails.retain(|_, (_, seen)| now.duration_since(*seen).unsigned_abs() <= longest);
        self.changed
    }

    /// The value of each series the rule is about, by whom it is about.
    fn values(&mut self, rule: &Rule, points: &[&Point], now: Timestamp) -> BTreeMap<Labels, f64> {
        let Some(metric) = rule.metric() else { return BTreeMap::new() };
        let mut values: BTreeMap<Labels, f64> = BTreeMap::new();
        if metric.kind != Kind::Counter {
            for (labels, value, _) in of(metric, rule, points) {
                values.entry(labels).and_modify(|known| *known = rule.worse(*known, value)).or_insert(value);
            }
            return values;
        }
        let over = rule.over.unwrap_or_default();
        let increases = self.increases(rule, metric, points, over, now);
        let Some(per) = rule.per() else { return increases };
        let whole = self.increases(rule, per, points, over, now);
        for (labels, part) in increases {
            if let Some(whole) = whole.get(&labels).filter(|whole| **whole > 0.0) {
                values.insert(labels, part / whole);
            }
        }
        values
    }

    /// By how much each series grew, summed by whom it is about.
    fn increases(
        &mut self,
        rule: &Rule,
        metric: &'static Metric,
        points: &[&Point],
        over: Duration,
        now: Timestamp,
    ) -> BTreeMap<Labels, f64> {
        let mut sums: BTreeMap<Labels, f64> = BTreeMap::new();
        for (labels, value, point) in of(metric, rule, points) {
            let series = series_of(metric, point);
            let (trail, seen) =
                self.trails.entry((rule.name.clone(), series)).or_insert_with(|| (Trail::default(), now));
            *seen = now;
            // A start is by the wall clock, our own by the one of that time.
            let steady = |start: Timestamp| start.saturating_sub(self.correction).unwrap_or(start);
            let from_zero = point.start.is_some_and(|start| start == self.started || steady(start) >= self.started);
            trail.push(now, value, point.start, from_zero, over);
            if let Some(increase) = trail.increase() {
                *sums.entry(labels).or_default() += increase;
            }
        }
        sums
    }

    fn apply(&mut self, rule: &Rule, values: &BTreeMap<Labels, f64>, now: Timestamp) {
        for (labels, value) in values {
            let key = (rule.name.clone(), labels.clone());
            let Some(held) = self.active.get_mut(&key) else {
                if rule.is_met(*value) {
                    self.begin(rule, key, *value, now);
                }
                continue;
            };
            held.seen = now;
            held.alert.value = *value;
            held.alert.worst = Some(held.alert.worst.map_or(*value, |worst| rule.worse(worst, *value)));
            (held.alert.severity, held.alert.threshold) = (rule.severity, rule.threshold());
            let firing = held.alert.state == AlertState::Firing;
            let holds = if firing { rule.holds_on(*value) } else { rule.is_met(*value) };
            if holds {
                held.cleared = None;
                held.alert.message = rule.message(*value, labels);
            } else {
                held.cleared.get_or_insert(now);
            }
        }
        let of_rule: Vec<Key> = self.active.keys().filter(|(name, _)| *name == rule.name).cloned().collect();
        for key in of_rule {
            let told = values.contains_key(&key.1);
            self.advance(rule, &key, told, now);
        }
    }

    fn begin(&mut self, rule: &Rule, key: Key, value: f64, now: Timestamp) {
        if self.active.len() >= self.max_alerts {
            self.left_out += 1;
            let Some(displaced) = self.least_below(rule.severity) else { return };
            // Whoever was told that it fires is told that nobody follows it any longer.
            if let Some(held) = self.active.get_mut(&displaced) {
                held.alert.message += " (no longer followed: alerting.max_alerts is reached)";
            }
            self.resolve(&displaced, now);
        }
        let alert = Alert {
            name: rule.name.clone(),
            severity: rule.severity,
            state: AlertState::Pending,
            labels: key.1.clone(),
            metric: rule.metric.clone(),
            value,
            worst: Some(value),
            threshold: rule.threshold(),
            since: now,
            fired: None,
            resolved: None,
            message: rule.message(value, &key.1),
        };
        self.changed = true;
        self.active.insert(key, Active { alert, seen: now, cleared: None });
    }

    /// The alert that gives way to one of this severity: of the least severe, those that are pending first, and the newest first.
    fn least_below(&self, severity: Severity) -> Option<Key> {
        let below = self.active.iter().filter(|(_, held)| held.alert.severity < severity);
        // The key only so that it is always the same one.
        let order = |key: &Key, held: &Active| {
            let alert = &held.alert;
            (alert.severity, alert.state, Reverse(alert.since), key.clone())
        };
        below.min_by_key(|(key, held)| order(key, held)).map(|(key, _)| key.clone())
    }

    /// Moves one alert on: to firing when it was pending for long enough, out when it is over.
    fn advance(&mut self, rule: &Rule, key: &Key, told: bool, now: Timestamp) {
        let Some(held) = self.active.get_mut(key) else { return };
        let since = |at: Timestamp| now.duration_since(at).max(SignedDuration::ZERO);
        let long = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let pending = held.alert.state == AlertState::Pending;
        if !told {
            let patience = if pending { ABSENT } else { ABSENT.max(long(rule.keep_firing_for)) };
            if since(held.seen) >= patience {
                self.resolve(key, now);
            }
            return;
        }
        if let Some(cleared) = held.cleared {
            if pending || since(cleared) >= long(rule.keep_firing_for) {
                self.resolve(key, now);
            }
            return;
        }
        if pending && since(held.alert.since) >= long(rule.hold) {
            held.alert.state = AlertState::Firing;
            held.alert.fired = Some(now);
            let alert = held.alert.clone();
            self.changed = true;
            self.tell(alert, now);
        }
    }

    /// The alert is over. One that never fired goes without a word.
    fn resolve(&mut self, key: &Key, now: Timestamp) {
        let Some(Active { mut alert, .. }) = self.active.remove(key) else { return };
        self.changed = true;
        if alert.state != AlertState::Firing {
            return;
        }
        alert.state = AlertState::Resolved;
        alert.resolved = Some(now);
        self.over += 1;
        self.resolved.push_front(alert.clone());
        for old in self.resolved.drain(RESOLVED.min(self.resolved.len())..) {
            self.let_go.count = self.let_go.count.saturating_add(1);
            self.let_go.newest = self.let_go.newest.max(old.resolved);
        }
        self.tell(alert, now);
    }

    fn tell(&mut self, alert: Alert, at: Timestamp) {
        self.sequence += 1;
        self.events.push_back(Event { sequence: self.sequence, at, alert });
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    /// All of it, as people see it.
    #[must_use]
    pub fn view(&self) -> AlertsView {
        let mut alerts: Vec<Alert> = self.active.values().map(|held| held.alert.clone()).collect();
        alerts.sort_by(|a, b| {
            (b.state, b.severity)
                .cmp(&(a.state, a.severity))
                .then_with(|| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)))
        });
        let by_wall = |alert: Alert| alert.moved(self.correction);
        AlertsView {
            node: self.node.clone(),
            alerts: alerts.into_iter().map(by_wall).collect(),
            resolved: self.resolved.iter().cloned().map(by_wall).collect(),
            resolved_left_out: self.let_go.count,
            rules: self.rules.iter().map(rule_view).collect(),
            left_out: self.left_out,
            over: self.over,
            correction: self.correction,
            events: self.events.iter().cloned().map(|event| event.moved(self.correction)).collect(),
        }
    }
}

/// A series as one text.
fn series_of(metric: &Metric, point: &Point) -> String {
    let subject = point.subject.attributes.iter().map(|a| (a.key.as_ref(), a.value.as_str()));
    let own = point.attributes.iter().map(|(key, value)| (*key, value.as_ref()));
    let parts: Vec<String> = subject.chain(own).map(|(key, value)| format!("{key}={value}")).collect();
    format!("{}{{{}}}", metric.name, parts.join("\u{1f}"))
}

fn rule_view(rule: &Rule) -> RuleView {
    let short = |duration: Duration| humantime::format_duration(duration).to_string();
    let over = rule.over.map_or_else(String::new, |over| format!("increase over {} ", short(over)));
    let per = rule.per.as_ref().map_or_else(String::new, |per| format!("per {per} "));
    let side = if rule.above.is_some() { "above" } else { "below" };
    let hold = if rule.hold.is_zero() { String::new() } else { format!(", for {}", short(rule.hold)) };
    let condition = format!("{over}{per}{side} {}{hold}", rule.threshold());
    RuleView {
        name: rule.name.clone(),
        metric: rule.metric.clone(),
        severity: rule.severity,
        condition,
        action: rule.action.clone(),
        is_share: rule.per.is_some(),
    }
}

/// The points of a metric that the rule is about, each with whom it is about and its value.
fn of<'a>(
    metric: &'static Metric,
    rule: &'a Rule,
    points: &'a [&'a Point],
) -> impl Iterator<Item = (Labels, f64, &'a Point)> {
    points.iter().filter(move |point| point.metric.name == metric.name).filter_map(move |point| {
        let value = match point.value? {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        };
        let has = |key: &String, value: &String| {
            let own = point.attributes.iter().any(|(k, v)| k == key && v == value);
            own || point.subject.attributes.iter().any(|a| a.key == key.as_str() && a.value == *value)
        };
        if !rule.only.iter().all(|(key, value)| has(key, value)) {
            return None;
        }
        let whom = point.subject.attributes.iter().filter(|a| a.named.identity);
        let mut labels: Labels = whom.map(|a| (a.key.to_string(), a.value.clone())).collect();
        // Of a metric's own attributes, those that a rule chooses by go without saying, unless they say whom it is about.
        let says_who = |key| Named::find(key).is_some_and(|named| named.identity);
        let which = point.attributes.iter().filter(|(key, _)| says_who(key) || !rule.only.contains_key(*key));
        labels.extend(which.map(|(key, value)| ((*key).to_owned(), value.to_string())));
        Some((labels, value, *point))
    })
}

#[cfg(test)]
mod tests;
