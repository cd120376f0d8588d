//! Creating children: each outcome is a fact, and an unknown one is fenced before anything else is done.

use crate::{
    error::{Class, Error},
    pods::PodView,
    shared::Shared,
    stop_here,
    trust::needs_it,
};
use futures::{StreamExt, stream};
use hearth_plan::{Post, Start, facts::Refusal};
use http::StatusCode;
use k8s_openapi::api::core::v1::Pod;
use kube::core::response::Status;
use std::time::Duration;

/// Whose children are created.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) uid: String,
    pub(crate) namespace: String,
}

/// What came of a round of creates.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// An outcome that the next decision should look at without delay.
    pub(crate) news: bool,
    /// When a refused child may be posted again.
    pub(crate) again: Option<Duration>,
    /// What stood in the way.
    pub(crate) error: Option<Error>,
}

impl Round {
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.news |= other.news;
        self.again = [self.again, other.again].into_iter().flatten().min();
        self.error = self.error.or(other.error);
        self
    }

    fn failed(error: Error) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// Which pod of a [`Start`] is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The pod that works.
    Work,
    /// The placeholder that holds its name.
    Placeholder,
}

impl Shared {
    /// Posts all of them, some at a time.
    pub(crate) async fn create(&self, parent: &Parent, starts: &[Start], body: Body) -> Round {
        let creates: Vec<_> = starts.iter().map(|start| self.create_one(parent, start, body)).collect();
        stream::iter(creates)
            .buffer_unordered(self.settings.posts.max(1))
            .fold(Round::default(), async |all, one| all.merge(one))
            .await
    }

    async fn create_one(&self, parent: &Parent, start: &Start, body: Body) -> Round {
        let pod = match body {
            Body::Work => start.pod(),
            Body::Placeholder => start.placeholder(),
        };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if body == Body::Work
            && let Some(pause) = self.world.post_pause(&parent.uid, name)
        {
            return Round { again: Some(pause), ..Round::default() };
        }
        if !self.leadership.freshened().await {
            return Round::failed(Error::LeaseStale);
        }
        if body == Body::Work
            && needs_it(pod)
            && let Err(error) = self.place_trust(&parent.namespace).await
        {
            return self.untrusted(parent, start, name, &error);
        }
        match body {
            Body::Work => {
                stop_here!("before-create", &parent.uid);
                let round = self.post_work(parent, start, name, pod).await;
                stop_here!("after-create", &parent.uid);
                round
            }
            Body::Placeholder => {
                stop_here!("before-fence", &parent.uid);
                let round = self.post_placeholder(parent, start, name, pod).await;
                stop_here!("after-fence", &parent.uid);
                round
            }
        }
    }

    /// The pod is not posted, since it would wait for ever: that is a refusal like any other, which people are told.
    fn untrusted(&self, parent: &Parent, start: &Start, name: &str, error: &Error) -> Round {
        tracing::warn!(namespace = parent.namespace, name, %error, "the certificate that a pod mounts is not there");
        self.metrics.post("refused");
        if error.class() == Class::Terminating {
            self.world.namespace_terminating(&parent.namespace);
        }
        let refusal = Refusal {
            code: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            reason: "NoCertificate".into(),
            message: error.to_string(),
            at: crate::clock::now(),
        };
        self.note(parent, start, name, Post::Refused(refusal))
    }

    async fn post_work(&self, parent: &Parent, start: &Start, name: &str, pod: &Pod) -> Round {
        let answer = self.calls.create::<Pod, PodView>(&parent.namespace, pod).await;
        match answer {
            Ok(view) => {
                self.metrics.post("created");
                self.world.pod_seen(&view);
                Round::default()
            }
            Err(Error::Refused { status, .. }) if self.world.ends_with_its_namespace(&parent.namespace, &status) => {
                self.metrics.post("terminating");
                self.world.namespace_terminating(&parent.namespace);
                self.note(parent, start, name, Post::Refused(refusal(&status)))
            }
            Err(Error::Refused { status, .. }) if status.is_already_exists() => {
                self.metrics.post("exists");
                self.identify(parent, start, name).await
            }
            Err(Error::Refused { status, what }) if is_definite(&status) => {
                tracing::warn!(
                    namespace = parent.namespace,
                    name,
                    code = status.code,
                    message = status.message,
                    "{what} was refused"
                );
                self.metrics.post("refused");
                self.note(parent, start, name, Post::Refused(refusal(&status)))
            }
            Err(error) => {
                tracing::warn!(namespace = parent.namespace, name, %error, "outcome of a create is unknown");
                self.metrics.post("uncertain");
                self.note(parent, start, name, Post::Uncertain)
            }
        }
    }

