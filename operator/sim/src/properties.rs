//! What must hold for every kind, whatever happens. Each function says what it found, or nothing.

use crate::{
    cache::Cache,
    clock::{Dice, secs},
    fault::{Faults, Mode},
    lens::Lens,
    server::Key,
    world::{Disorder, Halt, World},
};
use hearth_crds::time::Time;
use hearth_plan::{Accepted, Facts, Kind, Plan, kind::Env};
use serde_json::Value;
use std::time::Duration;

/// A story that can be told again and again, with other disturbances each time.
pub struct Tale<'a, K: Kind> {
    /// What it is called.
    pub name: &'a str,
    /// How to look at the kind.
    pub lens: Lens<K>,
    /// Sets the scene in a new world.
    pub begin: &'a dyn Fn(&mut World<K>),
    /// How long it takes at most, with all disturbances.
    pub length: Duration,
    /// What is left when it is over, without ids, times, seq and void attempts.
    pub normal: fn(&World<K>) -> Value,
    /// How two of those differ.
    pub difference: fn(&Value, &Value) -> Option<String>,
}

impl<K: Kind> Tale<'_, K> {
    /// A world in which the tale is about to begin.
    #[must_use]
    pub fn world(&self, seed: u64) -> World<K> {
        let mut world = World::new(self.lens, seed);
        (self.begin)(&mut world);
        world
    }

    /// Tells it without any disturbance.
    ///
    /// # Errors
    /// What the judge found, or that it does not come to rest.
    pub fn undisturbed(&self) -> Result<World<K>, String> {
        let mut world = self.world(1);
        self.finish(&mut world)?;
        Ok(world)
    }

    /// Goes on to the end.
    ///
    /// # Errors
    /// What the judge found, or that it does not come to rest.
    pub fn finish(&self, world: &mut World<K>) -> Result<(), String> {
        let halt = world.run_for(self.length);
        verdict(world)?;
        if halt != Halt::Rest {
            return Err(format!("it does not come to rest within {:?}: {halt:?}", self.length));
        }
        Ok(())
    }

    /// Finishes a disturbed telling, and compares what is left.
    ///
    /// # Errors
    /// What the judge found, or the first difference.
    pub fn compare(&self, world: &mut World<K>, want: &Value) -> Result<(), String> {
        self.finish(world)?;
        (self.difference)(want, &(self.normal)(world)).map_or(Ok(()), Err)
    }
}

/// What the judge found.
///
/// # Errors
/// The findings.
pub fn verdict<K: Kind>(world: &World<K>) -> Result<(), String> {
    if world.violations().is_empty() { Ok(()) } else { Err(world.violations().join("\n  ")) }
}

/// Crash prefix: at every write of the tale (or every so many-th), in every mode, the end is that of the undisturbed tale.
/// Returns the kill points.
///
/// # Errors
/// The kill points at which it is not.
pub fn kill_everywhere<K: Kind>(tale: &Tale<'_, K>, every: usize) -> Result<Vec<String>, String> {
    let quiet = tale.undisturbed()?;
    let want = (tale.normal)(&quiet);
    let (mut points, mut bad) = (Vec::new(), Vec::new());
    for write in (1..=quiet.faults.writes).step_by(every.max(1)) {
        for mode in Mode::ALL {
            let mut world = tale.world(1);
            world.faults = Faults::at(&[(write, mode)]);
            let told = tale.compare(&mut world, &want);
            if told.is_err() && std::env::var_os("HEARTH_SIM_TRACE").is_some() {
                bad.push(trace(&world));
            }
            let what = world.faults.struck.first().map_or("never reached", |(_, _, what)| what.as_str()).to_owned();
            points.push(format!("{} write {write} {mode:?}: {what}", tale.name));
            if let Err(found) = told {
                bad.push(format!("{} write {write} {mode:?} ({what}): {found}", tale.name));
            }
        }
    }
    if bad.is_empty() { Ok(points) } else { Err(shorten(bad)) }
}

