//! What came of what, both ways from a run or from a digest, a step at a time: each step is one query over the ends that
//! the last one reached.
//!
//! Equal bytes have one digest, whoever wrote them. So that a nightly run does not lead to every other night's, a run that
//! read what it wrote itself has it from itself, and nothing is taken to come from a run that began later.

use crate::{clean::borrowed, error::Error, model::RunSummary, store::Store};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Where lineage begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineageRoot {
    /// At a run.
    Run(Uuid),
    /// At data or an image, by its digest.
    Digest(String),
}

/// What of it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageQuery {
    /// Where it begins.
    pub root: LineageRoot,
    /// Of runs in the namespace of this name only.
    pub namespace: Option<String>,
    /// Of runs in the namespace with this UID only.
    pub namespace_uid: Option<String>,
    /// The most steps from the root.
    pub depth: u32,
    /// The most edges each way.
    pub limit: u32,
}

/// That one thing came of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageEdge {
    /// Steps from the root, from 1.
    pub depth: u32,
    /// Read, Wrote, RanImage, RanTemplate, RerunOf, Called or Cached.
    pub relation: String,
    /// What was there before: the id of a run, `sha256:hex` of data or of an image, or `workflow/NAME`.
    pub from: String,
    /// What came of it: the id of a run, or `sha256:hex` of data.
    pub to: String,
    /// The run whose record says so: the one that did it.
    pub run_id: Uuid,
    /// Its step; empty when it was the run as a whole.
    pub step: String,
    /// Number of the step's attempt; 0 when it was the run as a whole.
    pub attempt: i32,
    /// What the step calls the data, or the image as written.
    pub name: String,
    /// The run read what it wrote itself.
    pub own: bool,
}

/// What came of what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lineage {
    /// What the root came of, the nearest first.
    pub upstream: Vec<LineageEdge>,
    /// What came of the root, the nearest first.
    pub downstream: Vec<LineageEdge>,
    /// The runs among them whose rows are there, the newest first.
    pub runs: Vec<RunSummary>,
    /// There is more than was asked for.
    pub truncated: bool,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To what was there before.
    Up,
    /// To what came of it.
    Down,
}

/// An end from which a step goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct End {
    pub id: String,
    /// UID of the namespace in which it was reached; None at the root.
    pub namespace_uid: Option<String>,
    /// Of data that was reached by a run: this run. None at the root, and of runs.
    pub bound: Option<Uuid>,
}

/// A row of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub run_id: Uuid,
    pub relation: String,
    pub from: String,
    pub to: String,
    pub step: String,
    pub attempt: i32,
    pub name: String,
    pub namespace_uid: String,
    pub own: bool,
}

impl Store {
    /// What a run or a digest came of, and what came of it.
    pub async fn lineage(&self, query: &LineageQuery) -> Result<Lineage, Error> {
        let (upstream, more_up) = self.walk(query, Way::Up).await?;
        let (downstream, more_down) = self.walk(query, Way::Down).await?;
        let mut ids: BTreeSet<Uuid> = upstream.iter().chain(&downstream).map(|e| e.run_id).collect();
        // A run that was taken over from is named by the row of another.
        ids.extend(upstream.iter().chain(&downstream).filter_map(|e| Uuid::parse_str(&e.from).ok()));
        if let LineageRoot::Run(id) = &query.root {
            ids.insert(*id);
        }
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let runs = match self {
            Self::Postgres(p) => p.runs_by_id(&ids, query).await?,
            Self::Sqlite(s) => s.runs_by_id(&ids, query).await?,
        };
        Ok(Lineage { upstream, downstream, runs, truncated: more_up || more_down })
    }

