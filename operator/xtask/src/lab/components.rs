//! What the lab consists of, how each part is started, and how one sees that it serves.

use super::place::{ADDRESS, Lab};
use super::{pki, postgres, process, s3, tell};
use anyhow::Result;
use clap::ValueEnum;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A part of the lab that is a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// The API server's store.
    Etcd,
    /// Container runtime.
    Containerd,
    /// The history's store.
    Postgres,
    /// The store of artifacts.
    S3,
    /// kube-apiserver.
    Apiserver,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// kubelet of the one real node.
    Kubelet,
    /// kube-proxy.
    KubeProxy,
    /// The cluster's name server.
    Coredns,
    /// Fake nodes; started on demand.
    Kwok,
}

impl Component {
    /// In the order in which they start; they end in the reverse.
    pub const ALL: [Self; 11] = [
        Self::Etcd,
        Self::Containerd,
        Self::Postgres,
        Self::S3,
        Self::Apiserver,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::Coredns,
        Self::Kwok,
    ];

    /// Name of its log and its pid file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::Postgres => "postgres",
            Self::S3 => "s3",
            Self::Apiserver => "apiserver",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Coredns => "coredns",
            Self::Kwok => "kwok",
        }
    }

    /// Starts it if it doesn't run.
    pub fn start(self, lab: &Lab, programs: &Path) -> Result<()> {
        if process::pid(lab, self.name()).is_some() {
            return Ok(());
        }
        process::start(lab, self.name(), &self.command(lab, programs)?)
    }

    /// Asks it to end, and kills it when it doesn't.
    pub fn stop(self, lab: &Lab) -> Result<()> {
        let (ask, seconds) = match self {
            // Its fast shutdown; SIGTERM would wait for all clients.
            Self::Postgres => ("INT", 30),
            // It waits for clients with open connections, up to a minute.
            Self::Apiserver => ("TERM", 5),
            Self::Etcd
            | Self::Containerd
            | Self::S3
            | Self::ControllerManager
            | Self::Scheduler
            | Self::Kubelet
            | Self::KubeProxy
            | Self::Coredns
            | Self::Kwok => ("TERM", 30),
        };
        process::stop(lab, self.name(), ask, Duration::from_secs(seconds))
    }

    /// Waits until it serves.
    pub fn wait(self, lab: &Lab) -> Result<()> {
        let answers = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        tell::wait(self.name(), Duration::from_secs(60), || {
            process::check(lab, self.name())?;
            let ready = match self {
                Self::Apiserver => answers(&mut lab.kubectl(&["get", "--raw", "/readyz"])),
                Self::Containerd => answers(&mut lab.ctr(&["version"])),
                Self::Postgres => postgres::answers(lab),
                Self::S3 => answers(&mut s3::greeting(lab)),
                Self::Kubelet => answers(&mut lab.kubectl(&[
                    "wait",
                    "--for=condition=Ready",
                    "--timeout=1s",
                    &format!("node/{}", lab.node()),
                ])),
                Self::Etcd
                | Self::ControllerManager
                | Self::Scheduler
                | Self::KubeProxy
                | Self::Coredns
                | Self::Kwok => true,
            };
            Ok(ready.then_some(()))
        })
    }

    fn command(self, lab: &Lab, programs: &Path) -> Result<Command> {
        let state = lab.state.display();
        let config = |name: &str| format!("--config={state}/config/{name}");
        let kubeconfig = format!("--kubeconfig={state}/kubeconfig");
        let mut command = match self {
            Self::Containerd => lab.inside("containerd"),
            Self::Postgres => return postgres::command(lab),
            Self::S3 => return s3::command(lab),
            Self::Etcd => lab.inside(programs.join("etcd")),
            Self::Apiserver => lab.inside(programs.join("kube-apiserver")),
            Self::ControllerManager => lab.inside(programs.join("kube-controller-manager")),
            Self::Scheduler => lab.inside(programs.join("kube-scheduler")),
            Self::Kubelet => lab.inside(programs.join("kubelet")),
            Self::KubeProxy => lab.inside(programs.join("kube-proxy")),
            Self::Coredns => lab.inside(programs.join("coredns")),
            Self::Kwok => lab.inside(programs.join("kwok")),
        };
        match self {
            Self::Postgres | Self::S3 => {}
            Self::Containerd => {
                command.arg(config("containerd.toml"));
            }
            Self::Etcd => {
                command.args([
                    &format!("--data-dir={state}/etcd"),
                    "--listen-client-urls=http://127.0.0.1:2379",
                    "--advertise-client-urls=http://127.0.0.1:2379",
                    "--listen-peer-urls=http://127.0.0.1:2380",
                    "--log-level=warn",
                ]);
                if no_fsync_file(lab).exists() {
                    command.arg("--unsafe-no-fsync");
                }
            }
            Self::Apiserver => {
                command.args(apiserver_flags(lab));
            }
            Self::ControllerManager => {
                let pki = pki::folder(lab);
                let pki = pki.display();
                command.args([
                    format!("{kubeconfig}/kube-controller-manager"),
                    format!("--authentication-kubeconfig={state}/kubeconfig/kube-controller-manager"),
                    format!("--authorization-kubeconfig={state}/kubeconfig/kube-controller-manager"),
                    format!("--service-account-private-key-file={pki}/service-accounts.key"),
                    format!("--root-ca-file={pki}/ca.crt"),
                    format!("--cluster-signing-cert-file={pki}/ca.crt"),
                    format!("--cluster-signing-key-file={pki}/ca.key"),
                    "--use-service-account-credentials=true".into(),
                    "--leader-elect=false".into(),
                    "--bind-address=127.0.0.1".into(),
                    "--kube-api-qps=200".into(),
                    "--kube-api-burst=400".into(),
                ]);
            }
            Self::Scheduler => {
                command.args([
                    config("kube-scheduler.yaml"),
                    format!("--authentication-kubeconfig={state}/kubeconfig/kube-scheduler"),
                    format!("--authorization-kubeconfig={state}/kubeconfig/kube-scheduler"),
                    "--bind-address=127.0.0.1".into(),
                ]);
            }
            Self::Kubelet => {
                command.args([
                    config("kubelet.yaml"),
                    format!("{kubeconfig}/kubelet"),
                    format!("--root-dir={state}/kubelet"),
                    format!("--cert-dir={state}/pki"),
                    format!("--hostname-override={}", lab.node()),
                    format!("--node-ip={ADDRESS}"),
                    "--node-labels=hearth.dev/lab=real".into(),
                ]);
            }
            Self::KubeProxy => {
                command.arg(config("kube-proxy.yaml"));
            }
            Self::Coredns => {
                command.args(["-conf", &format!("{state}/config/Corefile")]);
            }
            Self::Kwok => {
                command.args([
                    format!("--config={}", crate::repo::root().join("e2e/lab/kwok/stages.yaml").display()),
                    format!("{kubeconfig}/kwok"),
                    "--manage-all-nodes=false".into(),
                    "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".into(),
                    "--node-lease-duration-seconds=200".into(),
                    "--cidr=10.89.0.0/16".into(),
                    format!("--node-ip={ADDRESS}"),
                    "--node-port=10247".into(),
                    "--server-address=0.0.0.0:10247".into(),
                    format!("--tls-cert-file={state}/pki/node.crt"),
                    format!("--tls-private-key-file={state}/pki/node.key"),
                ]);
            }
        }
        Ok(command)
    }
}