/// The same with several faults at random writes, in a disorderly world.
///
/// # Errors
/// The first tellings that end otherwise.
pub fn kill_often<K: Kind>(tale: &Tale<'_, K>, times: usize, seed: u64) -> Result<(), String> {
    let quiet = tale.undisturbed()?;
    let want = (tale.normal)(&quiet);
    let mut dice = Dice::new(seed);
    let mut bad = Vec::new();
    for _ in 0..times {
        let own = dice.roll();
        let faults: Vec<(usize, Mode)> = (0..dice.below(5) + 1)
            .map(|_| {
                (
                    dice.below(quiet.faults.writes * 2) + 1,
                    *Mode::ALL.get(dice.below(Mode::ALL.len())).unwrap_or(&Mode::KillAfter),
                )
            })
            .collect();
        let mut world = tale.world(own);
        world.faults = Faults::at(&faults);
        world.disorder = disorder(&mut dice);
        if let Err(found) = tale.compare(&mut world, &want) {
            bad.push(format!("{} seed {own} faults {faults:?} {:?}: {found}", tale.name, world.disorder));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(shorten(bad)) }
}

fn disorder(dice: &mut Dice) -> Disorder {
    Disorder {
        shuffled: true,
        repeats: [0, 3, 6, 9].get(dice.below(4)).copied().unwrap_or(0),
        relists: dice.below(3) * 7,
        stale_start: dice.below(3) * 4,
    }
}

/// Change of leader: at every move (or every so many-th) another process takes over while the old one has a pass under way.
///
/// # Errors
/// The points at which the end differs.
pub fn depose_everywhere<K: Kind>(tale: &Tale<'_, K>, every: usize) -> Result<usize, String> {
    let quiet = tale.undisturbed()?;
    let want = (tale.normal)(&quiet);
    let (mut points, mut bad) = (0, Vec::new());
    for moves in (0..quiet.moves).step_by(every.max(1)) {
        let mut world = tale.world(u64::try_from(moves).unwrap_or(0));
        world.run_until(world.now.after(tale.length), |w| w.moves >= moves);
        let pending = world.leader().is_some_and(|d| !d.busy().is_empty());
        if !pending {
            continue;
        }
        points += 1;
        world.disorder.shuffled = true;
        world.act(crate::act::Act::Depose);
        if let Err(found) = tale.compare(&mut world, &want) {
            if std::env::var_os("HEARTH_SIM_TRACE").is_some() {
                bad.push(trace(&world));
            }
            bad.push(format!("{} deposed after {moves} moves: {found}", tale.name));
        }
    }
    if bad.is_empty() { Ok(points) } else { Err(shorten(bad)) }
}

/// Stale read: a process that knows only an old world makes a pass in the middle of the tale; nothing comes of it.
///
/// # Errors
/// The snapshots of which something came.
pub fn stale_everywhere<K: Kind>(tale: &Tale<'_, K>, every: usize) -> Result<usize, String> {
    let quiet = tale.undisturbed()?;
    let want = (tale.normal)(&quiet);
    let (length, mut tried, mut bad) = (quiet.server.journal().len(), 0, Vec::new());
    for at in (every..=length).step_by(every) {
        for age in [1, 2, 5, 10, 30] {
            let Some(position) = at.checked_sub(age) else { continue };
            let mut world = tale.world(1);
            world.run_until(world.now.after(tale.length), |w| w.server.journal().len() >= at);
            world.stale_pass(position);
            tried += 1;
            if let Err(found) = tale.compare(&mut world, &want) {
                bad.push(format!("{} at change {at} a pass from change {position}: {found}", tale.name));
            }
        }
    }
    if bad.is_empty() { Ok(tried) } else { Err(shorten(bad)) }
}

/// What the operator sent and what the journal shows, for a person who looks for a cause.
#[must_use]
pub fn trace<K: Kind>(world: &World<K>) -> String {
    let mut lines = Vec::new();
    for request in world.server.log() {
        let intent = request.intent.as_ref().map_or_else(String::new, |i| format!(" {}#{}", i.step, i.attempt));
        let sort = if request.placeholder { " placeholder" } else { "" };
        let answer = request.answer.as_ref().err().map_or_else(String::new, |e| format!(": {e}"));
        lines.push(format!(
            "    {} {:?} {}{intent}{sort} {}{answer}",
            crate::clock::since_begin(request.at),
            request.by,
            request.what,
            request.key.1
        ));
    }
    lines.extend(world.kubelet.ledger().iter().map(|l| format!("    ledger {l:?}")));
    lines.extend(world.server.crs().values().map(|cr| format!("    {cr}")));
    lines.join("\n")
}

/// Has a breakage put in, and says what the suite finds: nothing would mean that it does not look.
///
/// # Errors
/// What is found.
pub fn broken<K: Kind>(tale: &Tale<'_, K>, breakage: crate::pass::Breakage) -> Result<Vec<String>, String> {
    let begin = |world: &mut World<K>| {
        world.set_breakage(breakage);
        (tale.begin)(world);
    };
    let want = (tale.normal)(&tale.undisturbed()?);
    let broken = Tale {
        name: tale.name,
        lens: tale.lens,
        begin: &begin,
        length: tale.length,
        normal: tale.normal,
        difference: tale.difference,
    };
    let mut world = broken.world(1);
    tale.compare(&mut world, &want)?;
    kill_everywhere(&broken, 1)
}

fn shorten(mut bad: Vec<String>) -> String {
    let all = bad.len();
    bad.truncate(8);
    format!("{all} failed:\n{}", bad.join("\n"))
}

/// Determinism: the same observations, however they arrived, give the same plan, starts and rows.
///
/// # Errors
/// What differs.
pub fn deterministic<K: Kind>(
    cr: &K::Cr,
    facts: &Facts,
    env: &Env,
    now: Time,
    dice: &mut Dice,
) -> Result<Plan<K::Status>, String> {
    let specs = K::specs(cr, facts, env, None);
    let one = K::plan(cr, &specs, facts, env, now);
    let again: K::Cr = serde_json::to_value(cr)
        .and_then(serde_json::from_value)
        .map_err(|e| format!("the object does not survive a round trip: {e}"))?;
    let shuffled = shuffle(facts, dice);
    let respecs = K::specs(&again, &shuffled, env, Some(&specs));
    let two = K::plan(&again, &respecs, &shuffled, env, now);
    if one != two {
        return Err(format!("two plans for the same observations:\n{one:?}\n{two:?}"));
    }
    if let Some(status) = one.status.clone().or_else(|| K::status(cr).cloned()) {
        let accepted = Accepted::by_server(status);
        let old = K::status(cr);
        if K::starts(cr, &specs, &accepted, &one.intents, env)
            != K::starts(&again, &respecs, &accepted, &two.intents, env)
        {
            return Err("two lists of starts for the same observations".to_owned());
        }
        if K::records(cr, &specs, old, &accepted, facts, env)
            != K::records(&again, &respecs, old, &accepted, &shuffled, env)
        {
            return Err("two batches of rows for the same observations".to_owned());
        }
    }
    Ok(one)
}

/// The same facts, put together in another order.
fn shuffle(facts: &Facts, dice: &mut Dice) -> Facts {
    fn mix<V: Clone>(
        map: &std::collections::BTreeMap<String, V>,
        dice: &mut Dice,
    ) -> std::collections::BTreeMap<String, V> {
        let mut list: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        for i in (1..list.len()).rev() {
            list.swap(i, dice.below(i + 1));
        }
        list.into_iter().collect()
    }
    Facts {
        pods: mix(&facts.pods, dice),
        posts: mix(&facts.posts, dice),
        revisions: mix(&facts.revisions, dice),
        stored: mix(&facts.stored, dice),
        recorded: mix(&facts.recorded, dice),
        peers: mix(&facts.peers, dice),
        store_up: facts.store_up,
        namespace_terminating: facts.namespace_terminating,
        logs: mix(&facts.logs, dice),
        kept_logs: facts.kept_logs.clone(),
        // Its keys are no names, and a map of them is as sorted as one of those.
        work: facts.work.clone(),
    }
}

/// The most plans until nothing changes any more.
const PASSES: usize = 4;

/// Fixpoint: with the facts as they are, a status that was written is not written again and again.
///
/// # Errors
/// It never settles.
pub fn fixpoint<K: Kind>(cr: &K::Cr, facts: &Facts, env: &Env, now: Time) -> Result<(), String> {
    let mut cr = cr.clone();
    for _ in 0..PASSES {
        let plan = K::plan(&cr, &K::specs(&cr, facts, env, None), facts, env, now);
        let Some(status) = plan.status else { return Ok(()) };
        if K::status(&cr) == Some(&status) {
            return Err(format!("a status is written that changes nothing: {status:?}"));
        }
        let mut raw = serde_json::to_value(&cr).map_err(|e| e.to_string())?;
        let new = serde_json::to_value(status).map_err(|e| e.to_string())?;
        raw.as_object_mut().map(|o| o.insert("status".to_owned(), new));
        cr = serde_json::from_value(raw).map_err(|e| format!("the status does not survive a round trip: {e}"))?;
    }
    Err(format!("the status changes {PASSES} times though nothing happens: {:?}", K::status(&cr)))
}

/// Rest: nothing is planned any more, now and later.
///
/// # Errors
/// What is planned.
pub fn at_rest<K: Kind>(world: &World<K>, key: &Key) -> Result<(), String> {
    for hours in 0..3 {
        let now = world.now.after(secs(3600 * hours));
        let Some(pass) = world.leader().and_then(|d| d.preview(key, world.env(), now)) else { return Ok(()) };
        if !pass.is_idle() {
            return Err(format!("{} is over, and {hours} h later this is planned: {:?}", key.1, pass.plan));
        }
    }
    Ok(())
}

/// A cache that shows the world as it was, for tests that plan from it.
#[must_use]
pub fn snapshot<K: Kind>(world: &World<K>, position: usize) -> Cache<K> {
    Cache::list_at(&world.server, position)
}
