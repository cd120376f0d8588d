//! Leader election by one Lease, and the question that every create asks: is ours fresh enough?
//!
//! Other candidates' clocks are never compared with ours: a lease counts as free when it has not changed for its
//! length, measured here. Why not a ready-made crate: `docs/decisions`.

use crate::clock::since_boot;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// Which lease, and for how long.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who holds it: the name of this pod.
    pub identity: String,
    /// Its length.
    pub duration: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
}

impl LeaseSettings {
    /// How long one request about the lease may take: not so long that there is no time for another.
    fn limit(&self) -> Duration {
        self.request_timeout.min(self.duration / 3).max(Duration::from_millis(100))
    }
}

/// When the lease was last renewed, on a clock that counts suspension.
#[derive(Debug)]
pub struct Leadership {
    renewed: watch::Sender<Duration>,
    /// Somebody wants it renewed.
    wanted: Notify,
    window: Duration,
    patience: Duration,
}

impl Leadership {
    /// Not renewed yet. Creates are allowed for lease minus request time-out after a renewal.
    #[must_use]
    pub fn new(settings: &LeaseSettings) -> Self {
        Self {
            renewed: watch::Sender::new(Duration::ZERO),
            wanted: Notify::new(),
            window: settings.duration.saturating_sub(settings.request_timeout),
            patience: settings.limit(),
        }
    }

    /// Whether a request that is sent now will have its answer before anybody else may lead.
    ///
    /// Who asks in the second half of the window has the lease renewed; who asks after it waits for that. So it is
    /// renewed often while pods are created, and seldom when nothing happens.
    pub async fn freshened(&self) -> bool {
        if self.half_spent() {
            self.wanted.notify_one();
        }
        if self.fresh() {
            return true;
        }
        let mut renewals = self.renewed.subscribe();
        let renewed = renewals.wait_for(|_| self.fresh());
        tokio::time::timeout(self.patience, renewed).await.is_ok_and(|seen| seen.is_ok())
    }

    fn half_spent(&self) -> bool {
        self.age() >= self.window / 2
    }

    /// Whether nobody else may lead for as long as a request takes.
    pub(crate) fn fresh(&self) -> bool {
        self.age() < self.window
    }

    /// Time since the last renewal.
    #[must_use]
    pub fn age(&self) -> Duration {
        since_boot().saturating_sub(*self.renewed.borrow())
    }

    /// Notes a renewal that was sent at `sent`, not when its answer came.
    pub(crate) fn renewed(&self, sent: Duration) {
        self.renewed.send_replace(sent);
    }
}

/// How leading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody else has it, or it could not be renewed in time: the process must end.
    Lost(String),
    /// We were asked to stop, and gave it back.
    Released,
}

/// A candidate.
pub struct Elector {
    api: Api<Lease>,
    settings: LeaseSettings,
    leadership: Arc<Leadership>,
    /// The lease as it was last seen, and when it was seen to change.
    seen: Option<(Lease, Duration)>,
}

impl Elector {
    /// A candidate that has not looked yet.
    #[must_use]
    pub fn new(client: Client, settings: LeaseSettings) -> Self {
        let leadership = Arc::new(Leadership::new(&settings));
        Self { api: Api::namespaced(client, &settings.namespace), settings, leadership, seen: None }
    }

    /// The freshness of this candidate's lease.
    #[must_use]
    pub fn leadership(&self) -> Arc<Leadership> {
        Arc::clone(&self.leadership)
    }

