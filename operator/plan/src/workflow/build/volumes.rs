//! Volumes and where they are mounted.

use hearth_crds::{
    annotation,
    pod::{Medium, PodSubset, Volume},
};
use k8s_openapi::{
    api::core::v1::{
        ConfigMapProjection, ConfigMapVolumeSource, DownwardAPIVolumeFile, DownwardAPIVolumeSource,
        EmptyDirVolumeSource, EphemeralVolumeSource, ObjectFieldSelector, PersistentVolumeClaimSpec,
        PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource, SecretProjection,
        SecretVolumeSource, Volume as Built, VolumeMount, VolumeProjection, VolumeResourceRequirements,
    },
    apimachinery::pkg::api::resource::Quantity,
};

const WORK_LIMIT: &str = "10Gi";
const TMP_LIMIT: &str = "1Gi";

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), ..VolumeMount::default() }
}

pub(super) fn mounts(pod: &PodSubset) -> Vec<VolumeMount> {
    let mut all = vec![
        VolumeMount {
            sub_path: Some("spec.json".into()),
            read_only: Some(true),
            ..mount("hearth", "/hearth/spec.json")
        },
        mount("work", "/hearth/work"),
        mount("tmp", "/tmp"),
    ];
    if pod.shm.is_some() {
        all.push(mount("shm", "/dev/shm"));
    }
    all.extend(pod.volume_mounts.iter().map(|m| VolumeMount {
        sub_path: m.sub_path.clone(),
        read_only: m.read_only,
        ..mount(&m.name, &m.mount_path)
    }));
    all
}

pub(super) fn volumes(pod: &PodSubset) -> Vec<Built> {
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
    all.extend(pod.volumes.iter().map(volume));
    all
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
