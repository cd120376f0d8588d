//! Why a pod does not run yet, and what to do about it.

use crate::facts::{ContainerFact, PodFact, PodPhase, Refusal};
use hearth_crds::condition::Reason;

/// Whether the container runs or ran.
pub(super) fn started(pod: &PodFact) -> bool {
    match pod.container {
        ContainerFact::Running { .. } | ContainerFact::Ended { .. } => true,
        ContainerFact::None | ContainerFact::Waiting { .. } => {
            matches!(pod.phase, PodPhase::Running | PodPhase::Succeeded | PodPhase::Failed)
        }
    }
}

/// The kubelet tells of one failed pull in turns as it happens and as it is waited out: what both say is the cause.
fn pull_error(message: &str) -> &str {
    message.split_once("ErrImagePull: ").map_or(message, |(_, cause)| cause)
}

/// Why a pod does not run yet: the reason, what to do, and whether waiting is in vain.
pub(super) fn pending(pod: &PodFact) -> (Reason, String, bool) {
    if let ContainerFact::Waiting { reason, message } = &pod.container {
        match reason.as_str() {
            "InvalidImageName"
            | "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError" => {
                let why = format!("{}: {}", advice(Reason::ImagePullFailed), pull_error(message));
                return (Reason::ImagePullFailed, why, reason == "InvalidImageName");
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return (
                    Reason::ContainerCannotRun,
                    format!("{}: {message}", advice(Reason::ContainerCannotRun)),
                    false,
                );
            }
            _ => {}
        }
    }
    match &pod.unscheduled {
        Some((_, message)) => (Reason::Unschedulable, format!("{}: {message}", advice(Reason::Unschedulable)), false),
        None => (Reason::Accepted, "the pod is starting".into(), false),
    }
}

pub(super) fn refusal_reason(refusal: &Refusal) -> Reason {
    match refusal.code {
        400 | 422 => Reason::PodInvalid,
        403 if refusal.message.contains("exceeded quota") || refusal.message.contains("failed quota") => {
            Reason::QuotaExceeded
        }
        403 => Reason::PodRefused,
        _ => Reason::Accepted,
    }
}

/// What to do about it, in a few words.
pub(super) fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::QuotaExceeded => "the namespace's quota leaves no room: raise it, or wait for other pods to end",
        Reason::PodRefused => "an admission rule refuses the pod: change steps[].pod, or ask the administrator",
        Reason::PodInvalid => "the API server calls the pod invalid: change the field that it names",
        Reason::Unschedulable => "no node can take the pod: change resources, gpu or nodeSelector, or add nodes",
        Reason::ImagePullFailed => "the image cannot be pulled: check its name and imagePullSecrets",
        Reason::ContainerCannotRun => "the container cannot be made: check the Secrets and ConfigMaps that it names",
        _ => "the API server asks to try again later",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::time::Time;

    fn waiting(word: &str) -> (Reason, String, bool) {
        let container =
            ContainerFact::Waiting { reason: word.to_owned(), message: "secret \"door\" not found".to_owned() };
        pending(&PodFact { container, ..PodFact::default() })
    }

    #[test]
    fn a_pod_that_waits_says_why_and_what_to_do() {
        let image = "the image cannot be pulled: check its name and imagePullSecrets: secret \"door\" not found";
        let container =
            "the container cannot be made: check the Secrets and ConfigMaps that it names: secret \"door\" not found";
        for (word, reason, told) in [
            ("ErrImagePull", Reason::ImagePullFailed, image),
            ("ImagePullBackOff", Reason::ImagePullFailed, image),
            ("CreateContainerConfigError", Reason::ContainerCannotRun, container),
            ("CreateContainerError", Reason::ContainerCannotRun, container),
            ("RunContainerError", Reason::ContainerCannotRun, container),
            ("ContainerCreating", Reason::Accepted, "the pod is starting"),
        ] {
            assert_eq!(waiting(word), (reason, told.to_owned(), false), "{word}");
        }
        assert_eq!(
            waiting("InvalidImageName"),
            (Reason::ImagePullFailed, image.to_owned(), true),
            "no name gets better"
        );
    }

    #[test]
    fn a_refused_pod_says_why_and_what_to_do() {
        for (code, message, reason, told) in [
            (400, "unknown field", Reason::PodInvalid, "change the field that it names"),
            (422, "spec.priority: Forbidden", Reason::PodInvalid, "change the field that it names"),
            (403, "exceeded quota: small", Reason::QuotaExceeded, "raise it, or wait"),
            (403, "denied by a policy", Reason::PodRefused, "ask the administrator"),
            (409, "conflict", Reason::Accepted, "asks to try again later"),
            (429, "too many requests", Reason::Accepted, "asks to try again later"),
        ] {
            let at = Time::from_millis(0);
            let refusal = Refusal { code, reason: String::new(), message: message.to_owned(), at };
            assert_eq!(refusal_reason(&refusal), reason, "{code} {message}");
            assert!(advice(reason).contains(told), "{code} {message}: {}", advice(reason));
        }
    }
}
