//! The lab's certificates: one CA for all, made by openssl, kept in the state folder.

use super::place::{ADDRESS, Lab};
use super::tell;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A client of the API server: the file's name, the user and the group in its certificate.
pub struct Client<'a> {
    /// File name of the certificate and the kubeconfig.
    pub file: &'a str,
    /// Common name: the user.
    pub user: &'a str,
    /// Organisations: the groups.
    pub groups: &'a [&'a str],
}

/// Makes the CA, the servers' certificates and the service account key, where they are missing.
pub fn make(lab: &Lab) -> Result<()> {
    let pki = folder(lab);
    std::fs::create_dir_all(&pki)?;
    authority(&pki, "ca", "hearth-lab")?;
    authority(&pki, "front-proxy-ca", "hearth-lab-front-proxy")?;
    let node = lab.node();
    let names = format!(
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
         DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:{ADDRESS},IP:10.96.0.1,IP:127.0.0.1"
    );
    issue(
        &pki,
        "ca",
        "apiserver",
        "/CN=kube-apiserver",
        &format!("subjectAltName={names}\nextendedKeyUsage=serverAuth"),
    )?;
    issue(
        &pki,
        "ca",
        "node",
        &format!("/CN={node}"),
        &format!("subjectAltName=DNS:{node},IP:{ADDRESS},IP:127.0.0.1\nextendedKeyUsage=serverAuth"),
    )?;
    issue(
        &pki,
        "ca",
        "s3",
        "/CN=s3",
        &format!("subjectAltName=DNS:localhost,IP:{ADDRESS}\nextendedKeyUsage=serverAuth"),
    )?;
    issue(&pki, "front-proxy-ca", "front-proxy", "/CN=front-proxy-client", "extendedKeyUsage=clientAuth")?;
    let key = pki.join("service-accounts.key");
    if !key.exists() {
        tell::quiet(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"))?;
        tell::quiet(
            Command::new("openssl")
                .args(["rsa", "-pubout", "-in"])
                .arg(&key)
                .arg("-out")
                .arg(pki.join("service-accounts.pub")),
        )?;
    }
    Ok(())
}

/// Folder of the certificates.
pub fn folder(lab: &Lab) -> PathBuf {
    lab.state.join("pki")
}

/// Makes a client certificate and a kubeconfig that embeds it; gives the kubeconfig's path.
pub fn kubeconfig(lab: &Lab, client: &Client<'_>) -> Result<PathBuf> {
    let path = lab.state.join("kubeconfig").join(client.file);
    if path.exists() {
        return Ok(path);
    }
    let pki = folder(lab);
    let groups: String = client.groups.iter().map(|group| format!("/O={}", escape(group))).collect();
    let subject = format!("{groups}/CN={}", escape(client.user));
    let stem = format!("client-{}", client.file);
    issue(&pki, "ca", &stem, &subject, "extendedKeyUsage=clientAuth")?;
    let user = serde_json::json!({
        "client-certificate-data": base64_of(&pki.join(format!("{stem}.crt")))?,
        "client-key-data": base64_of(&pki.join(format!("{stem}.key")))?,
    });
    write_kubeconfig(lab, &path, client.user, &user)?;
    Ok(path)
}

/// Writes a kubeconfig whose user is given by the caller: a certificate or a token.
pub fn write_kubeconfig(lab: &Lab, path: &Path, name: &str, user: &serde_json::Value) -> Result<()> {
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {
            "server": format!("https://{ADDRESS}:6443"),
            "certificate-authority-data": base64_of(&folder(lab).join("ca.crt"))?,
        }}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
    });
    write_private(path, &serde_yaml::to_string(&config)?)
}

/// A secret of that name: made once for each lab.
pub fn secret(lab: &Lab, name: &str) -> Result<String> {
    let file = lab.state.join(name);
    if let Ok(known) = std::fs::read_to_string(&file) {
        return Ok(known);
    }
    let fresh = tell::capture(Command::new("openssl").args(["rand", "-hex", "16"]))?;
    write_private(&file, &fresh)?;
    Ok(fresh)
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, content: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("write {}", path.display()))?;
    Ok(file.write_all(content.as_bytes())?)
}

fn authority(pki: &Path, stem: &str, name: &str) -> Result<()> {
    let (key, certificate) = (pki.join(format!("{stem}.key")), pki.join(format!("{stem}.crt")));
    if certificate.exists() {
        return Ok(());
    }
    tell::quiet(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "3650",
            ])
            .args([
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate),
    )?;
    Ok(())
}

fn issue(pki: &Path, ca: &str, stem: &str, subject: &str, extensions: &str) -> Result<()> {
    let file = |end: &str| pki.join(format!("{stem}.{end}"));
    if file("crt").exists() {
        return Ok(());
    }
    std::fs::write(file("ext"), format!("keyUsage=critical,digitalSignature,keyEncipherment\n{extensions}\n"))?;
    tell::quiet(
        Command::new("openssl")
            .args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject])
            .arg("-keyout")
            .arg(file("key"))
            .arg("-out")
            .arg(file("csr")),
    )?;
    let partial = file("crt.partial");
    tell::quiet(
        Command::new("openssl")
            .args(["x509", "-req", "-days", "3650", "-in"])
            .arg(file("csr"))
            .arg("-CA")
            .arg(pki.join(format!("{ca}.crt")))
            .arg("-CAkey")
            .arg(pki.join(format!("{ca}.key")))
            .arg("-CAcreateserial")
            .arg("-extfile")
            .arg(file("ext"))
            .arg("-out")
            .arg(&partial),
    )?;
    std::fs::rename(&partial, file("crt"))?;
    Ok(())
}

/// `/` and `=` part the fields of openssl's subject.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('/', "\\/").replace('=', "\\=")
}

fn base64_of(path: &Path) -> Result<String> {
    tell::capture(Command::new("base64").arg("-w0").arg(path))
}
