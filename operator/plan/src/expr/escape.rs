//! Keeping the kubelet from expanding what was substituted.

/// `value` so that the kubelet passes it on unchanged when it stands in `command`, `args` or an `env` value.
///
/// The kubelet replaces `$(NAME)` there and turns `$$` into `$`. So every `$` is doubled, not only the one of `$(`: a
/// `$` at the end of one substituted value may meet the `(` that another begins with, and a `$$` would lose one.
#[must_use]
pub fn kubelet_escape(value: &str) -> String {
    value.replace('$', "$$")
}
