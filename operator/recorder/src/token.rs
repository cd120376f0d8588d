//! From a token to the pod that it was made for.

use crate::{cluster::Cluster, refusal::Refusal};
use hearth_bounds::{Cache, Limiter};
use hearth_contract::AUDIENCE;
use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use tonic::metadata::MetadataMap;

/// How long an answer of the cluster is used again.
const REUSE: Duration = Duration::from_secs(10);
/// Longer tokens are nobody's.
const LONGEST: usize = 32 * 1024;
/// Where the API server says which pod a token is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// The pod that a token was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodRef {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// Knows tokens, by TokenReview.
pub(crate) struct Tokens {
    known: Cache<[u8; 32], PodRef>,
    reviews: Limiter<()>,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(REUSE, 10_000), reviews: Limiter::new(200.0, 400.0, 1) }
    }

    /// The pod whose token is in `metadata`.
    pub(crate) async fn pod(&self, cluster: &Cluster, metadata: &MetadataMap) -> Result<PodRef, Refusal> {
        let token = bearer(metadata)?;
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(pod) = self.known.get(&key, Instant::now()) {
            return Ok(pod);
        }
        if !self.reviews.take((), Instant::now()) {
            return Err(Refusal::TooMany);
        }
        let pod = bound(cluster.review(token, AUDIENCE).await?)?;
        self.known.put(key, pod.clone(), Instant::now());
        Ok(pod)
    }
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Refusal> {
    let value = metadata.get("authorization").and_then(|v| v.to_str().ok());
    let token = value.and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map(|(_, token)| token.trim()).filter(|t| !t.is_empty() && t.len() <= LONGEST);
    token.ok_or(Refusal::Unknown(
        "send the metadata authorization: Bearer TOKEN with the token of /hearth/recorder/token",
    ))
}

/// The pod in the cluster's answer, if it vouches for the token and for our audience.
fn bound(status: TokenReviewStatus) -> Result<PodRef, Refusal> {
    let for_us = status.audiences.iter().flatten().any(|a| a == AUDIENCE);
    if status.authenticated != Some(true) || !for_us {
        return Err(Refusal::Unknown(
            "the cluster does not know this token, or it has expired or is for another audience",
        ));
    }
    let user = status.user.unwrap_or_default();
    let extra = user.extra.unwrap_or_default();
    let one = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    let namespace = user.username.as_deref().and_then(|name| {
        name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')).map(|(ns, _)| ns.to_owned())
    });
    match (namespace, one(POD_NAME), one(POD_UID)) {
        (Some(namespace), Some(name), Some(uid)) => Ok(PodRef { namespace, name, uid }),
        _ => Err(Refusal::Unknown("the token is not bound to a pod: use the projected one of /hearth/recorder/token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::authentication::v1::UserInfo;
    use std::collections::BTreeMap;

    fn answer() -> TokenReviewStatus {
        let extra = [(POD_NAME, "p"), (POD_UID, "u")].map(|(k, v)| (k.to_owned(), vec![v.to_owned()]));
        TokenReviewStatus {
            audiences: Some(vec![AUDIENCE.to_owned()]),
            authenticated: Some(true),
            error: None,
            user: Some(UserInfo {
                username: Some("system:serviceaccount:climate:default".to_owned()),
                extra: Some(BTreeMap::from(extra)),
                ..UserInfo::default()
            }),
        }
    }

    #[test]
    fn an_answer_counts_only_when_it_vouches_for_all() {
        let pod = PodRef { namespace: "climate".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
        assert_eq!(bound(answer()), Ok(pod));
        let user = |change: fn(&mut UserInfo)| {
            let mut status = answer();
            change(status.user.as_mut().unwrap());
            status
        };
        for bad in [
            TokenReviewStatus { authenticated: None, ..answer() },
            TokenReviewStatus { audiences: None, ..answer() },
            TokenReviewStatus { audiences: Some(vec!["https://kubernetes.default.svc".to_owned()]), ..answer() },
            TokenReviewStatus { user: None, ..answer() },
            user(|u| u.username = Some("ada".to_owned())),
            user(|u| u.username = Some("system:serviceaccount:climate".to_owned())),
            user(|u| u.extra = None),
            user(|u| drop(u.extra.as_mut().unwrap().remove(POD_UID))),
            user(|u| u.extra.as_mut().unwrap().get_mut(POD_NAME).unwrap().push("q".to_owned())),
        ] {
            assert!(matches!(bound(bad), Err(Refusal::Unknown(_))));
        }
    }

    #[test]
    fn only_bearer_metadata_is_read() {
        let metadata = |value: &str| {
            let mut map = MetadataMap::new();
            map.insert("authorization", value.parse().unwrap());
            map
        };
        assert_eq!(bearer(&metadata("Bearer abc")), Ok("abc"));
        assert_eq!(bearer(&metadata("bearer  abc ")), Ok("abc"));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", &format!("Bearer {}", "x".repeat(LONGEST + 1))] {
            assert!(bearer(&metadata(bad)).is_err(), "{bad}");
        }
        assert!(bearer(&MetadataMap::new()).is_err());
    }
}
