//! The chart: lint, rendering, and a table of values that its schema must accept or refuse.

use super::{linter, typed};
use crate::{
    repo,
    tools::{self, TempDir},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{path::Path, process::Command};

/// Values (as YAML) that must be accepted, and a text that the rendered objects must hold.
const ACCEPTED: &[(&str, &str)] = &[
    ("{}", "--history-file=/var/lib/hearth/history.db"),
    ("{}", "storage: 8Gi"),
    ("{}", "fsGroup: 65532"),
    ("{}", "helm.sh/resource-policy: keep"),
    ("mode: single", "type: Recreate"),
    (
        "persistence: {size: 20Gi, storageClass: fast, accessModes: [ReadWriteOncePod], keep: false}",
        "storageClassName: fast",
    ),
    ("{}", "--artifacts-folder=/var/lib/hearth/artifacts"),
    ("{}", "hearth.dev/hearth-step:"),
    ("{}", "name: hearth-data"),
    ("artifacts: {s3: {bucket: b, existingSecret: keys}}", "--artifacts-s3-bucket=b"),
    ("artifacts: {s3: {bucket: b, existingSecret: keys, caConfigMap: ca}}", "AWS_SECRET_ACCESS_KEY"),
    (
        "{mode: ha, replicas: 2, database: {existingSecret: db}, artifacts: {s3: {bucket: b, endpoint: 'https://s3:9000'}}}",
        "name: recorder, port: 8444",
    ),
    ("{runtimes: {registry: example.org/h, tag: v1}}", "example.org/h/features:v1"),
    ("{image: {repository: example.org/x/hearth, tag: v2}}", "example.org/x/dataset:v2"),
    (
        "runtimes: {digests: {features: 'sha256:0123456789012345678901234567890123456789012345678901234567890123'}}",
        "hearth.dev/features@sha256:0123",
    ),
    ("runtimes: {catalog: {mine: {image: example.org/mine}}}", "example.org/mine"),
    ("persistence: {existingClaim: mine}", "persistentVolumeClaim: {claimName: mine}"),
    ("database: {existingSecret: db}", "HEARTH_DATABASE_URL"),
    ("{mode: ha, replicas: 2, database: {existingSecret: db}}", "kind: PodDisruptionBudget"),
    ("{mode: ha, replicas: 3, database: {existingSecret: db}}", "replicas: 3"),
    ("{mode: ha, replicas: 2, database: {existingSecret: db}}", "type: RollingUpdate"),
    ("{mode: ha, replicas: 2, database: {existingSecret: db}}", "topologyKey: kubernetes.io/hostname"),
    (
        "{mode: ha, replicas: 2, database: {existingSecret: db}, affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}}",
        "topologyKey: kubernetes.io/hostname",
    ),
    ("database: {existingSecret: db, key: dsn}", "key: dsn"),
    ("database: {existingSecret: db, migrationSecret: owner, migrationKey: dsn}", "HEARTH_MIGRATION_URL"),
    ("{database: {existingSecret: db}, mode: single}", "replicas: 1"),
    ("{database: {existingSecret: db}, image: {tag: v9}}", "hearth.dev/hearth:v9"),
    (
        "{database: {existingSecret: db}, image: {tag: v9, digest: 'sha256:0123456789012345678901234567890123456789012345678901234567890123'}}",
        "hearth.dev/hearth@sha256:0123",
    ),
    (
        "{database: {existingSecret: db}, history: {onDelete: {policy: Release, after: 1h}}}",
        "--history-release-after=1h",
    ),
    (
        "exports: {openLineage: {url: 'http://m:5000/api/v1/lineage'}}",
        "- --openlineage-url=http://m:5000/api/v1/lineage\n            - --openlineage-namespace=hearth\n",
    ),
    ("exports: {openLineage: {url: 'https://m/l', existingSecret: m}}", "secretKeyRef: {name: m, key: token}"),
    ("exports: {openTelemetry: {url: 'https://c/v1/traces', existingSecret: c}}", "key: headers"),
    (
        "exports: {openTelemetry: {url: 'https://c/v1/traces'}, caConfigMap: ca}",
        "--export-ca-file=/etc/hearth-export/ca.crt",
    ),
    ("history: {retention: 365d}", "--history-retention=365d"),
    ("{database: {existingSecret: db}, pods: {runAs: null}}", "--run-as=unset"),
    ("{database: {existingSecret: db}, pods: {runAs: 1000}}", "--run-as=1000"),
    ("{database: {existingSecret: db}, api: {clusterTokens: false}}", "--cluster-tokens=false"),
    (
        "{database: {existingSecret: db}, logFormat: text, logLevel: 'hearth_driver=debug,info'}",
        "hearth_driver=debug,info",
    ),
    (
        "{database: {existingSecret: db}, priorityClassName: system-cluster-critical}",
        "priorityClassName: system-cluster-critical",
    ),
    (
        "{database: {existingSecret: db}, nodeSelector: {disk: ssd}, podLabels: {team: a}, podAnnotations: {x.y/z: '1'}}",
        "disk: ssd",
    ),
    (
        "{database: {existingSecret: db}, tolerations: [{key: a, operator: Exists, effect: NoSchedule}], affinity: {nodeAffinity: {}}}",
        "operator: Exists",
    ),
    (
        "{database: {existingSecret: db}, extraEnv: [{name: A, value: b}], extraVolumes: [{name: ca, secret: {secretName: ca}}], extraVolumeMounts: [{name: ca, mountPath: /ca}]}",
        "mountPath: /ca",
    ),
    ("{database: {existingSecret: db}, imagePullSecrets: [{name: pull}]}", "name: pull"),
    ("{database: {existingSecret: db}, podLabels: {app.kubernetes.io/name: other}}", "app.kubernetes.io/name: hearth"),
    ("{database: {existingSecret: db}, crds: {keep: false}}", "kind: CustomResourceDefinition"),
    ("{}", ".check('approve').allowed()"),
    ("{}", "rbac.authorization.k8s.io/aggregate-to-admin: \"true\""),
    ("{}", "request.userInfo.username != 'system:serviceaccount:hearth-system:hearth'"),
    ("policies: {enabled: false}", "kind: Deployment"),
    ("watchNamespaces: [lab-a, lab-b]", "--watch-namespaces=lab-a,lab-b"),
    ("watchNamespaces: [lab-a]", "    resourceNames: [\"hearth-ca\"]\n    verbs: [get, patch]"),
    ("watchNamespaces: [lab-a]", "  name: hearth-watched\n  namespace: lab-a\n"),
    ("watchNamespaces: [lab-a]", "  resources: [\"workflows\"]\n  verbs: [get, list, patch, watch]\n"),
    ("metrics: {serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}}", "interval: 15s"),
    ("metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}", "release: prometheus"),
    ("metrics: {serviceMonitor: {enabled: true}}", "    - port: metrics\n"),
    ("{}", "    - {name: metrics, port: 8080, targetPort: metrics}"),
    (
        "metrics: {rules: {enabled: true}}",
        "summary: The Hearth operator keeps losing its watch of {{ $labels.resource }}.",
    ),
    (
        "metrics: {rules: {enabled: true, runbooks: 'https://wiki.example/hearth'}}",
        "runbook_url: https://wiki.example/hearth#hearthdown\n",
    ),
    ("metrics: {dashboard: {enabled: true}}", "grafana_dashboard: \"1\""),
    ("metrics: {dashboard: {enabled: true}}", "\"legendFormat\": \"{{outcome}}\""),
];

/// Values that must be refused, and what the refusal must speak of.
const REFUSED: &[(&str, &str)] = &[
    ("mode: ha", "existingSecret"),
    ("{mode: ha, replicas: 2}", "existingSecret"),
    ("{mode: ha, database: {existingSecret: db}}", "replicas"),
    ("{mode: single, replicas: 2, database: {existingSecret: db}}", "replicas"),
    ("replicas: 2", "replicas"),
    ("mode: double", "mode"),
    ("database: {migrationSecret: owner}", "existingSecret"),
    ("history: {retention: 1y}", "retention"),
    ("history: {retention: 0d}", "retention"),
    ("persistence: {size: large}", "size"),
    ("persistence: {accessModes: [ReadWriteMany]}", "accessModes"),
    ("persistence: {storage: 8Gi}", "storage"),
    ("artifacts: {store: S3}", "store"),
    ("artifacts: {s3: {endpoint: 's3:9000'}}", "endpoint"),
    ("exports: {openLineage: {url: 'm:5000'}}", "url"),
    ("exports: {openTelemetry: {url: 'grpc://c:4317'}}", "url"),
    ("exports: {openLineage: {url: 'http://m', namespace: ''}}", "namespace"),
    ("exports: {openLineage: {token: secret}}", "token"),
    ("runtimes: {digests: {features: latest}}", "features"),
    ("runtimes: {catalog: {Mine: {image: i}}}", "Mine"),
    ("runtimes: {catalog: {mine: {imgae: i}}}", "imgae"),
    ("{database: {existingSecret: db}, replicas: 3}", "replicas"),
    ("{database: {existingSecret: db, url: 'postgres://x'}}", "url"),
    ("{database: {existingSecret: db}, image: {name: x}}", "name"),
    ("{database: {existingSecret: db}, image: {digest: latest}}", "digest"),
    ("{database: {existingSecret: db}, image: {pullPolicy: Sometimes}}", "pullPolicy"),
    ("{database: {existingSecret: db}, history: {onDelete: {policy: Forget}}}", "policy"),
    ("{database: {existingSecret: db}, history: {onDelete: {policy: Release}}}", "after"),
    ("{database: {existingSecret: db}, history: {onDelete: {policy: Hold, after: 1h}}}", "after"),
    ("{database: {existingSecret: db}, history: {onDelete: {policy: Release, after: soon}}}", "after"),
    ("{database: {existingSecret: db}, api: {clusterTokens: 'yes'}}", "clusterTokens"),
    ("{database: {existingSecret: db}, pods: {runAs: 0}}", "runAs"),
    ("{database: {existingSecret: db}, logFormat: xml}", "logFormat"),
    ("{database: {existingSecret: db}, resources: {limit: {}}}", "limit"),
    ("{database: {existingSecret: db}, tolerations: [{kye: a}]}", "kye"),
    ("{database: {existingSecret: db}, podLabels: {a: 1}}", "podLabels"),
    ("{database: {existingSecret: db}, crds: {install: maybe}}", "install"),
    ("{database: {existingSecret: db}, extraEnv: [{value: b}]}", "name"),
    ("{database: {existingSecret: db}, ingress: {}}", "ingress"),
    ("metrics: {enabled: true}", "enabled"),
    ("policies: {enabled: 'no'}", "enabled"),
    ("watchNamespaces: ['*']", "watchNamespaces"),
    ("watchNamespaces: [a, a]", "watchNamespaces"),
    ("metrics: {serviceMonitor: {enabled: 'yes'}}", "enabled"),
    ("metrics: {serviceMonitor: {interval: often}}", "interval"),
    ("metrics: {rules: {runbooks: ''}}", "runbooks"),
    ("metrics: {dashboard: {folder: x}}", "folder"),
];

/// Runs all checks of the chart.
pub fn check() -> Result<()> {
    let folder = TempDir::new("hearth-values")?;
    let files = value_files(folder.path())?;
    for (values, expected) in ACCEPTED {
        let (accepted, said) = render(folder.path(), values)?;
        ensure!(accepted, "the chart refuses {values}:\n{said}");
        ensure!(said.contains(expected), "with {values} the chart does not render {expected:?}");
        restricted(&said).with_context(|| format!("with {values}"))?;
        typed::check(&said).with_context(|| format!("with {values}"))?;
    }
    for (values, expected) in REFUSED {
        let (accepted, said) = render(folder.path(), values)?;
        ensure!(!accepted, "the chart accepts {values}");
        ensure!(said.contains(expected), "the refusal of {values} does not speak of {expected}:\n{said}");
    }
    modes(folder.path())?;
    closed()?;
    println!("{} sets of values accepted, {} refused, {files} files of values linted", ACCEPTED.len(), REFUSED.len());
    Ok(())
}

/// Lints and renders the chart with each of `charts/hearth/ci/*-values.yaml`, and gives their number.
fn value_files(folder: &Path) -> Result<usize> {
    let files = ["single", "ha", "everything"];
    for file in files {
        let path = format!("charts/hearth/ci/{file}-values.yaml");
        let mut lint = Command::new(tools::helm()?);
        tools::run(lint.current_dir(repo::root()).args(["lint", "--strict", "charts/hearth", "--values", &path]))?;
        let (accepted, said) = render(folder, &std::fs::read_to_string(repo::root().join(&path))?)?;
        ensure!(accepted, "the chart refuses {path}:\n{said}");
        restricted(&said).and_then(|()| typed::check(&said)).with_context(|| format!("with {path}"))?;
        let rendered = folder.join(format!("{file}.yaml"));
        std::fs::write(&rendered, &said)?;
        linter::check(&rendered, file == "single").with_context(|| format!("with {path}"))?;
    }
    let there = std::fs::read_dir(repo::root().join("charts/hearth/ci"))?.count();
    ensure!(there == files.len(), "charts/hearth/ci holds {there} files, of which {} are linted", files.len());
    Ok(files.len())
}

/// What a mode must not have: objects and flags of the other one.
fn modes(folder: &Path) -> Result<()> {
    let absent: [(&str, &[&str]); 6] = [
        ("policies: {enabled: false}", &["ValidatingAdmissionPolicy"]),
        (
            "{}",
            &[
                "monitoring.coreos.com",
                "grafana_dashboard",
                "kind: PodDisruptionBudget",
                "topologyKey: kubernetes.io/hostname",
                "HEARTH_DATABASE_URL",
                "type: RollingUpdate",
            ],
        ),
        ("database: {existingSecret: db}", &["--history-file"]),
        (
            "{database: {existingSecret: db}, artifacts: {enabled: false}}",
            &["kind: PersistentVolumeClaim", "fsGroup: 65532", "--artifacts", "8444"],
        ),
        ("artifacts: {s3: {bucket: b}}", &["--artifacts-folder"]),
        (
            "{mode: ha, replicas: 2, database: {existingSecret: db}}",
            &["kind: PersistentVolumeClaim", "--history-file", "type: Recreate", "8444"],
        ),
    ];
    for (values, texts) in absent {
        let (_, said) = render(folder, values)?;
        for text in texts {
            ensure!(!said.contains(text), "with {values} the chart renders {text}");
        }
    }
    Ok(())
}

fn render(folder: &Path, values: &str) -> Result<(bool, String)> {
    let file = folder.join("values.yaml");
    std::fs::write(&file, values)?;
    let output = Command::new(tools::helm()?)
        .current_dir(repo::root())
        .args(["template", "hearth", "charts/hearth", "--namespace", "hearth-system", "--values"])
        .arg(&file)
        .output()?;
    let text = if output.status.success() { output.stdout } else { output.stderr };
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// Each container of ours meets Pod Security `restricted`.
fn restricted(rendered: &str) -> Result<()> {
    let mut containers = 0;
    for document in rendered.split("\n---") {
        let object: Value = serde_yaml::from_str(document).context("a rendered object")?;
        let Some(pod) = object.pointer("/spec/template/spec") else { continue };
        ensure!(pod.pointer("/securityContext/runAsNonRoot") == Some(&Value::Bool(true)), "a pod may run as root");
        ensure!(
            pod.pointer("/securityContext/seccompProfile/type").and_then(Value::as_str) == Some("RuntimeDefault"),
            "a pod without seccomp profile"
        );
        for container in pod.pointer("/containers").and_then(Value::as_array).into_iter().flatten() {
            containers += 1;
            let security = container.get("securityContext").context("a container without securityContext")?;
            ensure!(
                security.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)),
                "a container may gain privileges"
            );
            ensure!(
                security.get("readOnlyRootFilesystem") == Some(&Value::Bool(true)),
                "a container may write its root"
            );
            ensure!(
                security.pointer("/capabilities/drop/0").and_then(Value::as_str) == Some("ALL"),
                "a container keeps capabilities"
            );
        }
    }
    ensure!(containers == 2, "{containers} containers are rendered, not the operator's and the hook's");
    Ok(())
}

