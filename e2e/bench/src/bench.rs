//! The course of the benchmark.

use crate::{
    Args,
    audit::{Log, Request},
    bare::Bare,
    gaps::Place,
    report::{Figures, Large},
    seen::{self, Seen},
    shape::Shape,
    tally::Both,
};
use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use hearth_crds::{
    label,
    workflow::{RunPhase, Workflow},
};
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
const ROUND: Duration = Duration::from_secs(600);
/// Between two looks at the audit log. The operator's end of a round is read there, since a watch of our own would add
/// to what the API server has to do while the operator is measured.
const TURN: Duration = Duration::from_millis(50);
/// Steps of a layer of the large Workflow.
const WIDTH: u32 = 100;
/// Between two looks at the status of a large run.
const LOOK: Duration = Duration::from_millis(500);
/// How long a namespace may take to come, or to go.
const NAMESPACE: Duration = Duration::from_secs(90);

/// Measures, and leaves nothing behind.
pub async fn run(args: &Args) -> Result<Figures> {
    let client = Client::try_from(Config::infer().await?)?;
    let namespace = format!("hearth-bench-{}", id());
    make_namespace(&client, &namespace).await?;
    let operator = args.operator.start(IDENTITY, &[])?;
    let (seen, _) = watch::channel(Seen::default());
    let bare = Bare::new(client.clone(), &namespace, seen.clone());
    let watches = tokio::spawn(follow(client.clone(), namespace.clone(), seen.clone(), Arc::clone(&bare)));
    let mut bench = Bench {
        workflows: Api::namespaced(client.clone(), &namespace),
        user: who_am_i(&client).await?,
        log: Log::from_now(&args.audit_log, &namespace, &args.operator_user)?,
        client,
        namespace,
        args,
        operator,
        seen,
        bare,
        bare_runs: 0,
        diamond: Shape::diamond(),
        requests: Vec::new(),
    };
    let measured = bench.measure().await;
    watches.abort();
    // The operator must live for this: it holds each Workflow until its record is stored.
    let cleaned = bench.clean_up().await;
    let figures = measured.with_context(|| format!("the operator's log is {}", args.operator.log.display()))?;
    cleaned?;
    bench.operator.stop()?;
    Ok(figures)
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

async fn ask_until(what: &str, limit: Duration, ask: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !ask().await? {
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

struct Bench<'a> {
    args: &'a Args,
    client: Client,
    namespace: String,
    workflows: Api<Workflow>,
    /// Our own name in the audit log.
    user: String,
    log: Log,
    operator: Operator,
    seen: watch::Sender<Seen>,
    bare: Arc<Bare>,
    bare_runs: u32,
    diamond: Arc<Shape>,
    /// What the log said since the last round began.
    requests: Vec<Request>,
}

/// A run to start: of which object, and its number.
#[derive(Clone, Debug)]
struct Order {
    object: String,
    number: u32,
}

impl Bench<'_> {
    async fn measure(&mut self) -> Result<Figures> {
        self.warm_up().await?;
        let mut figures = Figures { at_once: self.args.at_once as usize, ..Figures::default() };
        for n in 0..self.args.runs {
            let (object, earlier) = (n / self.args.runs_per_object, n % self.args.runs_per_object);
            let order = Order { object: format!("single-{object}"), number: earlier + 1 };
            self.round(&[order], if earlier == 0 { &mut figures.first } else { &mut figures.later }).await?;
            eprint!("\rone at a time: {} of {}", n + 1, self.args.runs);
        }
        eprintln!();
        for number in 1..=self.args.rounds {
            let orders: Vec<_> =
                (0..self.args.at_once).map(|n| Order { object: format!("many-{n}"), number }).collect();
            self.round(&orders, &mut figures.many).await?;
            eprint!("\r{} at once: round {number} of {}", self.args.at_once, self.args.rounds);
        }
        eprintln!();
        figures.peak = self.operator.peak_mib()?;
        let steps = |n: u32| Shape::layers(n.div_ceil(WIDTH) as usize, WIDTH.min(n) as usize);
        for (count, what, shape, most_seconds) in [
            (self.args.steps, "steps", steps(self.args.steps), Some(5.0)),
            (self.args.items, "items", Shape::fan_out(self.args.items as usize), None),
        ] {
            if count > 0 {
                eprintln!("{count} {what}");
                let large = self.large(what, &shape).await.with_context(|| format!("{count} {what}"))?;
                figures.large.push(Large { name: format!("{} {what}", shape.pods()), most_seconds, ..large });
            }
        }
        Ok(figures)
    }

    /// Runs that count for nothing; the first shows what pods the operator makes.
    async fn warm_up(&mut self) -> Result<()> {
        let order = |number| Order { object: "warm-up".to_owned(), number };
        self.order(&order(1)).await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let begun = Instant::now();
        while self.swept()? < 1 {
            pods.list(&ListParams::default()).await?.iter().for_each(|pod| self.bare.imitate(pod));
            self.turn("the first run", begun).await?;
        }
        self.requests.clear();
        for number in 2..=WARM_UP {
            self.round(&[order(number)], &mut Both::default()).await?;
        }
        Ok(())
    }

    /// How many runs of this round the operator has cleared away.
    fn swept(&mut self) -> Result<usize> {
        self.requests.extend(self.log.read()?);
        let swept = |r: &&Request| r.user() == self.args.operator_user && r.sweeps_pods();
        Ok(self.requests.iter().filter(swept).count())
    }

    /// A pause between two looks at the log, unless it has taken too long.
    async fn turn(&mut self, what: &str, begun: Instant) -> Result<()> {
        self.operator.check()?;
        if begun.elapsed() > ROUND {
            bail!("{what}: not within {} s", ROUND.as_secs());
        }
        sleep(TURN).await;
        Ok(())
    }

    /// The operator's runs of the diamond, then as many of the bare loop.
    async fn round(&mut self, orders: &[Order], both: &mut Both) -> Result<()> {
        let before = self.operator.cpu_seconds()?;
        self.orders(orders).await?;
        let shape = Arc::clone(&self.diamond);
        self.compare(orders.len(), &shape, before, both).await
    }

    /// One run of a large shape.
    async fn large(&mut self, what: &str, shape: &Arc<Shape>) -> Result<Large> {
        let name = format!("large-{what}");
        let (before, begun) = (self.operator.cpu_seconds()?, Instant::now());
        self.workflows.create(&PostParams::default(), &shape.workflow(&name)?).await?;
        let mut large = Large::default();
        loop {
            let status = self.workflows.get_status(&name).await?.status.unwrap_or_default();
            large.status = large.status.max(serde_json::to_vec(&status)?.len());
            match status.phase {
                Some(RunPhase::Succeeded) => break,
                Some(RunPhase::Failed | RunPhase::Cancelled) => bail!("the run ended as {:?}", status.phase),
                _ => {}
            }
            self.turn("the operator's large run", begun).await?;
            sleep(LOOK).await;
        }
        // The last of its pods go when the end is on record.
        let live = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let own = ListParams::default().labels(&format!("{}=hearth", label::MANAGED_BY)).limit(1);
        ask_until("the pods of the large run to go", ROUND, async || {
            Ok(live.list_metadata(&own).await?.items.is_empty())
        })
        .await?;
        large.peak = self.operator.peak_mib()?;
        let mut both = Both::default();
        self.compare(1, shape, before, &mut both).await?;
        Ok(Large { both, ..large })
    }

    /// As many runs of the bare loop as the operator just did, and what the log says of both.
    async fn compare(&mut self, runs: usize, shape: &Arc<Shape>, before: f64, both: &mut Both) -> Result<()> {
        let ours = cpu_seconds(id())?;
        self.bare_round(runs, shape).await?;
        both.bare.cpu += cpu_seconds(id())? - ours;
        // What the operator did in the meantime is its own cost all the same.
        both.operator.cpu += self.operator.cpu_seconds()? - before;
        self.swept()?;
        let mut requests = std::mem::take(&mut self.requests);
        // Our own requests beside the bare loop's ask the operator for a run.
        requests.retain(|r| r.user() != self.user || r.is_about_pods());
        both.operator.add(&requests, &self.args.operator_user, runs, shape, Place::of_operator)?;
        both.bare.add(&requests, &self.user, runs, shape, Place::of_bare)
    }

    /// Starts these runs of the operator, and waits until they are over and cleared away.
    async fn orders(&mut self, orders: &[Order]) -> Result<()> {
        try_join_all(orders.iter().map(|order| self.order(order))).await?;
        let begun = Instant::now();
        while self.swept()? < orders.len() {
            self.turn("the operator's runs", begun).await?;
        }
        Ok(())
    }

    async fn order(&self, order: &Order) -> Result<()> {
        if order.number == 1 {
            self.workflows.create(&PostParams::default(), &self.diamond.workflow(&order.object)?).await?;
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
        try_join_all(
            all.iter().map(|w| async { self.workflows.delete(&w.name_any(), &DeleteParams::default()).await }),
        )
        .await?;
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        let gone = async || Ok(namespaces.get_opt(&self.namespace).await?.is_none());
        ask_until("the benchmark's namespace to go", NAMESPACE, gone).await
    }
}
