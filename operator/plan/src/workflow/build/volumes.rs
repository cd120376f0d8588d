//! Volumes and where they are mounted.

use crate::{offer::ArtifactService, workflow::artifacts::ArtifactRules};
use hearth_contract::{
    AUDIENCE,
    spec::{IN, OUT},
};
use hearth_crds::{
    CA_CONFIG_MAP, STORE_CA_KEY, annotation,
    pod::{Medium, PodSubset, Volume},
};
use k8s_openapi::{
    api::core::v1::{
        ConfigMapProjection, ConfigMapVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource,
        EmptyDirVolumeSource, EphemeralVolumeSource, KeyToPath, ObjectFieldSelector, PersistentVolumeClaimSpec,
        PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, SecretProjection,
        SecretVolumeSource, ServiceAccountTokenProjection, Volume as Built, VolumeMount, VolumeProjection,
        VolumeResourceRequirements,
    },
    apimachinery::pkg::api::resource::Quantity,
};

const WORK_LIMIT: &str = "10Gi";
const TMP_LIMIT: &str = "1Gi";
/// An artifact has 5 GiB at most, and a step may have several.
const ARTIFACT_LIMIT: &str = "20Gi";
const BIN_LIMIT: &str = "64Mi";
/// The folder of the token and the certificate authority.
const RECORDER: &str = "/hearth/recorder";
/// The shortest life of a token that Kubernetes allows; the kubelet replaces it in time.
const TOKEN_SECONDS: i64 = 600;

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), ..VolumeMount::default() }
}

/// Where the wrapper lies.
pub(super) const BIN: &str = "/hearth/bin";

fn read_only(mount: VolumeMount) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount }
}

fn spec_file() -> VolumeMount {
    read_only(VolumeMount { sub_path: Some("spec.json".into()), ..mount("hearth", "/hearth/spec.json") })
}

/// What the init container sees.
pub(super) fn fetching(artifacts: &ArtifactRules) -> Vec<VolumeMount> {
    let mut all = vec![spec_file(), read_only(mount("hearth-recorder", RECORDER)), mount("tmp", "/tmp")];
    if !artifacts.inputs.is_empty() {
        all.push(mount("hearth-in", IN));
    }
    if !artifacts.outputs.is_empty() {
        all.push(mount("hearth-bin", BIN));
    }
    all
}

pub(super) fn mounts(pod: &PodSubset, artifacts: &ArtifactRules) -> Vec<VolumeMount> {
    let mut all = vec![spec_file(), mount("work", "/hearth/work"), mount("tmp", "/tmp")];
    if pod.shm.is_some() {
        all.push(mount("shm", "/dev/shm"));
    }
    if !artifacts.inputs.is_empty() {
        all.push(read_only(mount("hearth-in", IN)));
    }
    if !artifacts.outputs.is_empty() {
        all.push(mount("hearth-out", OUT));
        all.push(read_only(mount("hearth-bin", BIN)));
        all.push(read_only(mount("hearth-recorder", RECORDER)));
    }
    all.extend(pod.volume_mounts.iter().map(|m| VolumeMount {
        sub_path: m.sub_path.clone(),
        read_only: m.read_only,
        ..mount(&m.name, &m.mount_path)
    }));
    all
}

