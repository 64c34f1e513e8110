//! Prometheus' Alertmanager, by its API v2.
//!
//! What fires is told at once and again each minute, as Alertmanager forgets what it is not reminded of; what is over is told until
//! every Alertmanager has taken it. So an outage costs nothing but time. Each of several Alertmanagers is told by itself: they
//! gossip, and drop what they have from another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::http::{Headers, chain, client};
use super::{Context, Entry, Error, Started};
use crate::alert::view::{Alert, AlertsView};
use crate::clock::Clock;
use crate::health::Health;
use crate::metric::attribute::Named;

/// Alertmanager's place in the list.
pub const ENTRY: Entry = Entry { name: NAME, start: |config, context| start(&config.alertmanager, context) };

const NAME: &str = "alertmanager";
/// After so many reminders missed it takes an alert as over.
const REMINDERS: u32 = 4;
/// What is reminded of less often than this is forgotten.
const LONGEST_RESEND: Duration = Duration::from_secs(24 * 3600);
/// Between attempts, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long an alert that nobody heard of is told to fire.
const MOMENT: Duration = Duration::from_secs(120);
/// Alerts of one request.
const AT_ONCE: usize = 500;

/// Options for Alertmanager.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Base addresses, `http://host:9093`; all receive every alert. Without any it is off.
    pub urls: Vec<String>,
    /// Sent with every request; the place for keys.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub headers: Headers,
    /// How long one attempt may take.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub timeout: Duration,
    /// How often what fires is sent again.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub resend: Duration,
    /// This agent's page as people reach it, for the link in each alert; without it they have none.
    pub external_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            headers: Headers::default(),
            timeout: Duration::from_secs(10),
            resend: Duration::from_secs(60),
            external_url: None,
        }
    }
}

impl Config {
    /// All that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        let problem = |field, message: String| Error::Option { exporter: NAME, field, message };
        let mut found: Vec<Error> = Vec::new();
        for (field, url) in
            self.urls.iter().map(|url| ("urls", url)).chain(self.external_url.iter().map(|url| ("external_url", url)))
        {
            let parsed = url.parse::<http::Uri>().ok();
            let fits = parsed.is_some_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
            });
            let is_base = !url.contains(['?', '#']);
            if !(fits && is_base) {
                // It may hold a password: it is not repeated.
                found.push(problem(field, "is not an address; write it as http://host:9093".to_owned()));
            }
        }
        if self.resend > LONGEST_RESEND {
            found.push(problem("resend", "is too long; 1d at most".to_owned()));
        }
        found.extend(self.headers.checked().err().map(|message| problem("headers", message)));
        found
    }
}

fn start(config: &Config, context: Context) -> Result<Started, Error> {
    if config.urls.is_empty() {
        return Ok(Started::Off("off: to send alerts, set urls in [export.alertmanager]".to_owned()));
    }
    if let Some(problem) = config.problems().into_iter().next() {
        return Err(problem);
    }
    let problem = |field, message| Error::Option { exporter: NAME, field, message };
    let tls = config.urls.iter().any(|url| url.starts_with("https"));
    let client = client(config.timeout, tls).timeout(config.timeout).build();
    let client = client.map_err(|error| problem("urls", chain(&error)))?;
    let headers = config.headers.checked().map_err(|message| problem("headers", message))?;
    let shown: Vec<String> = config.urls.iter().map(|url| without_secrets(url)).collect();
    let message = shown.join(", ");
    let down = Down::default();
    let receivers: Vec<Receiver> = config
        .urls
        .iter()
        .zip(&shown)
        .map(|(url, shown)| Receiver {
            url: format!("{}/api/v2/alerts", url.trim_end_matches('/')),
            shown: shown.clone(),
            client: client.clone(),
            headers: headers.clone(),
            resend: config.resend,
            link: config.external_url.clone().unwrap_or_default(),
            clock: Arc::clone(&context.clock),
            health: Arc::clone(&context.health),
            owed: BTreeMap::new(),
            down: Arc::clone(&down),
        })
        .collect();
    let task = tokio::spawn(async move {
        let all = receivers.into_iter().map(|receiver| receiver.run(context.alerts.clone(), context.stop.clone()));
        futures_util::future::join_all(all).await;
    });
    Ok(Started::Running(message, task))
}

