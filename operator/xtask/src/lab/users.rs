//! Kubeconfigs for others than the administrator: by client certificate, or by token.

use super::pki::{self, Client};
use super::place::Lab;
use super::tell;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `lab kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// User of a client certificate, signed by the lab's CA.
    #[arg(long, required_unless_present = "service_account", conflicts_with = "service_account")]
    user: Option<String>,
    /// Group in the certificate; may be given more than once.
    #[arg(long = "group", conflicts_with = "service_account")]
    groups: Vec<String>,
    /// Service account, as NAMESPACE/NAME, whose token goes into the kubeconfig.
    #[arg(long)]
    service_account: Option<String>,
    /// How long the token is good.
    #[arg(long, default_value = "8h")]
    duration: String,
}

/// Makes the kubeconfig, and gives its path.
pub fn kubeconfig(lab: &Lab, args: &KubeconfigArgs) -> Result<PathBuf> {
    match (&args.user, &args.service_account) {
        (_, Some(account)) => by_token(lab, account, &args.duration),
        (Some(user), None) => {
            let groups: Vec<&str> = args.groups.iter().map(String::as_str).collect();
            let file = file_name(&format!("user-{user}-{}", groups.join("-")));
            pki::kubeconfig(lab, &Client { file: &file, user, groups: &groups })
        }
        (None, None) => anyhow::bail!("say --user or --service-account"),
    }
}

fn by_token(lab: &Lab, account: &str, duration: &str) -> Result<PathBuf> {
    let (namespace, name) = account.split_once('/').context("a service account is written NAMESPACE/NAME")?;
    let token = tell::capture(&mut lab.kubectl(&["create", "token", name, "-n", namespace, "--duration", duration]))?;
    let path = lab.state.join("kubeconfig").join(file_name(&format!("token-{namespace}-{name}")));
    pki::write_kubeconfig(lab, &path, name, &serde_json::json!({"token": token}))?;
    Ok(path)
}

/// A user's name may hold anything; a file's name holds letters, digits and dashes.
fn file_name(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}
