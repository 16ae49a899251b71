//! Debian's package tools.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

/// Fails where there are no such tools.
pub(crate) fn ensure_present() -> Result<()> {
    run("apt-get", ["--version"]).and_then(|_| run("dpkg-deb", ["--version"])).map(drop).context("this is no Debian")
}

/// Installs packages. Only root may. Of the services among them none is started, now or when the machine starts.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    update()?;
    let _no_services = NoServices::begin()?;
    let arguments = ["-qq", "--yes", "--no-install-recommends", "install"];
    run("apt-get", arguments.iter().chain(packages))?;
    let is_service = |package: &&&str| Path::new("/etc/init.d").join(package).exists();
    packages.iter().filter(is_service).try_for_each(|service| run("update-rc.d", [service, "disable"]).map(drop))
}

/// Brings the package lists up to date. Needs root.
pub(crate) fn update() -> Result<()> {
    run("apt-get", ["-qq", "update"])
        .map(drop)
        .context("cannot update the lists of packages (as an ordinary user, run `sudo apt-get update` first)")
}

/// The packages that `package` depends on, by name.
pub(crate) fn dependencies(package: &str) -> Result<Vec<String>> {
    let output = run("apt-cache", ["depends", "--important", package])?;
    Ok(output.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
}

/// `package` and everything below it that is not installed.
pub(crate) fn with_missing_dependencies(package: &str) -> Result<Vec<String>> {
    let output = run("apt-get", ["--simulate", "--reinstall", "--no-install-recommends", "install", package])?;
    let installed = output.lines().filter_map(|line| line.strip_prefix("Inst "));
    Ok(installed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Downloads packages into `folder`.
pub(crate) fn download(packages: &[String], folder: &Path) -> Result<()> {
    let mut command = Command::new("apt-get");
    // As root, apt would hand the download to a user who cannot write here, and complain.
    command.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(folder);
    output_of(command).map(drop)
}

/// Unpacks a package file into `folder`, without installing it.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Result<()> {
    run("dpkg-deb", [OsStr::new("--extract"), package.as_os_str(), folder.as_os_str()]).map(drop)
}

/// While it lives, Debian starts no service that it installs.
struct NoServices(bool);

impl NoServices {
    /// Does nothing where the machine's owner has a policy of services already.
    fn begin() -> Result<Self> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o755);
        match options.write(true).create_new(true).open(SERVICE_POLICY) {
            Ok(mut file) => {
                let policy = Self(true);
                file.write_all(b"#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {SERVICE_POLICY}"))?;
                Ok(policy)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self(false)),
            Err(error) => Err(error).with_context(|| format!("cannot create {SERVICE_POLICY}")),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.0 {
            let _ = fs::remove_file(SERVICE_POLICY);
        }
    }
}

/// What Debian's installer asks before it starts a service. Exit code 101 forbids it.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

fn run<Argument: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = Argument>) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = output_of(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn output_of(mut command: Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .with_context(|| format!("`{program}` cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{program}` failed: {}", said.trim());
    Ok(output)
}