    /// All edges one way, and whether there are more.
    async fn walk(&self, query: &LineageQuery, way: Way) -> Result<(Vec<LineageEdge>, bool), Error> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut ends = vec![root(&query.root)];
        let mut walked = Walked { way, reached: BTreeMap::new(), known: BTreeSet::new() };
        let mut edges: Vec<LineageEdge> = Vec::new();
        // The one step more than was asked for only says whether there is more.
        for depth in 1..=query.depth.saturating_add(1) {
            if ends.is_empty() {
                return Ok((edges, false));
            }
            let room = limit.saturating_sub(edges.len());
            let found = match self {
                Self::Postgres(p) => p.lineage_step(way, &ends, query, room).await?,
                Self::Sqlite(s) => s.lineage_step(way, &ends, query, room).await?,
            };
            let full = found.len() > room;
            let new: Vec<Found> = found.into_iter().take(room).filter(|f| walked.is_new(f)).collect();
            if depth > query.depth {
                return Ok((edges, full || !new.is_empty()));
            }
            ends = walked.next(&new);
            edges.extend(new.into_iter().map(|f| edge(f, depth)));
            if full {
                return Ok((edges, true));
            }
        }
        Ok((edges, false))
    }
}

fn root(root: &LineageRoot) -> End {
    let id = match root {
        LineageRoot::Run(id) => id.to_string(),
        LineageRoot::Digest(digest) => borrowed(digest).into_owned(),
    };
    End { id, namespace_uid: None, bound: None }
}

fn edge(found: Found, depth: u32) -> LineageEdge {
    LineageEdge {
        depth,
        relation: found.relation,
        from: found.from,
        to: found.to,
        run_id: found.run_id,
        step: found.step,
        attempt: found.attempt,
        name: found.name,
        own: found.own,
    }
}

type EdgeKey = (Uuid, String, String, String, String, i32, String);

/// What a walk has seen.
struct Walked {
    way: Way,
    /// Ends by namespace and id, each with the widest bound that it was reached by.
    reached: BTreeMap<(String, String), Option<Uuid>>,
    known: BTreeSet<EdgeKey>,
}

impl Walked {
    fn is_new(&mut self, f: &Found) -> bool {
        self.known.insert((
            f.run_id,
            f.relation.clone(),
            f.from.clone(),
            f.to.clone(),
            f.step.clone(),
            f.attempt,
            f.name.clone(),
        ))
    }

    /// The ends that these edges reach for the first time, or by a wider bound than before.
    fn next(&mut self, edges: &[Found]) -> Vec<End> {
        let mut ends: BTreeMap<(String, String), Option<Uuid>> = BTreeMap::new();
        for edge in edges {
            let Some((id, bound)) = self.end_of(edge) else { continue };
            let key = (edge.namespace_uid.clone(), id);
            let before = ends.get(&key).or_else(|| self.reached.get(&key));
            if before.is_none_or(|b| self.is_wider(bound, *b)) {
                ends.insert(key, bound);
            }
        }
        self.reached.extend(ends.clone());
        let end = |((uid, id), bound)| End { id, namespace_uid: Some(uid), bound };
        ends.into_iter().map(end).collect()
    }

    /// Where an edge leads, unless nothing is beyond it.
    fn end_of(&self, edge: &Found) -> Option<(String, Option<Uuid>)> {
        match (self.way, edge.relation.as_str()) {
            (Way::Up, "Read") => (!edge.own).then(|| (edge.from.clone(), Some(edge.run_id))),
            (Way::Up, "Wrote" | "RerunOf" | "Called" | "Cached") => Some((edge.from.clone(), None)),
            // Nothing is on record before an image or a template.
            (Way::Up, _) => None,
            (Way::Down, "Wrote") => Some((edge.to.clone(), Some(edge.run_id))),
            (Way::Down, _) => Some((edge.to.clone(), None)),
        }
    }

    fn is_wider(&self, new: Option<Uuid>, old: Option<Uuid>) -> bool {
        match (self.way, new, old) {
            (_, _, None) => false,
            (_, None, Some(_)) => true,
            (Way::Up, Some(new), Some(old)) => new > old,
            (Way::Down, Some(new), Some(old)) => new < old,
        }
    }
}
