//! Names of pods and containers by the folders that a kubelet keeps their logs in: no right on the API is needed, and no log is read.
//!
//! `pods/NAMESPACE_POD_UID/CONTAINER/N.log` names pods, and links `containers/POD_NAMESPACE_CONTAINER-ID.log` to them name containers; N
//! counts restarts. Logs stay for a while when a container has gone, so nothing is concluded of who runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Collector, Context, Entry, Error};
use crate::clock::Clock;
use crate::health::Brings;
use crate::identity::cgroup::is_container_id;
use crate::identity::claim::POD_LOGS;
use crate::identity::{About, ContainerClaim, Pod};
use crate::reading::{Depth, Report};

/// Its place in the list.
pub const ENTRY: Entry = Entry {
    name: POD_LOGS,
    without: "where the Kubernetes API is not read either, pods are shown by UID",
    brings: Brings::Names,
    open: |config, context| open(&config.pod_logs, config.max_containers, context),
};

/// Where the logs are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder with `pods` and `containers` in it.
    pub root: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { root: PathBuf::from("/var/log") }
    }
}

/// A container that runs has a dead one or two behind it, whose logs stay.
const LOGS_PER_CONTAINER: usize = 8;
/// A folder that was changed so lately may be changed again without another time on it.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);

fn open(config: &Config, max_containers: usize, context: &Context) -> Result<Box<dyn Collector>, Error> {
    let (pods, containers) = (config.root.join("pods"), config.root.join("containers"));
    match fs::read_dir(&pods) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NotFound(format!("{}: no kubelet keeps logs there", pods.display())));
        }
        Err(error) => return Err(Error::Failed(format!("{}: {error}", pods.display()))),
    }
    let most = max_containers.saturating_mul(LOGS_PER_CONTAINER);
    let clock = Arc::clone(&context.clock);
    Ok(Box::new(PodLogs { pods, containers, most, clock, changed: None, claims: Arc::default() }))
}

struct PodLogs {
    pods: PathBuf,
    containers: PathBuf,
    /// No more entries of a folder are told of.
    most: usize,
    clock: Arc<dyn Clock>,
    /// When the folders were last changed, as of the last walk.
    changed: Option<[SystemTime; 2]>,
    claims: Arc<[Arc<ContainerClaim>]>,
}

impl PodLogs {
    fn walk(&self) -> Result<Vec<Arc<ContainerClaim>>, Error> {
        let names = |folder: &Path| -> Result<Vec<PathBuf>, Error> {
            match fs::read_dir(folder) {
                Ok(entries) => Ok(entries.take(self.most).filter_map(|entry| Some(entry.ok()?.path())).collect()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(Error::Failed(format!("{}: {error}", folder.display()))),
            }
        };
        let pods = names(&self.pods)?.into_iter().filter_map(|path| {
            let pod = pod(path.file_name()?.to_str()?)?;
            Some(ContainerClaim { about: About::Pod(pod.uid.clone()?), ..of_pod(pod) })
        });
        let containers = names(&self.containers)?.into_iter().filter_map(|link| {
            let target = fs::read_link(&link).ok();
            container(link.file_name()?.to_str()?, target.as_deref().and_then(Path::to_str))
        });
        Ok(pods.chain(containers).map(Arc::new).collect())
    }
}

impl Collector for PodLogs {
    fn found(&self) -> String {
        let links =
            if self.containers.is_dir() { "" } else { "; without its neighbour `containers` only pods have names" };
        format!("logs of pods at {}{links}", self.pods.display())
    }

