//! `lab up`: from nothing, or from whatever is there, to a Ready node.

use super::components::{self, Component};
use super::place::Lab;
use super::{binaries, cgroups, config, network, packages, postgres, process, tell, volumes};
use crate::images;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What `lab up` may be asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// etcd doesn't wait for the disk: quicker, and not for tests of durability.
    pub no_fsync: bool,
}

/// Brings the lab up; what runs already is left as it is.
pub fn up(lab: &Lab, wishes: Wishes) -> Result<()> {
    let begun = Instant::now();
    packages::check_root()?;
    std::fs::create_dir_all(&lab.state)?;
    std::fs::create_dir_all(&lab.run)?;
    let _one_at_a_time = lock(lab)?;
    packages::install()?;
    let programs = programs(lab)?;
    // Written last: a tool that was killed in the middle leaves processes, and no such file.
    let complete = lab.state.join("complete");
    if complete.exists() && Component::ALL.iter().filter(|part| **part != Component::Kwok).all(|part| runs(lab, *part))
    {
        Component::Kubelet.wait(lab)?;
        volumes::reset(lab)?;
        eprintln!("lab: {} is up already", lab.name);
        return Ok(());
    }
    components::set_no_fsync(lab, wishes.no_fsync)?;
    tell::step("certificates and configuration", || config::write(lab, &programs))?;
    tell::step("network namespace and cgroups", || {
        network::make(lab)?;
        cgroups::make(lab)
    })?;
    for part in [Component::Etcd, Component::Containerd, Component::Postgres, Component::S3, Component::Apiserver] {
        tell::step(&format!("start {}", part.name()), || part.start(lab, &programs))?;
    }
    tell::step("containerd answers", || Component::Containerd.wait(lab))?;
    tell::step("pause image", || images::pause(lab))?;
    tell::step("API server is ready", || Component::Apiserver.wait(lab))?;
    let rest = [
        Component::ControllerManager,
        Component::Scheduler,
        Component::Kubelet,
        Component::KubeProxy,
        Component::Coredns,
    ];
    for part in rest {
        part.start(lab, &programs)?;
    }
    tell::step("Postgres answers, database hearth", || {
        Component::Postgres.wait(lab)?;
        postgres::make_database(lab)
    })?;
    tell::step("S3 answers", || Component::S3.wait(lab))?;
    tell::step("cluster objects and volumes", || {
        let objects = lab.state.join("config/cluster.yaml");
        tell::quiet(lab.kubectl(&["apply", "-f"]).arg(objects))?;
        volumes::reset(lab)
    })?;
    tell::step("node is Ready", || Component::Kubelet.wait(lab))?;
    tell::step("default service account", || wait_service_account(lab))?;
    for part in rest {
        process::check(lab, part.name())?;
    }
    std::fs::write(&complete, "")?;
    eprintln!("lab: {} is up, {:.1}s in all", lab.name, begun.elapsed().as_secs_f64());
    Ok(())
}

/// Holds other calls off until it is dropped: two must not bring one lab up at once.
pub fn lock(lab: &Lab) -> Result<std::fs::File> {
    let file = std::fs::File::create(lab.run.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// The folder of the programs that this lab runs: those it was made with, else those of the checkout.
pub fn programs(lab: &Lab) -> Result<PathBuf> {
    let record = lab.state.join("programs");
    let recorded = std::fs::read_to_string(&record).unwrap_or_default();
    if Component::ALL.iter().any(|part| runs(lab, *part)) && Path::new(&recorded).join("kubectl").exists() {
        return Ok(PathBuf::from(recorded));
    }
    let folder = binaries::build()?;
    std::fs::write(&record, folder.display().to_string())?;
    Ok(folder)
}

fn runs(lab: &Lab, part: Component) -> bool {
    process::pid(lab, part.name()).is_some()
}

/// A pod made before its namespace has a service account is refused.
fn wait_service_account(lab: &Lab) -> Result<()> {
    tell::wait("default service account", Duration::from_secs(30), || {
        let asked = lab.kubectl(&["get", "serviceaccount", "default", "-n", "default"]).output()?;
        Ok(asked.status.success().then_some(()))
    })
}
