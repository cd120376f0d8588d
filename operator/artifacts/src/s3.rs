//! Blobs in a bucket of S3, or of something that speaks as S3 does.

use crate::{
    key::BlobKey,
    sigv4::Signer as Sigv4,
    store::{Signed, StoreError},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use jiff::Timestamp;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    prefix::PrefixStore,
    signer::Signer as _,
};
use std::{io, sync::Arc, time::Duration};
use url::Url;

/// What is longer is sent in parts of this size, two of which are in memory at a time.
const PART: usize = 8 * 1024 * 1024;

/// Where the bucket is.
#[derive(Clone)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// Its region; `us-east-1` when there is none.
    pub region: Option<String>,
    /// `https://HOST[:PORT]` of a server that is not AWS; objects are then named in the path.
    pub endpoint: Option<String>,
    /// A folder of the bucket that is ours.
    pub prefix: Option<String>,
    /// Whether an endpoint without TLS is taken.
    pub allow_http: bool,
    /// Certificate authorities beside the public ones, in PEM.
    pub ca: Option<String>,
    /// Variables `AWS_…` of the environment: keys, or where keys come from.
    pub environment: Vec<(String, String)>,
    /// For a connection, and for each pause in an answer; all tries of one request may take three times that.
    pub patience: Duration,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            region: None,
            endpoint: None,
            prefix: None,
            allow_http: false,
            ca: None,
            environment: Vec::new(),
            patience: Duration::from_secs(20),
        }
    }
}

/// The bucket.
pub(crate) struct S3 {
    pub(crate) objects: Arc<dyn ObjectStore>,
    bucket: AmazonS3,
    prefix: Path,
    region: String,
}

impl S3 {
    pub(crate) fn open(config: &S3Config) -> Result<Self, StoreError> {
        check(config)?;
        let region = config.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let mut builder = AmazonS3Builder::new();
        for (name, value) in &config.environment {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(&config.bucket)
            .with_region(&region)
            .with_virtual_hosted_style_request(config.endpoint.is_none())
            .with_client_options(client(config)?)
            .with_retry(RetryConfig {
                backoff: BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() },
                max_retries: 6,
                retry_timeout: config.patience.saturating_mul(3),
            });
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let bucket = builder.build()?;
        let prefix = Path::parse(config.prefix.as_deref().unwrap_or_default())
            .map_err(|e| StoreError::Config(format!("prefix: {e}")))?;
        // Only these need no percent-encoding in a signed path.
        if !prefix.as_ref().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b)) {
            return Err(StoreError::Config(format!("prefix {prefix}: use letters, digits and -._/ only")));
        }
        Ok(Self { objects: Arc::new(PrefixStore::new(bucket.clone(), prefix.clone())), bucket, prefix, region })
    }

    /// Stores `size` bytes that the operator itself has. What is sent in parts and breaks off is taken back; if the process
    /// ends before that, the bucket's own rule for unfinished uploads removes it.
    pub(crate) async fn write(
        &self,
        key: &BlobKey,
        size: u64,
        mut pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<(), StoreError> {
        let path = key.path();
        if usize::try_from(size).is_ok_and(|size| size <= PART) {
            let bytes: Vec<Bytes> = pieces.try_collect().await?;
            self.objects.put(&path, PutPayload::from_iter(bytes)).await?;
            return Ok(());
        }
        let mut upload = WriteMultipart::new_with_chunk_size(self.objects.put_multipart(&path).await?, PART);
        match send_parts(&mut upload, &mut pieces).await {
            Ok(()) => {
                upload.finish().await?;
                Ok(())
            }
            Err(error) => {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "the parts of an upload that broke off were not removed");
                }
                Err(error)
            }
        }
    }

    /// A URL for one request. `headers` are bound.
    pub(crate) async fn presign(
        &self,
        method: &'static str,
        key: &BlobKey,
        headers: Vec<(String, String)>,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Signed, StoreError> {
        let credential = self.bucket.credentials().get_credential().await?;
        let mut url = self.locate(key).await?;
        let signer = Sigv4 {
            key_id: &credential.key_id,
            secret: &credential.secret_key,
            token: credential.token.as_deref(),
            region: &self.region,
        };
        signer.sign(method, &mut url, &headers, now, expires.duration_since(now).unsigned_abs());
        Ok(Signed { method, url: url.into(), headers, expires })
    }

    /// Where an object is. `object_store` knows the styles of address and says them in its own signed URLs only.
    async fn locate(&self, key: &BlobKey) -> Result<Url, StoreError> {
        let path = Path::from_iter(self.prefix.parts().chain(key.path().parts()));
        let mut url = self.bucket.signed_url(http::Method::GET, &path, Duration::from_secs(1)).await?;
        url.set_query(None);
        Ok(url)
    }
}

async fn send_parts(
    upload: &mut WriteMultipart,
    pieces: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin),
) -> Result<(), StoreError> {
    while let Some(piece) = pieces.try_next().await? {
        upload.wait_for_capacity(1).await?;
        upload.put(piece);
    }
    Ok(())
}

fn check(config: &S3Config) -> Result<(), StoreError> {
    if config.bucket.is_empty() {
        return Err(StoreError::Config("bucket: give the name of the bucket".to_owned()));
    }
    let endpoint = config.endpoint.as_deref().unwrap_or("https://");
    if endpoint.starts_with("https://") || (config.allow_http && endpoint.starts_with("http://")) {
        return Ok(());
    }
    Err(StoreError::Config(format!("endpoint {endpoint}: use https://HOST, or allow http for it")))
}

fn client(config: &S3Config) -> Result<ClientOptions, StoreError> {
    let mut options = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(config.patience)
        .with_read_timeout(config.patience)
        .with_timeout_disabled()
        // The image has no certificates; the public ones are in the binary.
        .with_no_system_certificates(true);
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        options = options.with_root_certificate(Certificate::from_der(root)?);
    }
    for root in Certificate::from_pem_bundle(config.ca.as_deref().unwrap_or_default().as_bytes())? {
        options = options.with_root_certificate(root);
    }
    Ok(options)
}