    fn read(&mut self, _: Depth) -> Result<Report, Error> {
        let at = |folder: &Path| fs::metadata(folder).and_then(|about| about.modified());
        let pods = at(&self.pods).map_err(|error| Error::Failed(format!("{}: {error}", self.pods.display())))?;
        let changed = [pods, at(&self.containers).unwrap_or(SystemTime::UNIX_EPOCH)];
        let now = self.clock.now();
        let age = |at: &SystemTime| Some(now.duration_since(Timestamp::try_from(*at).ok()?));
        let settled = changed.iter().all(|at| age(at).is_some_and(|age| age > SETTLED));
        if self.changed != Some(changed) || !settled {
            let claims: Arc<[_]> = self.walk()?.into();
            // The same list again is the same `Arc`: it costs nobody anything.
            if claims != self.claims {
                self.claims = claims;
            }
            self.changed = Some(changed);
        }
        Ok(Report { claims: Some(Arc::clone(&self.claims)), ..Report::default() })
    }
}

/// What a pod's folder says of all its containers.
fn of_pod(pod: Pod) -> ContainerClaim {
    ContainerClaim { source: POD_LOGS, pod: Some(pod), ..ContainerClaim::default() }
}

/// The pod of a folder `NAMESPACE_POD_UID`. No name holds an underscore.
fn pod(folder: &str) -> Option<Pod> {
    let mut parts = folder.split('_');
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    let known = parts.next().is_none() && [namespace, name, uid].into_iter().all(is_name);
    let own = |part: &str| Some(part.to_owned());
    known.then(|| Pod { namespace: own(namespace), name: own(name), uid: own(uid) })
}

/// The container of a link `POD_NAMESPACE_CONTAINER-ID.log`, and where that leads: the pod's UID and the count of restarts.
fn container(link: &str, target: Option<&str>) -> Option<ContainerClaim> {
    let (names, id) = link.strip_suffix(".log")?.rsplit_once('-')?;
    let mut parts = names.split('_');
    let (pod_name, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
    let known = parts.next().is_none() && [pod_name, namespace, container].into_iter().all(is_name);
    if !known || !is_container_id(id) {
        return None;
    }
    // The path's end: what stands before it is the node's, or a mount's.
    let mut path = target.unwrap_or_default().rsplit('/');
    let restarts = path.next().and_then(|log| log.strip_suffix(".log")?.parse().ok());
    let folder = path.next().filter(|name| *name == container).and_then(|_| pod(path.next()?));
    let told = Pod { namespace: Some(namespace.to_owned()), name: Some(pod_name.to_owned()), uid: None };
    let of_link = folder.filter(|pod| pod.namespace == told.namespace && pod.name == told.name);
    let restarts = restarts.filter(|_| of_link.is_some());
    Some(ContainerClaim {
        about: About::Container(id.to_owned()),
        name: Some(container.to_owned()),
        pod_container: Some(container.to_owned()),
        restarts,
        ..of_pod(of_link.unwrap_or(told))
    })
}

/// A name as Kubernetes allows it: letters, digits, `-` and `.`, 253 at most.
fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !text.is_empty() && text.len() <= 253 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::FixedClock;
    use crate::collect::Stop;

    const UID: &str = "8f7d2c1e-6a5b-4c3d-9e8f-7a6b5c4d3e2f";

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn a_link_names_its_container() {
        let target = format!("/var/log/pods/shop_web-6d5f7c9b8-x2x4z_{UID}/nginx-proxy/3.log");
        let link = format!("web-6d5f7c9b8-x2x4z_shop_nginx-proxy-{}.log", id('a'));
        let claim = container(&link, Some(&target)).expect("a container");
        assert_eq!(claim.about, About::Container(id('a')));
        assert_eq!((claim.name.as_deref(), claim.restarts), (Some("nginx-proxy"), Some(3)));
        let pod = claim.pod.expect("a pod");
        assert_eq!(pod.namespace.as_deref(), Some("shop"));
        assert_eq!((pod.name.as_deref(), pod.uid.as_deref()), (Some("web-6d5f7c9b8-x2x4z"), Some(UID)));
    }

    #[test]
    fn a_link_without_its_target_names_all_but_the_uid() {
        let link = format!("web-0_shop_app-{}.log", id('b'));
        let elsewhere = format!("/data/{}/{}-json.log", id('b'), id('b'));
        let other = format!("/var/log/pods/shop_web-1_{UID}/app/3.log");
        for target in [None, Some(elsewhere.as_str()), Some("/"), Some(""), Some(other.as_str())] {
            let claim = container(&link, target).expect("a container");
            let pod = claim.pod.expect("a pod");
            assert_eq!((pod.name.as_deref(), pod.uid, claim.restarts), (Some("web-0"), None, None), "{target:?}");
        }
    }

    #[test]
    fn what_is_no_link_of_a_kubelet_is_left_alone() {
        let id = id('a');
        let odd = [
            format!("web_shop_app-{}.log", &id[1..]),
            format!("web_shop_app-{}.log", id.replace('a', "A")),
            format!("web_shop-{id}.log"),
            format!("a_b_c_d-{id}.log"),
            format!("we\u{1b}b_shop_app-{id}.log"),
            format!("_shop_app-{id}.log"),
            format!("web_shop_app-{id}.gz"),
            String::new(),
        ];
        for link in odd {
            assert_eq!(container(&link, None), None, "{link}");
        }
        assert_eq!(pod("shop_web"), None);
        assert_eq!(pod("shop_web_u_v"), None);
        assert_eq!(pod("Shop_web_u"), None);
    }

    fn collector(root: &Path, now: Arc<dyn Clock>) -> Result<Box<dyn Collector>, Error> {
        open(&Config { root: root.to_owned() }, 10, &Context { clock: now, wake: Stop::default(), node: String::new() })
    }

    #[test]
    fn a_folder_is_walked_again_when_it_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let clock = Arc::new(FixedClock::new(Timestamp::from_second(4_000_000_000).expect("a time")));
        let opened = collector(root, Arc::clone(&clock) as _);
        assert!(matches!(opened, Err(Error::NotFound(_))), "no kubelet");
        fs::create_dir_all(root.join("pods").join(format!("shop_web-0_{UID}"))).expect("a folder");
        let mut logs = collector(root, clock).expect("opens");
        assert!(logs.found().contains("only pods have names"), "{}", logs.found());
        let read = |logs: &mut Box<dyn Collector>| logs.read(Depth::Inner).expect("a report").claims.expect("claims");
        let first = read(&mut logs);
        assert_eq!(first.iter().map(|claim| claim.about.clone()).collect::<Vec<_>>(), [About::Pod(UID.to_owned())]);
        assert!(Arc::ptr_eq(&first, &read(&mut logs)), "nothing changed");
        fs::create_dir(root.join("containers")).expect("a folder");
        let target = format!("/var/log/pods/shop_web-0_{UID}/app/0.log");
        symlink(target, root.join(format!("containers/web-0_shop_app-{}.log", id('c')))).expect("a link");
        let second = read(&mut logs);
        assert_eq!(second.len(), 2);
        assert_eq!(second[1].restarts, Some(0));
        fs::remove_dir_all(root.join("pods")).expect("removed");
        assert!(logs.read(Depth::Inner).is_err(), "it is opened anew when it is back");
    }

    proptest! {
        #[test]
        fn no_name_panics(link in ".{0,80}", target in ".{0,80}", digit in "[0-9a-f]") {
            let _ = (pod(&link), container(&link, Some(&target)));
            let _ = container(&format!("{link}-{}.log", digit.repeat(64)), Some(&target));
        }
    }
}
