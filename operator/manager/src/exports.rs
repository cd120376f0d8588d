//! What other systems are told of runs.

use anyhow::{Context, Result};
use clap::Args;
use hearth_export::{Endpoint, Targets};
use std::path::PathBuf;

/// Who is told of runs. Without an address, nobody.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// OpenLineage events are posted here, for example http://marquez:5000/api/v1/lineage.
    #[arg(long, env = "HEARTH_OPENLINEAGE_URL")]
    pub openlineage_url: Option<String>,
    /// What stands before a Kubernetes namespace, with a slash, in the namespaces of jobs and datasets. Default: hearth.
    #[arg(long, requires = "openlineage_url")]
    pub openlineage_namespace: Option<String>,
    /// Token that goes along, as `Authorization: Bearer`.
    #[arg(long, env = "HEARTH_OPENLINEAGE_TOKEN", hide_env_values = true, requires = "openlineage_url")]
    pub openlineage_token: Option<String>,
    /// OpenTelemetry traces are posted here, by OTLP over HTTP, for example http://collector:4318/v1/traces.
    #[arg(long, env = "HEARTH_OPENTELEMETRY_URL")]
    pub opentelemetry_url: Option<String>,
    /// Headers that go along: NAME=VALUE,NAME=VALUE.
    #[arg(long, env = "HEARTH_OPENTELEMETRY_HEADERS", hide_env_values = true, requires = "opentelemetry_url")]
    pub opentelemetry_headers: Option<String>,
    /// File with certificate authorities of both, in PEM, beside the public ones.
    #[arg(long)]
    pub export_ca_file: Option<PathBuf>,
}

impl ExportArgs {
    /// Who is told.
    pub fn targets(&self) -> Result<Targets> {
        let read =
            |file: &PathBuf| std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
        let ca = self.export_ca_file.as_ref().map(read).transpose()?;
        let endpoint = |url: &str, headers: &[(String, String)]| Endpoint::new(url, headers, ca.as_deref());
        let prefix = self.openlineage_namespace.clone().unwrap_or_else(|| "hearth".to_owned());
        let bearer = |token: &String| ("Authorization".to_owned(), format!("Bearer {}", token.trim()));
        let token: Vec<(String, String)> = self.openlineage_token.iter().map(bearer).collect();
        let lineage = self.openlineage_url.as_deref().map(|url| endpoint(url, &token));
        let headers = headers(self.opentelemetry_headers.as_deref().unwrap_or_default())?;
        let traces = self.opentelemetry_url.as_deref().map(|url| endpoint(url, &headers));
        Ok(Targets {
            openlineage: lineage.transpose().context("--openlineage-url")?.map(|endpoint| (endpoint, prefix)),
            opentelemetry: traces.transpose().context("--opentelemetry-url")?,
        })
    }
}

/// `NAME=VALUE,NAME=VALUE`; what is wrong is told without the values, which are secret.
fn headers(text: &str) -> Result<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').context("--opentelemetry-headers: write NAME=VALUE,NAME=VALUE")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    text.split(',').map(str::trim).filter(|p| !p.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_and_stay_secret() {
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let read = headers("api-key=s3cret==, x-org = lab ,").unwrap();
        assert_eq!(read, [pair("api-key", "s3cret=="), pair("x-org", "lab")]);
        assert_eq!(headers("").unwrap(), []);
        let error = headers("s3cret").unwrap_err().to_string();
        assert!(error.contains("NAME=VALUE") && !error.contains("s3cret"), "{error}");
    }
}