    async fn post_placeholder(&self, parent: &Parent, start: &Start, name: &str, pod: &Pod) -> Round {
        match self.calls.create::<Pod, PodView>(&parent.namespace, pod).await {
            Ok(view) => {
                self.metrics.fence("void");
                self.world.pod_seen(&view);
                Round { news: true, ..Round::default() }
            }
            Err(Error::Refused { status, .. }) if self.world.ends_with_its_namespace(&parent.namespace, &status) => {
                self.metrics.fence("terminating");
                self.world.namespace_terminating(&parent.namespace);
                Round { news: true, ..Round::default() }
            }
            Err(Error::Refused { status, .. }) if status.is_already_exists() => {
                self.metrics.fence("exists");
                self.identify(parent, start, name).await
            }
            Err(error) => {
                // A refused placeholder says nothing about the pod: what it fences may be there all the same.
                self.metrics.fence("unknown");
                let seen = self.identify(parent, start, name).await;
                if seen.error.is_none() && self.known(parent, name) {
                    return seen;
                }
                if let Error::Refused { status, .. } = &error
                    && is_definite(status)
                {
                    self.note(parent, start, name, Post::Unfenced(refusal(status)));
                }
                Round::failed(error)
            }
        }
    }

    /// Asks for the pods that the watch has lost without a reason that was seen. Answers whether one must be asked for again.
    pub(crate) async fn clear_up(&self, parent: &Parent) -> Result<bool, Error> {
        for name in self.world.with_known(&parent.uid, |o| o.unclear()).unwrap_or_default() {
            let found: Option<PodView> = match self.calls.get::<Pod, _>(&parent.namespace, &name).await {
                // Its pods went first, and no other can come.
                Err(Error::Refused { status, .. })
                    if self.world.ends_with_its_namespace(&parent.namespace, &status) =>
                {
                    None
                }
                answer => answer?,
            };
            self.world.with_known(&parent.uid, |o| o.cleared(&name, found.as_ref()));
        }
        Ok(self.world.with_known(&parent.uid, |o| !o.unclear().is_empty()).unwrap_or_default())
    }

    /// One quorum GET says by what a name is taken.
    async fn identify(&self, parent: &Parent, start: &Start, name: &str) -> Round {
        match self.calls.get::<Pod, PodView>(&parent.namespace, name).await {
            Ok(Some(view)) if view.owner.as_deref() == Some(parent.uid.as_str()) && view.fact.owned => {
                self.world.pod_seen(&view);
                Round { news: true, ..Round::default() }
            }
            Ok(Some(view)) => self.note(parent, start, name, Post::Stranger { what: view.describe() }),
            Ok(None) => self.note(parent, start, name, Post::Uncertain),
            Err(error) => self.note(parent, start, name, Post::Uncertain).merge(Round::failed(error)),
        }
    }

    fn known(&self, parent: &Parent, name: &str) -> bool {
        self.world.with(&parent.uid, |o| o.decided(name))
    }

    fn note(&self, parent: &Parent, start: &Start, name: &str, post: Post) -> Round {
        let news = self.world.posted(&parent.uid, name, &start.intent().run_id, post);
        Round { news, ..Round::default() }
    }
}

/// Whether an answer says for certain that nothing was created. A 5xx or a time-out of the server does not.
fn is_definite(status: &Status) -> bool {
    (400..500).contains(&status.code) && status.code != 408
}

fn refusal(status: &Status) -> Refusal {
    Refusal {
        code: status.code,
        reason: status.reason.clone(),
        message: status.message.clone(),
        at: crate::clock::now(),
    }
}