    /// Waits until the lease is ours.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the lease cannot be read or taken"),
            }
            tokio::time::sleep(self.retry()).await;
        }
    }

    /// Renews the lease until it is lost, or until `stop` resolves: then it is given back.
    pub async fn keep(mut self, stop: impl Future<Output = ()>) -> Ended {
        let mut stop = pin!(stop);
        let mut renewed = true;
        loop {
            // After a failure nobody's wish makes it quicker.
            let idle = (self.settings.duration / 2).saturating_sub(self.leadership.age());
            let pause = if renewed { idle } else { self.retry() };
            tokio::select! {
                () = &mut stop => return self.release().await,
                () = self.leadership.wanted.notified(), if renewed => {
                    if !self.leadership.half_spent() {
                        continue;
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
            let answer = self.renew().await;
            renewed = answer.is_ok();
            match answer {
                Ok(true) => {}
                Ok(false) => {
                    return Ended::Lost(format!("the lease {} belongs to {}", self.settings.name, self.holder()));
                }
                Err(error) => tracing::warn!(%error, "the lease was not renewed, trying again"),
            }
            if self.leadership.age() >= self.settings.duration {
                return Ended::Lost(format!(
                    "the lease {} was not renewed within {:?}",
                    self.settings.name, self.settings.duration
                ));
            }
        }
    }

    /// Three tries fit into the time in which creates are allowed.
    fn retry(&self) -> Duration {
        (self.leadership.window / 3).clamp(Duration::from_millis(50), Duration::from_secs(10))
    }

    fn holder(&self) -> &str {
        self.seen.as_ref().and_then(|(l, _)| holder(l)).unwrap_or("nobody")
    }

    /// Looks once, and takes the lease if it is free.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let sent = since_boot();
        let Some(found) = self.limited(self.api.get_opt(&self.settings.name)).await? else {
            let fresh = Lease {
                metadata: ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            let made = self.limited(self.api.create(&PostParams::default(), &fresh)).await;
            return self.taken(made, sent);
        };
        self.look(found, sent);
        let Some((lease, since)) = self.seen.clone() else { return Ok(false) };
        let length = lease
            .spec
            .as_ref()
            .and_then(|s| s.lease_duration_seconds)
            .and_then(|s| u64::try_from(s).ok())
            .map_or(self.settings.duration, Duration::from_secs);
        let free =
            holder(&lease).is_none_or(|h| h == self.settings.identity) || since_boot().saturating_sub(since) > length;
        if !free {
            return Ok(false);
        }
        let transitions = lease.spec.as_ref().and_then(|s| s.lease_transitions).unwrap_or(0).saturating_add(1);
        let sent = since_boot();
        let put = self.put(&lease, self.spec(transitions)).await;
        self.taken(put, sent)
    }

    async fn renew(&mut self) -> Result<bool, kube::Error> {
        let Some((lease, _)) = self.seen.clone() else { return Ok(false) };
        let sent = since_boot();
        let old = lease.spec.clone().unwrap_or_default();
        let spec = LeaseSpec { renew_time: Some(MicroTime(jiff::Timestamp::now())), ..old };
        let put = self.put(&lease, spec).await;
        if self.taken(put, sent)? {
            return Ok(true);
        }
        // Somebody wrote it: if it is still ours, the next round renews the newer version.
        match self.limited(self.api.get_opt(&self.settings.name)).await? {
            Some(found) => {
                let ours = holder(&found) == Some(self.settings.identity.as_str());
                self.seen = Some((found, since_boot()));
                Ok(ours)
            }
            None => Ok(false),
        }
    }

    async fn release(&mut self) -> Ended {
        if let Some((lease, _)) = self.seen.clone() {
            let spec = LeaseSpec {
                holder_identity: None,
                renew_time: Some(MicroTime(jiff::Timestamp::now())),
                ..lease.spec.clone().unwrap_or_default()
            };
            if let Err(error) = self.put(&lease, spec).await {
                tracing::info!(%error, "the lease was not given back; it runs out by itself");
            }
        }
        Ended::Released
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs().max(1)).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    async fn put(&self, lease: &Lease, spec: LeaseSpec) -> Result<Lease, kube::Error> {
        let next = Lease { metadata: lease.metadata.clone(), spec: Some(spec) };
        self.limited(self.api.replace(&self.settings.name, &PostParams::default(), &next)).await
    }

    /// A conflict means that somebody was quicker.
    fn taken(&mut self, answer: Result<Lease, kube::Error>, sent: Duration) -> Result<bool, kube::Error> {
        match answer {
            Ok(lease) => {
                self.leadership.renewed(sent);
                self.seen = Some((lease, sent));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn look(&mut self, found: Lease, at: Duration) {
        let same =
            self.seen.as_ref().is_some_and(|(l, _)| l.metadata.resource_version == found.metadata.resource_version);
        if !same {
            self.seen = Some((found, at));
        }
    }

    async fn limited<T>(&self, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
        match tokio::time::timeout(self.settings.limit(), call).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|h| !h.is_empty())
}