/// Every object of the values schema with known keys is closed.
fn closed() -> Result<()> {
    let text = std::fs::read_to_string(repo::root().join("charts/hearth/values.schema.json"))?;
    let schema: Value = serde_json::from_str(&text).context("values.schema.json")?;
    let mut open = Vec::new();
    find_open(&schema, "", &mut open);
    ensure!(open.is_empty(), "values.schema.json lets unknown keys pass at {}", open.join(", "));
    Ok(())
}

fn find_open(schema: &Value, path: &str, open: &mut Vec<String>) {
    let Value::Object(map) = schema else { return };
    let closed = map.get("additionalProperties").is_some();
    // Conditional parts narrow an object that is closed where it is declared.
    if map.get("type").and_then(Value::as_str) == Some("object") && map.contains_key("properties") && !closed {
        open.push(if path.is_empty() { "the top".into() } else { path.to_owned() });
    }
    for (key, child) in map {
        find_open(child, &format!("{path}/{key}"), open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Value {
        serde_yaml::from_str(&std::fs::read_to_string(repo::root().join("charts/hearth").join(path)).unwrap()).unwrap()
    }

    /// Paths of all values; what is empty by default holds keys of the user's own.
    fn leaves(values: &Value, path: &str, out: &mut Vec<String>) {
        match values.as_object().filter(|map| !map.is_empty()) {
            Some(map) => map.iter().for_each(|(key, child)| leaves(child, &format!("{path}/{key}"), out)),
            None => out.push(path.to_owned()),
        }
    }

    #[test]
    fn everything_means_every_value() {
        let (defaults, everything) = (read("values.yaml"), read("ci/everything-values.yaml"));
        let mut all = Vec::new();
        leaves(&defaults, "", &mut all);
        assert!(all.len() > 40, "{all:?}");
        for leaf in all {
            assert!(everything.pointer(&leaf).is_some(), "ci/everything-values.yaml does not set {leaf}");
        }
    }
}
