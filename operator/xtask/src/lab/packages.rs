//! What the machine must have: Debian packages, and a Go that is new enough.

use super::tell;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;

/// A Debian package, and a file that shows that it is there.
const PACKAGES: [(&str, &str); 12] = [
    ("containerd", "/usr/bin/containerd"),
    ("runc", "/usr/sbin/runc"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("buildah", "/usr/bin/buildah"),
    ("mmdebstrap", "/usr/bin/mmdebstrap"),
    ("iptables", "/usr/sbin/iptables"),
    ("conntrack", "/usr/sbin/conntrack"),
    ("socat", "/usr/bin/socat"),
    ("iproute2", "/sbin/ip"),
    ("busybox-static", "/bin/busybox"),
    ("postgresql-15", "/usr/lib/postgresql/15/bin/postgres"),
    ("openssl", "/usr/bin/openssl"),
];

const GO_MAJOR: u32 = 1;
const GO_MINOR: u32 = 26;

/// Installs the packages that are missing; with none missing this asks nobody.
pub fn install() -> Result<()> {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(
        Path::new("/usr/bin/apt-get").exists(),
        "these Debian packages are missing, and there is no apt-get to install them: {}",
        missing.join(" ")
    );
    tell::step("apt-get update", || tell::quiet(Command::new("apt-get").args(["update", "-q"])))?;
    tell::step(&format!("apt-get install {} packages", missing.len()), || {
        tell::quiet(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "-y", "-q", "--no-install-recommends"])
                .args(&missing),
        )
    })?;
    // Debian's postgresql makes a cluster of its own when it is installed; the lab never uses it.
    Ok(())
}

/// Checks for root: namespaces, mounts and cgroups are its alone.
pub fn check_root() -> Result<()> {
    let user = tell::capture(Command::new("id").arg("-u"))?;
    ensure!(user == "0", "the lab makes namespaces, mounts and cgroups: run it as root");
    Ok(())
}

/// Checks that Go is there and new enough.
pub fn check_go() -> Result<()> {
    const HOW: &str = "the lab builds Kubernetes from Go modules and needs Go 1.26 or later on PATH; \
                       get it from go.dev/dl and unpack it to /usr/local/go (Debian 12's own is 1.19)";
    let Ok(version) = tell::capture(Command::new("go").args(["env", "GOVERSION"])) else {
        bail!("go: not found. {HOW}");
    };
    let (major, minor) = parse_go(&version).with_context(|| format!("go says its version is {version:?}. {HOW}"))?;
    ensure!((major, minor) >= (GO_MAJOR, GO_MINOR), "go is {version}. {HOW}");
    Ok(())
}

fn parse_go(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split(['.', '-', ' ']);
    let major = parts.next()?.parse().ok()?;
    let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_go;

    #[test]
    fn go_versions_are_read() {
        assert_eq!(parse_go("go1.26.8"), Some((1, 26)));
        assert_eq!(parse_go("go1.27rc1"), Some((1, 27)));
        assert_eq!(parse_go("go1.19"), Some((1, 19)));
        assert_eq!(parse_go("devel"), None);
    }
}