pub(super) fn volumes(pod: &PodSubset, artifacts: &ArtifactRules, service: Option<&ArtifactService>) -> Vec<Built> {
    let spec_file = DownwardAPIVolumeFile {
        path: "spec.json".into(),
        field_ref: Some(ObjectFieldSelector {
            api_version: None,
            field_path: format!("metadata.annotations['{}']", annotation::SPEC),
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let scratch = |limit: &str, medium: Option<&str>| EmptyDirVolumeSource {
        medium: medium.map(Into::into),
        size_limit: Some(Quantity(limit.to_owned())),
    };
    let mut all = vec![Built {
        name: "hearth".into(),
        downward_api: Some(DownwardAPIVolumeSource { items: Some(vec![spec_file]), default_mode: None }),
        ..Built::default()
    }];
    all.push(Built { name: "work".into(), empty_dir: Some(scratch(WORK_LIMIT, None)), ..Built::default() });
    all.push(Built { name: "tmp".into(), empty_dir: Some(scratch(TMP_LIMIT, None)), ..Built::default() });
    if let Some(size) = &pod.shm {
        all.push(Built { name: "shm".into(), empty_dir: Some(scratch(&size.0, Some("Memory"))), ..Built::default() });
    }
    let folder = |name: &str, limit: &str| Built {
        name: name.into(),
        empty_dir: Some(scratch(limit, None)),
        ..Built::default()
    };
    if !artifacts.inputs.is_empty() {
        all.push(folder("hearth-in", ARTIFACT_LIMIT));
    }
    if !artifacts.outputs.is_empty() {
        all.push(folder("hearth-out", ARTIFACT_LIMIT));
        all.push(folder("hearth-bin", BIN_LIMIT));
    }
    all.extend(service.map(recorder));
    all.extend(pod.volumes.iter().map(volume));
    all
}

/// The pod's token for the Recorder, and the certificate authorities that it trusts: the operator keeps these in the
/// namespace. The kubelet waits with the pod until all are there.
fn recorder(service: &ArtifactService) -> Built {
    let token = ServiceAccountTokenProjection {
        audience: Some(AUDIENCE.into()),
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".into(),
    };
    let keys = std::iter::once("ca.crt").chain(service.store_ca.as_ref().map(|_| STORE_CA_KEY));
    let ca = ConfigMapProjection {
        name: CA_CONFIG_MAP.into(),
        items: Some(keys.map(|key| KeyToPath { key: key.into(), path: key.into(), mode: None }).collect()),
        optional: None,
    };
    Built {
        name: "hearth-recorder".into(),
        projected: Some(ProjectedVolumeSource {
            default_mode: None,
            sources: Some(vec![
                VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() },
                VolumeProjection { config_map: Some(ca), ..VolumeProjection::default() },
            ]),
        }),
        ..Built::default()
    }
}

fn volume(from: &Volume) -> Built {
    Built {
        name: from.name.clone(),
        empty_dir: from.empty_dir.as_ref().map(|e| EmptyDirVolumeSource {
            medium: e.medium.and_then(|m| match m {
                Medium::Disk => None,
                Medium::Memory => Some("Memory".into()),
            }),
            size_limit: e.size_limit.as_ref().map(|q| Quantity(q.0.clone())),
        }),
        persistent_volume_claim: from
            .pvc
            .as_ref()
            .map(|p| PersistentVolumeClaimVolumeSource { claim_name: p.claim.clone(), read_only: p.read_only }),
        config_map: from.config_map.as_ref().map(|c| ConfigMapVolumeSource {
            name: c.name.clone(),
            optional: c.optional,
            ..ConfigMapVolumeSource::default()
        }),
        secret: from.secret.as_ref().map(|s| SecretVolumeSource {
            secret_name: Some(s.name.clone()),
            optional: s.optional,
            ..SecretVolumeSource::default()
        }),
        projected: from.projected.as_ref().map(|p| ProjectedVolumeSource {
            default_mode: None,
            sources: Some(
                p.sources
                    .iter()
                    .map(|s| VolumeProjection {
                        config_map: s.config_map.as_ref().map(|c| ConfigMapProjection {
                            name: c.name.clone(),
                            optional: c.optional,
                            items: None,
                        }),
                        secret: s.secret.as_ref().map(|c| SecretProjection {
                            name: c.name.clone(),
                            optional: c.optional,
                            items: None,
                        }),
                        ..VolumeProjection::default()
                    })
                    .collect(),
            ),
        }),
        ephemeral: from.ephemeral.as_ref().map(|e| EphemeralVolumeSource {
            volume_claim_template: Some(PersistentVolumeClaimTemplate {
                metadata: None,
                spec: PersistentVolumeClaimSpec {
                    access_modes: Some(vec!["ReadWriteOnce".into()]),
                    storage_class_name: e.storage_class.clone(),
                    resources: Some(VolumeResourceRequirements {
                        requests: Some([("storage".to_owned(), Quantity(e.size.0.clone()))].into()),
                        limits: None,
                    }),
                    ..PersistentVolumeClaimSpec::default()
                },
            }),
        }),
        ..Built::default()
    }
}
