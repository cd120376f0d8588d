//! Who asks: a bearer token that the cluster's TokenReview knows, or a client certificate of the cluster's client CA.

use crate::{
    cluster::{Cluster, ClusterAway},
    identity::{Identity, Peer},
    refused::Refused,
};
use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hearth_bounds::{Cache, Limiter};
use hearth_wire::{AUDIENCE, ProblemKind};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenReviewSpec, TokenReviewStatus};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// How long an answer of the cluster is used again.
pub const REUSE: Duration = Duration::from_secs(10);
/// Longer tokens are nobody's.
const LONGEST_TOKEN: usize = 32 * 1024;

/// Says who asks.
pub struct Authenticator {
    cluster: Cluster,
    cluster_tokens: bool,
    known: Cache<[u8; 32], Identity>,
    reviews: Limiter<()>,
}

impl Authenticator {
    /// With `cluster_tokens` false only tokens made for [`AUDIENCE`] are taken, not those that the API server itself takes.
    #[must_use]
    pub fn new(cluster: Cluster, cluster_tokens: bool) -> Self {
        Self { cluster, cluster_tokens, known: Cache::new(REUSE, 10_000), reviews: Limiter::new(100.0, 200.0, 1) }
    }

    /// Who sent a request with these headers over that connection. A token counts before a certificate.
    pub async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Identity, Refused> {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => self.by_token(bearer(value.as_bytes())?).await,
            None => by_certificate(peer, Timestamp::now()),
        }
    }

    async fn by_token(&self, token: &str) -> Result<Identity, Refused> {
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(identity) = self.known.get(&key, Instant::now()) {
            return Ok(identity);
        }
        if !self.reviews.take((), Instant::now()) {
            return Err(Refused::new(
                ProblemKind::TooManyRequests,
                "too many new tokens at once; try again in a second",
            ));
        }
        let identity = self.review(token).await?;
        self.known.put(key, identity.clone(), Instant::now());
        Ok(identity)
    }

    /// One TokenReview. What the token says of its audiences only chooses the question; the cluster's answer decides.
    async fn review(&self, token: &str) -> Result<Identity, Refused> {
        let for_us = claims_our_audience(token);
        if !for_us && !self.cluster_tokens {
            return Err(Refused::new(
                ProblemKind::Unauthenticated,
                format!(
                    "only tokens for the audience {AUDIENCE} are taken here; make one with: kubectl create token SERVICEACCOUNT --audience {AUDIENCE}"
                ),
            ));
        }
        let audiences = for_us.then(|| vec![AUDIENCE.to_owned()]);
        let status = self
            .cluster
            .token_review(TokenReviewSpec { audiences, token: Some(token.to_owned()) })
            .await
            .map_err(ClusterAway::refused)?;
        identity(status, for_us).ok_or_else(|| {
            Refused::new(ProblemKind::Unauthenticated, "the cluster does not know this token, or it has expired")
        })
    }
}

/// The identity in the cluster's answer, if it vouches for one and for the audience that was asked for.
fn identity(status: TokenReviewStatus, for_us: bool) -> Option<Identity> {
    let names_us = status.audiences.iter().flatten().any(|a| a == AUDIENCE);
    if status.authenticated != Some(true) || (for_us && !names_us) {
        return None;
    }
    let user = status.user?;
    let name = user.username.filter(|n| !n.is_empty())?;
    Some(Identity::new(name, user.uid, user.groups.unwrap_or_default(), user.extra.unwrap_or_default()))
}

fn by_certificate(peer: &Peer, now: Timestamp) -> Result<Identity, Refused> {
    match &peer.0 {
        Some(holder) if now <= holder.not_after => Ok(holder.identity.clone()),
        Some(_) => Err(Refused::new(ProblemKind::Unauthenticated, "the client certificate has expired")),
        None => Err(Refused::new(
            ProblemKind::Unauthenticated,
            "send a bearer token, or a client certificate of the cluster's client CA",
        )),
    }
}

fn bearer(value: &[u8]) -> Result<&str, Refused> {
    let refused = || Refused::new(ProblemKind::Unauthenticated, "the header Authorization must be: Bearer TOKEN");
    let text = std::str::from_utf8(value).map_err(|_| refused())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refused)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(refused());
    }
    Ok(token)
}

/// Whether a JSON web token says that it is for us. Not verified, and never trusted.
fn claims_our_audience(token: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    #[derive(Deserialize)]
    struct Claims {
        aud: Audience,
    }
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    match claims.map(|c| c.aud) {
        Some(Audience::One(aud)) => aud == AUDIENCE,
        Some(Audience::Many(auds)) => auds.iter().any(|a| a == AUDIENCE),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificate::holder, identity::CertificateIdentity};
    use k8s_openapi::api::authentication::v1::UserInfo;
    use std::collections::BTreeMap;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_audience_is_read_in_both_forms() {
        assert!(claims_our_audience(&token(r#"{"aud":"api.hearth.dev"}"#)));
        assert!(claims_our_audience(&token(r#"{"aud":["x","api.hearth.dev"]}"#)));
        assert!(!claims_our_audience(&token(r#"{"aud":["https://kubernetes.default.svc"]}"#)));
        for other in ["", "opaque", "a.b.c", "..", &token("{}"), &token("[]")] {
            assert!(!claims_our_audience(other), "{other}");
        }
    }

    #[test]
    fn an_answer_that_does_not_name_our_audience_is_no_answer() {
        let answer = |audiences: Option<Vec<String>>| TokenReviewStatus {
            audiences,
            authenticated: Some(true),
            error: None,
            user: Some(UserInfo { username: Some("ada".to_owned()), ..UserInfo::default() }),
        };
        assert!(identity(answer(Some(vec![AUDIENCE.to_owned()])), true).is_some());
        assert!(identity(answer(None), true).is_none(), "a server that knows no audiences");
        assert!(identity(answer(Some(vec!["other".to_owned()])), true).is_none());
        assert!(identity(answer(None), false).is_some());
        assert!(identity(TokenReviewStatus { authenticated: None, ..answer(None) }, false).is_none());
    }

    #[test]
    fn a_certificate_counts_until_it_expires() {
        let identity = Identity::new("ada".to_owned(), None, Vec::new(), BTreeMap::new());
        let end: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let peer = Peer(Some(CertificateIdentity { identity: identity.clone(), not_after: end }));
        assert_eq!(by_certificate(&peer, end), Ok(identity));
        assert!(by_certificate(&peer, "2026-11-21T08:00:01Z".parse().unwrap()).is_err());
        assert!(by_certificate(&Peer(holder(b"junk")), end).is_err());
    }

    #[test]
    fn only_bearer_headers_are_read() {
        assert_eq!(bearer(b"Bearer abc").unwrap(), "abc");
        assert_eq!(bearer(b"bearer  abc ").unwrap(), "abc");
        for bad in [&b""[..], b"Bearer", b"Bearer ", b"Basic YTpi", b"\xff\xfe x"] {
            assert!(bearer(bad).is_err());
        }
    }
}
