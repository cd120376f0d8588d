//! Pre-signed URLs of S3 (AWS Signature Version 4, query form) with headers bound by the signature.
//!
//! `object_store` signs URLs too, but not their `content-length`, and that is what keeps an upload at the size that was
//! declared. The form: "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::{fmt::Write, time::Duration};
use url::Url;

/// Whose signature it is.
pub(crate) struct Signer<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) region: &'a str,
}

impl Signer<'_> {
    /// Adds the signature to a URL without a query. `headers` are bound beside `host`: lower-case names, plain values.
    pub(crate) fn sign(
        &self,
        method: &str,
        url: &mut Url,
        headers: &[(String, String)],
        now: Timestamp,
        ttl: Duration,
    ) {
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = now.strftime("%Y%m%d").to_string();
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let mut bound = headers.to_vec();
        bound.push(("host".to_owned(), host(url)));
        bound.sort();
        let names = bound.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let mut query = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", self.key_id)),
            ("X-Amz-Date", time.clone()),
            ("X-Amz-Expires", ttl.as_secs().to_string()),
        ];
        // Sorted by name, as the canonical query is.
        query.extend(self.token.map(|token| ("X-Amz-Security-Token", token.to_owned())));
        query.push(("X-Amz-SignedHeaders", names.clone()));
        let query =
            query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        let mut request = format!("{method}\n{}\n{query}\n", url.path());
        for (name, value) in &bound {
            request += &format!("{name}:{}\n", value.trim());
        }
        request += &format!("\n{names}\nUNSIGNED-PAYLOAD");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(request)));
        let mut key = mac(format!("AWS4{}", self.secret).as_bytes(), date.as_bytes());
        for part in [self.region, "s3", "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        url.set_query(Some(&format!("{query}&X-Amz-Signature={}", hex(&mac(&key, to_sign.as_bytes())))));
    }
}

/// As the header `host` has it.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so the fallback is never used.
    let hmac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
    hmac.chain_update(text).finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Percent-encoding as AWS wants it: all but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the API reference, "Example: GET object".
    #[test]
    fn the_published_example_has_the_published_signature() {
        let mut url = Url::parse("https://examplebucket.s3.amazonaws.com/test.txt").unwrap();
        let signer = Signer {
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            token: None,
            region: "us-east-1",
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        signer.sign("GET", &mut url, &[], now, Duration::from_secs(86400));
        assert_eq!(
            url.as_str(),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
             &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }
}
