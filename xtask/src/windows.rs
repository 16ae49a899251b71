//! `gateway.exe`, built on another system and tried under wine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use guest_build::Target;

use crate::cargo::{cargo, target_folder};
use crate::setup;
use crate::setup::programs::{self, Program};

/// Builds it for release, or with `--test` quickly, to run the tests of `tests/windows` with it.
pub(crate) fn run(workspace: &Path, arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        None => release(workspace),
        Some((first, rest)) if first == "--test" => test(workspace, rest),
        Some((unknown, _)) => bail!("`cargo xtask windows` takes `--test` first, and not `{unknown}`"),
    }
}

fn release(workspace: &Path) -> Result<()> {
    let gateway = folder(workspace).join(GATEWAY);
    let mut strip = Command::new("x86_64-w64-mingw32-strip");
    // MinGW's linker has put what debuggers read into the program itself.
    strip.arg("-o").arg(&gateway).arg(build(workspace, "release")?);
    succeed(strip)?;
    println!("{}", gateway.display());
    Ok(())
}

fn build(workspace: &Path, profile: &str) -> Result<PathBuf> {
    let compiler = setup::compiler(workspace, Target::Windows)?;
    setup::set_up(workspace)?;
    programs::install(&[MINGW], "building for Windows")?;
    eprintln!("gateway.exe is built with {compiler}");
    // A folder of its own: it may be another compiler, and cargo would build this machine's part anew with each change.
    let target = folder(workspace);
    cargo(workspace, &["build", "--locked", "--package", "spectacles-gateway", "--profile", profile])
        .args(&[OsStr::new("--target-dir"), target.as_os_str()])
        .compiler(&compiler)
        .run()?;
    Ok(target.join(Target::Windows.name()).join(profile).join(GATEWAY))
}

fn test(workspace: &Path, arguments: &[String]) -> Result<()> {
    programs::install(&[WINE], "running programs of Windows")?;
    let gateway = build(workspace, "quick")?;
    let programs = folder(workspace).join("wine");
    fs::create_dir_all(&programs).with_context(|| format!("cannot create {}", programs.display()))?;
    fs::copy(&gateway, programs.join(GATEWAY)).with_context(|| format!("cannot copy {}", gateway.display()))?;
    let sources = workspace.join("tests/windows");
    compile(&sources.join("bcryptprimitives.c"), &["-shared"], &programs.join("bcryptprimitives.dll"))?;
    compile(&sources.join("supervisor.c"), &["-municode"], &programs.join("supervisor.exe"))?;
    let home = programs.join("home");
    prepare_wine(&home)?;
    // The features of the whole workspace: with those of one crate, cargo would build much anew.
    cargo(workspace, &["test", "--locked", "--workspace", "--test", "windows", "--", "--ignored"])
        .args(arguments)
        .env("GATEWAY_WINDOWS_PROGRAMS", &programs)
        .env("WINEPREFIX", &home)
        .run()
}

fn folder(workspace: &Path) -> PathBuf {
    target_folder(workspace).join("windows")
}

/// Compiles one file of C for Windows.
fn compile(source: &Path, options: &[&str], program: &Path) -> Result<()> {
    let mut compiler = Command::new(MINGW.name);
    compiler.args(["-Wall", "-Wextra", "-Werror", "-O1"]).args(options);
    compiler.arg("-o").arg(program).arg(source).arg("-ladvapi32");
    succeed(compiler)
}

/// Makes wine's folder with all that belongs to Windows, so that no test waits for it.
fn prepare_wine(home: &Path) -> Result<()> {
    let mut boot = Command::new(WINE.name);
    boot.args(["wineboot", "--init"]).env("WINEPREFIX", home).env("WINEDEBUG", "-all");
    // Neither .NET nor a browser: wine would ask whether to download them.
    boot.env("WINEDLLOVERRIDES", "mscoree,mshtml=");
    succeed(boot)
}

/// Runs it to its end. What it says is shown only if it fails.
fn succeed(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{program}` cannot be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{program}` failed ({}): {}", output.status, said.trim());
    Ok(())
}

const GATEWAY: &str = "gateway.exe";

/// A linker, and a compiler for the C in dependencies.
const MINGW: Program =
    Program { name: "x86_64-w64-mingw32-gcc", call: &["--version"], package: "gcc-mingw-w64-x86-64" };

const WINE: Program = Program { name: "wine", call: &["--version"], package: "wine" };
