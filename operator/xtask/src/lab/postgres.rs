//! Debian's Postgres 15, with a data folder of the lab's own, on the node's address.

use super::place::{ADDRESS, Lab};
use super::{pki, process, tell};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// The account that Debian's package makes; Postgres refuses to run as root.
const ACCOUNT: &str = "postgres";

/// Makes the data folder where it is missing, and writes the configuration.
///
/// The data lies in the state folder, which may be in a home folder that the account can't
/// enter; so it is also mounted where it can.
pub fn prepare(lab: &Lab) -> Result<()> {
    let data = lab.state.join("postgres");
    let (mounted, sockets) = (data_folder(lab), socket_folder(lab));
    for folder in [&data, &mounted, &sockets] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    if Command::new("mountpoint").arg("-q").arg(&mounted).status()?.success() {
        return Ok(());
    }
    tell::quiet(Command::new("mount").arg("--bind").arg(&data).arg(&mounted))?;
    let owner = format!("{ACCOUNT}:{ACCOUNT}");
    tell::quiet(Command::new("chown").arg(&owner).arg(&mounted).arg(&sockets))?;
    if !mounted.join("PG_VERSION").exists() {
        tell::quiet(
            as_account(Command::new("setpriv"))
                .arg(format!("{BIN}/initdb"))
                .args(["--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=peer", "--auth-host=scram-sha-256", "-D"])
                .arg(&mounted)
                .current_dir("/"),
        )?;
    }
    for file in ["postgresql.conf", "pg_hba.conf"] {
        tell::quiet(
            Command::new("install")
                .args(["-o", ACCOUNT, "-g", ACCOUNT, "-m", "600"])
                .arg(lab.state.join("config").join(file))
                .arg(mounted.join(file)),
        )?;
    }
    Ok(())
}

/// The server, in the foreground.
pub fn command(lab: &Lab) -> Result<Command> {
    prepare(lab)?;
    // A killed server's pid that nobody has reaped yet looks alive to the next one.
    let record = fs::read_to_string(data_folder(lab).join("postmaster.pid")).unwrap_or_default();
    if let Some(pid) = record.lines().next().and_then(|line| line.trim().parse().ok()) {
        process::wait_reaped(pid);
    }
    let mut command = as_account(lab.inside("setpriv"));
    command.arg(format!("{BIN}/postgres")).arg("-D").arg(data_folder(lab));
    Ok(command)
}

/// Whether it takes connections.
pub fn answers(lab: &Lab) -> bool {
    let mut command = as_account(Command::new("setpriv"));
    command
        .arg(format!("{BIN}/pg_isready"))
        .args(["-q", "-d", "postgres", "-h"])
        .arg(socket_folder(lab))
        .current_dir("/");
    command.status().is_ok_and(|status| status.success())
}

/// Makes the user and the database `hearth`, where they are missing.
pub fn make_database(lab: &Lab) -> Result<()> {
    let password = password(lab)?;
    let sql = format!(
        "SELECT 'CREATE ROLE hearth LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hearth') \\gexec\n\
         ALTER ROLE hearth PASSWORD '{password}' CREATEDB;\n\
         SELECT 'CREATE DATABASE hearth OWNER hearth' \
         WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'hearth') \\gexec\n"
    );
    let mut psql = as_account(Command::new("setpriv"));
    psql.args(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-h"]).arg(socket_folder(lab)).current_dir("/");
    tell::feed(&mut psql, &sql)?;
    Ok(())
}

/// Connection string of the database `hearth`, good within the namespace and in pods.
pub fn url(lab: &Lab) -> Result<String> {
    Ok(format!("postgres://hearth:{}@{ADDRESS}:5432/hearth", password(lab)?))
}

/// The password of user `hearth`.
fn password(lab: &Lab) -> Result<String> {
    pki::secret(lab, "postgres-password")
}

fn data_folder(lab: &Lab) -> PathBuf {
    lab.run.join("postgres-data")
}

fn socket_folder(lab: &Lab) -> PathBuf {
    lab.run.join("postgres")
}

fn as_account(mut setpriv: Command) -> Command {
    setpriv.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "--"]);
    setpriv
}
