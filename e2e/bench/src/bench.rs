//! The operator and the bare loop in a namespace of their own, and how a round of runs goes.

use crate::{
    audit::{Log, Request},
    bare::Bare,
    gaps,
    measure::Place,
    seen::{self, Seen},
    shape::Shape,
    tally::Both,
};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use hearth_crds::workflow::Workflow;
use hearth_e2e::standalone::{Operator, cpu_seconds};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{
    process::id,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Name of the operator in its Lease.
const IDENTITY: &str = "hearth-bench";
/// Runs that warm up both sides and count for nothing.
const WARM_UP: u32 = 3;
/// How long a round may take.
pub const ROUND: Duration = Duration::from_secs(600);
/// Between two looks at the audit log. The operator's end of a round is read there, since a watch of our own would add
/// to what the API server has to do while the operator is measured.
const TURN: Duration = Duration::from_millis(50);
/// Objects that are deleted at the same time.
const DELETES: usize = 32;
/// How long a namespace may take to come.
const NAMESPACE: Duration = Duration::from_secs(90);

/// Measures with a running operator, and leaves nothing behind.
pub async fn with<T>(place: &Place, measure: impl AsyncFnOnce(&mut Bench<'_>) -> Result<T>) -> Result<T> {
    let client = Client::try_from(Config::infer().await?)?;
    let namespace = format!("hearth-bench-{}", id());
    make_namespace(&client, &namespace).await?;
    let operator = place.operator.start(IDENTITY, &[])?;
    let (seen, _) = watch::channel(Seen::default());
    let bare = Bare::new(client.clone(), &namespace, seen.clone());
    let watches = tokio::spawn(follow(client.clone(), namespace.clone(), seen.clone(), Arc::clone(&bare)));
    let mut bench = Bench {
        workflows: Api::namespaced(client.clone(), &namespace),
        user: who_am_i(&client).await?,
        log: Log::from_now(&place.audit_log, &namespace, &place.operator_user)?,
        client,
        namespace,
        place,
        operator,
        seen,
        bare,
        bare_runs: 0,
        requests: Vec::new(),
    };
    let measured = match bench.warm_up().await {
        Ok(()) => measure(&mut bench).await,
        Err(error) => Err(error),
    };
    watches.abort();
    // The operator must live for this: it holds each Workflow until its record is stored.
    let cleaned = bench.clean_up().await;
    let measured = measured.with_context(|| format!("the operator's log is {}", place.operator.log.display()))?;
    // What was measured counts all the same.
    if let Err(error) = cleaned {
        eprintln!("namespace {} stays: {error:#}", bench.namespace);
    }
    bench.operator.stop()?;
    Ok(measured)
}

async fn follow(client: Client, namespace: String, seen: watch::Sender<Seen>, bare: Arc<Bare>) {
    seen::follow(client, &namespace, &seen, |place| bare.ended(place)).await;
}

async fn who_am_i(client: &Client) -> Result<String> {
    let reviews = Api::<SelfSubjectReview>::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    review.status.and_then(|s| s.user_info).and_then(|u| u.username).context("the cluster does not say who we are")
}

/// Makes the namespace, and waits until pods can be made in it.
async fn make_namespace(client: &Client, name: &str) -> Result<()> {
    let namespace: Namespace = serde_json::from_value(
        json!({"metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
    )?;
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), name);
    ask_until("the default service account", NAMESPACE, async || Ok(accounts.get_opt("default").await?.is_some())).await
}

pub async fn ask_until(what: &str, limit: Duration, ask: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !ask().await? {
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Both sides, and the log of what they do.
pub struct Bench<'a> {
    place: &'a Place,
    pub client: Client,
    pub namespace: String,
    pub workflows: Api<Workflow>,
    /// Our own name in the audit log.
    pub user: String,
    log: Log,
    pub operator: Operator,
    seen: watch::Sender<Seen>,
    bare: Arc<Bare>,
    bare_runs: u32,
    /// What the log said since the last round began.
    requests: Vec<Request>,
}

/// A run to start: of which object, and its number.
#[derive(Clone, Debug)]
pub struct Order {
    pub object: String,
    pub number: u32,
}

impl Bench<'_> {
    /// Runs that count for nothing; the first shows what pods the operator makes.
    async fn warm_up(&mut self) -> Result<()> {
        let order = |number| Order { object: "warm-up".to_owned(), number };
        let diamond = Shape::diamond();
        self.order(&order(1), &diamond).await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let begun = Instant::now();
        while self.swept()? < 1 {
            pods.list(&ListParams::default()).await?.iter().for_each(|pod| self.bare.imitate(pod));
            self.turn("the first run", begun).await?;
        }
        self.requests.clear();
        for number in 2..=WARM_UP {
            self.round(&[order(number)], &diamond, &mut Both::default()).await?;
        }
        Ok(())
    }

    /// How many runs of this round the operator has cleared away.
    fn swept(&mut self) -> Result<usize> {
        self.requests.extend(self.log.read()?);
        let swept = |r: &&Request| r.user() == self.place.operator_user && r.sweeps_pods();
        Ok(self.requests.iter().filter(swept).count())
    }

    /// A pause between two looks at the log, unless it has taken too long.
    pub async fn turn(&mut self, what: &str, begun: Instant) -> Result<()> {
        self.operator.check()?;
        if begun.elapsed() > ROUND {
            bail!("{what}: not within {} s", ROUND.as_secs());
        }
        sleep(TURN).await;
        Ok(())
    }

    /// The operator's runs of that shape, then as many of the bare loop.
    pub async fn round(&mut self, orders: &[Order], shape: &Arc<Shape>, both: &mut Both) -> Result<()> {
        let before = self.operator.cpu_seconds()?;
        self.orders(orders, shape).await?;
        self.compare(orders.len(), shape, before, both).await
    }

    /// As many runs of the bare loop as the operator just did, and what the log says of both.
    pub async fn compare(&mut self, runs: usize, shape: &Arc<Shape>, before: f64, both: &mut Both) -> Result<()> {
        let ours = cpu_seconds(id())?;
        self.bare_round(runs, shape).await?;
        both.bare.cpu += cpu_seconds(id())? - ours;
        // What the operator did in the meantime is its own cost all the same.
        both.operator.cpu += self.operator.cpu_seconds()? - before;
        let mut requests = self.requests()?;
        // Our own requests beside the bare loop's ask the operator for a run.
        requests.retain(|r| r.user() != self.user || r.is_about_pods());
        both.operator.add(&requests, &self.place.operator_user, runs, shape, gaps::Place::of_operator)?;
        both.bare.add(&requests, &self.user, runs, shape, gaps::Place::of_bare)
    }

    /// Starts the operator again, once it was stopped.
    pub fn restart(&mut self) -> Result<()> {
        self.operator = self.place.operator.start(IDENTITY, &[])?;
        Ok(())
    }

    /// What the log said since the last round.
    pub fn requests(&mut self) -> Result<Vec<Request>> {
        self.swept()?;
        Ok(std::mem::take(&mut self.requests))
    }

    /// Starts these runs of the operator, and waits until they are over and cleared away.
    async fn orders(&mut self, orders: &[Order], shape: &Shape) -> Result<()> {
        try_join_all(orders.iter().map(|order| self.order(order, shape))).await?;
        let begun = Instant::now();
        while self.swept()? < orders.len() {
            self.turn("the operator's runs", begun).await?;
        }
        Ok(())
    }

    async fn order(&self, order: &Order, shape: &Shape) -> Result<()> {
        if order.number == 1 {
            self.workflows.create(&PostParams::default(), &shape.workflow(&order.object)?).await?;
        } else {
            let patch = json!({"spec": {"rerun": {"token": order.number.to_string()}}});
            self.workflows.patch(&order.object, &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        Ok(())
    }

    async fn bare_round(&mut self, runs: usize, shape: &Arc<Shape>) -> Result<()> {
        let first = self.bare_runs;
        self.bare_runs += u32::try_from(runs)?;
        let names: Vec<String> = (first..self.bare_runs).map(|n| format!("bare-{n}")).collect();
        names.iter().for_each(|run| self.bare.start(run, shape));
        let pods = shape.pods();
        self.until("the bare loop's runs", |s| names.iter().all(|run| s.is_over(run, pods))).await?;
        try_join_all(names.iter().map(|run| self.bare.sweep(run))).await?;
        self.until("the bare loop's pods to go", |s| names.iter().all(|run| s.is_swept(run, pods))).await
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Seen) -> bool) -> Result<()> {
        let begun = Instant::now();
        let mut seen = self.seen.subscribe();
        loop {
            // In short turns, to notice an operator that has ended.
            let waited = timeout(Duration::from_secs(1), seen.wait_for(|s| s.error.is_some() || done(s))).await;
            if let Ok(known) = waited {
                return match &known?.error {
                    None => Ok(()),
                    Some(error) => bail!("{what}: {error}"),
                };
            }
            self.operator.check()?;
            if begun.elapsed() > ROUND {
                bail!("{what}: not within {} s", ROUND.as_secs());
            }
        }
    }

    async fn clean_up(&self) -> Result<()> {
        let all = self.workflows.list_metadata(&ListParams::default()).await?;
        let deleted = stream::iter(all.items)
            .map(|w| async move { self.workflows.delete(&w.name_any(), &DeleteParams::default()).await.map(drop) });
        deleted.buffer_unordered(DELETES).try_collect::<()>().await?;
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        let gone = async || Ok(namespaces.get_opt(&self.namespace).await?.is_none());
        ask_until("the benchmark's namespace to go", ROUND, gone).await
    }
}
