//! Names, pods, labels, images and limits of containers from the runtime of a kubelet, by its own interface (CRI): containerd, CRI-O.
//!
//! Every read lists pods' sandboxes and containers anew, as the kubelet does each second; the rest is asked of a container when it is
//! new or has changed, and once a minute. What else a runtime holds beside CRI (containerd's namespaces of `nerdctl`,
//! `ctr` or Docker) is none of this interface's business. Resource use is left to `cgroup`.

mod claims;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::grpc::Client;
use super::{Collector, Context, Entry, Error, sockets};
use crate::clock::Clock;
use crate::health::Brings;
use crate::identity::ContainerClaim;
use crate::identity::claim::CRI;
use crate::reading::{Depth, Report};
use claims::{Claims, Listing};
use protocol::{CONTAINERS, Listed, Request, SANDBOXES, STATUS, Status, StatusAnswer, StatusRequest, VERSION, Version};

/// Its place in the list.
pub const ENTRY: Entry = Entry {
    name: CRI,
    without: "containers of containerd and CRI-O are named by others, or shown by id",
    brings: Brings::Names,
    open: |config, context| {
        let open = |socket: &str| Cri::open(socket, config.max_containers, context);
        Ok(Box::new(sockets::first(&config.cri.sockets, open)?))
    },
};

/// Where a runtime listens. Its socket is as good as root on the node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sockets to try in turn: paths or `unix://` addresses.
    pub sockets: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let usual = ["/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock"];
        Self { sockets: usual.map(str::to_owned).into() }
    }
}

/// What the kubelet itself takes.
const MOST_BYTES: usize = 16 << 20;
/// What was told of a container is asked anew after this long: limits change without a restart.
const RESYNC: Duration = Duration::from_secs(60);
/// The same where it was not told.
const RETRY: Duration = Duration::from_secs(5);
/// A read asks for more of single containers for this long; of the rest the next one does.
const ASKING: Duration = Duration::from_secs(1);

struct Cri {
    client: Client,
    clock: Arc<dyn Clock>,
    /// In OpenTelemetry's spelling.
    runtime: Option<&'static str>,
    found: String,
    max_containers: usize,
    told: HashMap<String, Told>,
    claims: Claims,
    /// All claims, made anew with each change.
    list: Arc<[Arc<ContainerClaim>]>,
}

/// What was told of a container when it was asked for.
struct Told {
    /// The state it was in.
    state: i32,
    /// When it is to be asked for anew.
    due: Duration,
    /// `None` where the runtime would not tell.
    status: Option<Status>,
}

impl Cri {
    fn open(socket: &str, max_containers: usize, context: &Context) -> Result<Self, Error> {
        let mut client = Client::open(socket, MOST_BYTES)?;
        let version: Version = client.call(VERSION, Request {})?;
        // cri-dockerd says `docker`.
        let names = ["containerd", "cri-o", "docker"];
        let runtime = names.into_iter().find(|name| *name == version.runtime_name);
        let found = format!("{} {} at {}", version.runtime_name, version.runtime_version, client.path());
        Ok(Self {
            client,
            clock: Arc::clone(&context.clock),
            runtime,
            found,
            max_containers,
            told: HashMap::new(),
            claims: Claims::new(),
            list: Arc::default(),
        })
    }

    /// Asks for more of those that are new or have changed, or were last asked for long ago.
    fn ask(&mut self, listing: &Listing) {
        let begun = self.clock.monotonic();
        self.told.retain(|id, _| listing.containers.contains_key(id));
        for (id, container) in &listing.containers {
            let now = self.clock.monotonic();
            if self.told.get(id).is_some_and(|told| told.state == container.state && now < told.due) {
                continue;
            }
            if now.saturating_sub(begun) >= ASKING {
                return;
            }
            let answer = self.client.call::<_, StatusAnswer>(STATUS, StatusRequest { container_id: id.clone() });
            let (status, again) = match answer {
                Ok(answer) => (answer.status, RESYNC),
                // It may have gone since; what was told before stands.
                Err(error) => {
                    tracing::debug!(id, %error, "the status of a container cannot be read");
                    (self.told.remove(id).and_then(|told| told.status), RETRY)
                }
            };
            self.told.insert(id.clone(), Told { state: container.state, due: now.saturating_add(again), status });
        }
    }
}

impl Collector for Cri {
    fn found(&self) -> String {
        self.found.clone()
    }

    fn read(&mut self, _: Depth) -> Result<Report, Error> {
        // Sandboxes come before their containers: asked for after them, none is missing.
        let containers: Listed = self.client.call(CONTAINERS, Request {})?;
        let sandboxes: Listed = self.client.call(SANDBOXES, Request {})?;
        let now = self.clock.now();
        let listing = Listing::new(&containers, &sandboxes, &self.claims, self.max_containers, now);
        self.ask(&listing);
        let status = |id: &str| self.told.get(id)?.status.as_ref();
        let claims = listing.claims(self.runtime, status, &self.claims, now);
        if claims != self.claims {
            self.list = claims.values().cloned().collect();
            self.claims = claims;
        }
        Ok(Report { claims: Some(Arc::clone(&self.list)), ..Report::default() })
    }
}
