//! `watch`: a run as it goes on, from a watch on the Workflow, to its end.

use crate::{
    args::{Target, WorkflowRef},
    connect::cluster,
    error::CliError,
    follow::{Followed, follow},
    graph::{Graph, Shape},
    render,
    terminal::{Terminal, show},
};
use futures::{Stream, StreamExt};
use hearth_crds::workflow::{RunPhase, Workflow};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::Value;
use std::{
    pin::{Pin, pin},
    process::ExitCode,
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the picture is drawn anew while nothing happens: its times go on.
const TICK: Duration = Duration::from_secs(1);
/// How long the watch may be broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn watch(target: &Target, asked: &WorkflowRef) -> Result<ExitCode, CliError> {
    let name = asked.name();
    let (client, namespace) = cluster(target).await?;
    let workflows: Api<Workflow> = Api::namespaced(client.clone(), &namespace);
    let what = format!("read Workflow {namespace}/{name}");
    // The watch would wait for an object that is not there.
    let object = workflows.get(name).await.map_err(|e| match CliError::from_kube(&what, e) {
        CliError::NotFound(_) => CliError::NotFound(format!(
            "there is no Workflow {name:?} in namespace {namespace}; see: kubectl get hwf -n {namespace}"
        )),
        other => other,
    })?;
    let objects = pin!(watcher::watch_object(workflows, name).default_backoff());
    let mut show = Show {
        client,
        namespace,
        name: name.to_owned(),
        terminal: Terminal::of_stdout(),
        drawn: 0,
        run: None,
        shape: Shape::default(),
        graph: None,
        said: None,
    };
    let phase = match show.see(object).await? {
        Some(phase) => phase,
        None => to_the_end(objects, &mut show).await?,
    };
    Ok(if phase == RunPhase::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows object after object until the run has ended.
async fn to_the_end(
    mut objects: Pin<&mut impl Stream<Item = watcher::Result<Option<Workflow>>>>,
    show: &mut Show,
) -> Result<RunPhase, CliError> {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut broken: Option<Instant> = None;
    loop {
        let next = tokio::select! {
            next = objects.next() => next,
            _ = tick.tick() => {
                show.redraw()?;
                continue;
            }
        };
        match next {
            Some(Ok(Some(object))) => {
                broken = None;
                if let Some(phase) = show.see(object).await? {
                    return Ok(phase);
                }
            }
            Some(Ok(None)) => {
                return Err(CliError::NotFound(format!(
                    "the Workflow was deleted; its record stays: kubectl hearth tree workflow/{}",
                    show.name
                )));
            }
            Some(Err(error)) => {
                let since = *broken.get_or_insert_with(Instant::now);
                if refused(&error) {
                    return Err(CliError::Forbidden(format!(
                        "watch Workflow {}/{}: {error}; ask for a Role with get, list and watch on workflows.hearth.dev",
                        show.namespace, show.name
                    )));
                }
                if since.elapsed() > PATIENCE {
                    return Err(CliError::Away(format!("the watch on the Workflow broke: {error}; the run goes on")));
                }
            }
            None => return Err(CliError::Away("the watch on the Workflow ended; the run goes on".to_owned())),
        }
    }
}

/// Whether trying again does not help.
fn refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => [401, 403].contains(&status.code),
        // A foreign enum: anything else may pass.
        _ => false,
    }
}

/// What is on the screen, and of which run.
struct Show {
    client: Client,
    namespace: String,
    name: String,
    terminal: Terminal,
    /// Lines that can be drawn over.
    drawn: usize,
    run: Option<String>,
    shape: Shape,
    graph: Option<Graph>,
    said: Option<String>,
}

impl Show {
    /// Shows what `object` says. Gives the phase when the run has ended.
    async fn see(&mut self, object: Workflow) -> Result<Option<RunPhase>, CliError> {
        let followed = follow(&object, self.run.as_deref())?;
        match followed {
            Followed::Waiting(why) => {
                self.wait(&why)?;
                return Ok(None);
            }
            // The last that was seen of it stays.
            Followed::EndedBefore(phase) => {
                eprintln!("the run ended ({}); another one is under way", phase.as_str());
                return Ok(Some(phase));
            }
            Followed::UnderWay(_) | Followed::Ended(_) => {}
        }
        let Some(status) = &object.status else { return Ok(None) };
        if let Some(run) = status.run.as_ref().filter(|r| self.run.as_ref() != Some(&r.id)) {
            self.run = Some(run.id.clone());
            self.shape = self.shape_of(&object, run.generation, &run.revision).await;
        }
        let Some(graph) = Graph::live(&self.namespace, &self.name, status, &self.shape) else { return Ok(None) };
        let ended = match followed {
            Followed::Ended(phase) => Some(phase),
            Followed::UnderWay(_) | Followed::Waiting(_) | Followed::EndedBefore(_) => None,
        };
        if !self.terminal.live {
            show(&render::changes(self.graph.as_ref(), &graph))?;
        } else if ended.is_some() {
            self.draw(&render::graph(&graph, false, self.terminal.width, Timestamp::now()))?;
        }
        self.graph = Some(graph);
        if ended.is_none() {
            self.redraw()?;
        }
        Ok(ended)
    }

    /// The spec that the run is pinned to: the object's own, or that of its revision when the object was changed since.
    async fn shape_of(&self, object: &Workflow, generation: i64, revision: &str) -> Shape {
        let own = serde_json::to_value(&object.spec).unwrap_or(Value::Null);
        if object.metadata.generation == Some(generation) {
            return Shape::of(&own);
        }
        let revisions: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &self.namespace);
        // Not everybody may read revisions. Then the object's own spec has to do, and each step of the run is shown.
        let pinned = revisions.get_opt(revision).await.ok().flatten().and_then(|r| r.data);
        Shape::of(pinned.as_ref().and_then(|d| d.0.get("spec")).unwrap_or(&own))
    }

    /// Says once why there is nothing to see yet.
    fn wait(&mut self, why: &str) -> Result<(), CliError> {
        if self.said.as_deref() != Some(why) {
            self.said = Some(why.to_owned());
            let text = format!("Waiting for a run of Workflow {}/{}: {why}", self.namespace, self.name);
            if self.terminal.live {
                let text = render::prose(&text, self.terminal.width, anstyle::Style::new());
                self.draw(&text)?;
                self.drawn = text.lines().count();
            } else {
                eprintln!("{text}");
            }
        }
        Ok(())
    }

    /// Draws the run as it is now.
    fn redraw(&mut self) -> Result<(), CliError> {
        let Some(graph) = self.graph.as_ref().filter(|_| self.terminal.live) else { return Ok(()) };
        // The terminal may have been made larger or smaller.
        let terminal = Terminal::of_stdout();
        let picture = render::picture(graph, terminal, Timestamp::now());
        self.draw(&picture)?;
        self.drawn = picture.lines().count();
        Ok(())
    }

    /// Writes over what was drawn last.
    fn draw(&mut self, text: &str) -> Result<(), CliError> {
        let up = if self.drawn > 0 { format!("\u{1b}[{}A", self.drawn) } else { String::new() };
        self.drawn = 0;
        let lines: String = text.lines().map(|l| format!("{l}\u{1b}[K\n")).collect();
        // Not through `show`: it takes these codes away where there are no colours, and lines would pile up.
        let lines = if colours() { lines } else { without_colours(text) };
        crate::terminal::put(&format!("{up}{lines}\u{1b}[J"))
    }
}

fn colours() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

fn without_colours(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string().lines().map(|l| format!("{l}\u{1b}[K\n")).collect()
}