/// An address as it may be shown: a path may hold a key as well as a user's part may.
fn without_secrets(url: &str) -> String {
    let uri: http::Uri = url.parse().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
}

type Identity = (String, BTreeMap<String, String>);

/// One Alertmanager.
struct Receiver {
    url: String,
    shown: String,
    client: reqwest::Client,
    headers: http::HeaderMap,
    resend: Duration,
    link: String,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    /// What is over and was not taken yet.
    owed: BTreeMap<Identity, Owed>,
    down: Down,
}

/// Those of all Alertmanagers that do not answer, and why.
type Down = Arc<Mutex<BTreeMap<String, String>>>;

/// An alert that is over.
struct Owed {
    alert: Alert,
    /// It knows that the alert fired.
    known: bool,
    /// How far the clock had been corrected when it was noted.
    correction: SignedDuration,
}

impl Owed {
    /// The alert by the clock as it is corrected now.
    fn by(&self, correction: SignedDuration) -> Alert {
        self.alert.clone().moved(correction - self.correction)
    }
}

impl Receiver {
    async fn run(mut self, mut alerts: watch::Receiver<Arc<AlertsView>>, mut stop: watch::Receiver<bool>) {
        // Identities that it knows to fire.
        let mut known: Vec<Identity> = Vec::new();
        // What was over when this began may not have been told by the agent before this one; to tell it twice does no harm.
        let mut seen = {
            let view = alerts.borrow();
            for alert in &view.resolved {
                self.owe(alert, true, view.correction);
            }
            view.over
        };
        let mut reminded: Option<Duration> = None;
        let mut pause = RETRY.0;
        let mut failed = false;
        loop {
            let view = alerts.borrow_and_update().clone();
            // What is over since the last look is owed, whether it was ever told or not.
            // Counted, as times move with a clock that is set.
            for alert in view.newly_over(seen) {
                self.owe(alert, known.contains(&identity_of(alert)), view.correction);
            }
            seen = view.over;
            let firing: Vec<Identity> = view.firing().map(identity_of).collect();
            // What fires again is not over.
            self.owed.retain(|identity, _| !firing.contains(identity));
            let now = self.clock.monotonic();
            let due = reminded.is_none_or(|at| now.saturating_sub(at) >= self.resend);
            let news = !self.owed.is_empty() || firing.iter().any(|identity| !known.contains(identity));
            if news || failed || (due && !firing.is_empty()) {
                match self.send(&view).await {
                    Ok(()) => {
                        self.owed.clear();
                        known = firing;
                        reminded = Some(now);
                        (failed, pause) = (false, RETRY.0);
                    }
                    Err(error) => {
                        self.failed(&error, !failed);
                        failed = true;
                    }
                }
            }
            let wait = if failed { pause } else { self.resend };
            if failed {
                pause = (pause * 2).min(RETRY.1);
            }
            tokio::select! {
                changed = alerts.changed(), if !failed => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Notes what is over and has to be told. Of one that was over several times the newest counts.
    fn owe(&mut self, alert: &Alert, known: bool, correction: SignedDuration) {
        let newer = |old: &Owed| old.by(correction).resolved < alert.resolved;
        if self.owed.get(&identity_of(alert)).is_none_or(newer) {
            self.owed.insert(identity_of(alert), Owed { alert: alert.clone(), known, correction });
        }
    }

    async fn send(&self, view: &AlertsView) -> Result<(), String> {
        let all = self.messages(view, self.clock.now());
        for some in all.chunks(AT_ONCE) {
            let request = self.client.post(&self.url).headers(self.headers.clone());
            let body = serde_json::to_vec(some).map_err(|error| error.to_string())?;
            let request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
            let response = request.send().await.map_err(|error| chain(&error.without_url()))?;
            let status = response.status();
            // What is refused for good is not told again and again, and keeps nobody else waiting.
            let refused = status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 404 | 408 | 429);
            if refused {
                tracing::warn!(exporter = NAME, to = self.shown, %status, alerts = some.len(), "alerts are rejected");
                self.health.exporter(NAME, |state| state.rejected += some.len() as u64);
                continue;
            }
            if !status.is_success() {
                return Err(format!("status {status}"));
            }
            let (count, monotonic) = (some.len() as u64, self.clock.monotonic());
            self.health.exporter(NAME, |state| {
                state.sent += count;
                state.sent_at = Some(monotonic);
            });
        }
        if self.note(None) {
            tracing::info!(exporter = NAME, to = self.shown, "alerts are accepted again");
        }
        Ok(())
    }

    /// What is told now: what fires, and what is owed.
    fn messages(&self, view: &AlertsView, now: Timestamp) -> Vec<Value> {
        let ends = now.checked_add(self.resend.saturating_mul(REMINDERS)).unwrap_or(now);
        // One that came and went while nobody listened fires for a moment: told as over it would be told to nobody.
        let moment = now.checked_add(MOMENT).unwrap_or(now);
        let owed = self.owed.values().map(|owed| {
            let alert = owed.by(view.correction);
            let over = alert.resolved.filter(|_| owed.known).unwrap_or(moment);
            message(&alert, &view.node, over, &self.link)
        });
        let firing = view.firing().map(|alert| message(alert, &view.node, ends, &self.link));
        firing.chain(owed).collect()
    }

    fn failed(&self, error: &str, first: bool) {
        if first {
            tracing::warn!(
                exporter = NAME,
                to = self.shown,
                error,
                "alerts cannot be sent: they are queued and will be sent again"
            );
        }
        self.health.exporter(NAME, |state| state.failures += 1);
        self.note(Some(error));
    }

    /// Notes whether this one answers; the exporter is up while all of them do. Returns whether it had not before.
    fn note(&self, error: Option<&str>) -> bool {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match error {
            Some(error) => down.insert(self.url.clone(), format!("{}: {error}", self.shown)),
            None => down.remove(&self.url),
        };
        let errors: Vec<String> = down.values().cloned().collect();
        self.health.exporter(NAME, |state| {
            state.up = Some(errors.is_empty());
            state.error = (!errors.is_empty()).then(|| errors.join("; "));
        });
        before.is_some()
    }
}

fn identity_of(alert: &Alert) -> Identity {
    (alert.name.clone(), alert.labels.clone())
}

/// An alert as the API takes it. Labels are its identity, so what changes stands in the annotations.
fn message(alert: &Alert, node: &str, ends: Timestamp, link: &str) -> Value {
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    for (key, value) in &alert.labels {
        labels.insert(super::prometheus::label_name(key), value);
        if let Some(short) = Named::find(key).and_then(Named::short) {
            labels.insert(short.to_owned(), value);
        }
    }
    labels.insert("alertname".to_owned(), &alert.name);
    labels.insert("severity".to_owned(), alert.severity.name());
    labels.insert("node".to_owned(), node);
    let starts = alert.fired.unwrap_or(alert.since);
    // It takes none that ends before it begins.
    let ends = ends.max(starts);
    let mut told = json!({
        "labels": labels,
        "annotations": { "summary": alert.message, "value": alert.value.to_string(), "threshold": alert.threshold.to_string() },
        "startsAt": starts,
        "endsAt": ends,
    });
    if !link.is_empty() {
        told["generatorURL"] = link.into();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rule::Severity;
    use crate::alert::view::AlertState;

    fn alert(state: AlertState) -> Alert {
        let at = |second| Some(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second));
        Alert {
            name: "R".to_owned(),
            severity: Severity::Critical,
            state,
            labels: [("k8s.pod.name".to_owned(), "web-1".to_owned())].into(),
            metric: "m".to_owned(),
            value: 0.97,
            worst: None,
            threshold: 0.9,
            since: Timestamp::UNIX_EPOCH,
            fired: at(0),
            resolved: at(60).filter(|_| state == AlertState::Resolved),
            message: "97 %".to_owned(),
        }
    }

    fn receiver(now: Timestamp) -> Receiver {
        Receiver {
            url: String::new(),
            shown: String::new(),
            client: client(Duration::from_secs(1), false).build().expect("a client"),
            headers: http::HeaderMap::new(),
            resend: Duration::from_secs(60),
            link: String::new(),
            clock: Arc::new(crate::clock::FixedClock::new(now)),
            health: Arc::default(),
            owed: BTreeMap::new(),
            down: Down::default(),
        }
    }

    /// What is owed was noted before the clock was set: it is told by the clock as it is now.
    #[test]
    fn what_is_owed_is_told_by_the_corrected_clock() {
        for set in [3600, -3600].map(SignedDuration::from_secs) {
            let mut receiver = receiver(Timestamp::UNIX_EPOCH);
            let over = alert(AlertState::Resolved);
            receiver.owe(&over, true, SignedDuration::ZERO);
            let firing = Alert { name: "F".to_owned(), ..alert(AlertState::Firing) }.moved(set);
            let view = AlertsView { alerts: vec![firing], correction: set, ..AlertsView::default() };
            let now = Timestamp::UNIX_EPOCH + set + SignedDuration::from_secs(90);
            let told = receiver.messages(&view, now);
            let shown = |second| json!(Timestamp::UNIX_EPOCH + set + SignedDuration::from_secs(second));
            assert_eq!((&told[0]["startsAt"], &told[0]["endsAt"]), (&shown(0), &shown(90 + 240)), "{set:?}");
            assert_eq!((&told[1]["startsAt"], &told[1]["endsAt"]), (&shown(0), &shown(60)), "{set:?}");
            // Over once more, at a time that reads the same: the later one counts.
            let again = Alert { value: 2.0, ..over.clone().moved(set + SignedDuration::from_secs(1)) };
            receiver.owe(&again, true, set);
            assert_eq!(receiver.messages(&view, now)[1]["annotations"]["value"], "2");
        }
    }

    #[test]
    fn what_is_newly_over_is_counted_and_not_told_by_the_clock() {
        let resolved =
            vec![alert(AlertState::Resolved).moved(SignedDuration::from_hours(-5)), alert(AlertState::Resolved)];
        let view = AlertsView { resolved, over: 7, ..AlertsView::default() };
        assert_eq!([7, 6, 5, 0].map(|seen| view.newly_over(seen).count()), [0, 1, 2, 2]);
        assert_eq!(view.newly_over(6).next(), view.resolved.first());
    }

    #[test]
    fn labels_are_the_identity_and_values_are_not_in_it() {
        let alert = alert(AlertState::Firing);
        let told = message(&alert, "node-1", Timestamp::UNIX_EPOCH, "");
        let labels = json!({
            "alertname": "R", "severity": "critical", "node": "node-1", "k8s_pod_name": "web-1", "pod": "web-1"
        });
        assert_eq!(told["labels"], labels);
        assert_eq!(told["annotations"]["value"], "0.97");
    }

    #[test]
    fn wrong_addresses_are_told_without_repeating_them() {
        let config = Config { urls: vec!["ftp://me:secret@host".to_owned()], ..Config::default() };
        let problem = config.problems().remove(0).to_string();
        assert!(problem.contains("export.alertmanager.urls") && !problem.contains("secret"), "{problem}");
        assert_eq!(without_secrets("http://me:secret@am:9093/x/"), "http://am:9093");
    }
}