/// Its presence says that this lab's etcd doesn't wait for the disk.
fn no_fsync_file(lab: &Lab) -> std::path::PathBuf {
    lab.state.join("no-fsync")
}

/// Remembers whether etcd waits for the disk, for this start and all later ones.
pub fn set_no_fsync(lab: &Lab, no_fsync: bool) -> Result<()> {
    if no_fsync {
        fs::write(no_fsync_file(lab), "")?;
    }
    Ok(())
}

fn apiserver_flags(lab: &Lab) -> Vec<String> {
    let pki = pki::folder(lab);
    let pki = pki.display();
    let state = lab.state.display();
    vec![
        format!("--advertise-address={ADDRESS}"),
        "--secure-port=6443".into(),
        "--etcd-servers=http://127.0.0.1:2379".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged=true".into(),
        "--enable-aggregator-routing=true".into(),
        "--profiling=false".into(),
        format!("--client-ca-file={pki}/ca.crt"),
        format!("--tls-cert-file={pki}/apiserver.crt"),
        format!("--tls-private-key-file={pki}/apiserver.key"),
        // Fills kube-system/extension-apiserver-authentication, which extensions read.
        format!("--requestheader-client-ca-file={pki}/front-proxy-ca.crt"),
        "--requestheader-allowed-names=front-proxy-client".into(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        "--requestheader-group-headers=X-Remote-Group".into(),
        "--requestheader-username-headers=X-Remote-User".into(),
        format!("--proxy-client-cert-file={pki}/front-proxy.crt"),
        format!("--proxy-client-key-file={pki}/front-proxy.key"),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        format!("--service-account-key-file={pki}/service-accounts.pub"),
        format!("--service-account-signing-key-file={pki}/service-accounts.key"),
        format!("--kubelet-certificate-authority={pki}/ca.crt"),
        format!("--kubelet-client-certificate={pki}/client-apiserver-kubelet.crt"),
        format!("--kubelet-client-key={pki}/client-apiserver-kubelet.key"),
        "--kubelet-preferred-address-types=InternalIP".into(),
        format!("--audit-policy-file={state}/config/audit-policy.yaml"),
        format!("--audit-log-path={}", lab.audit_log().display()),
        "--audit-log-maxsize=2000".into(),
        "--audit-log-maxbackup=3".into(),
    ]
}
