//! The commands that people and CI run: `cargo xtask <command>`.

mod cargo;
mod components;
mod features;
mod fuzz;
mod setup;
mod soak;
mod windows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cargo::{Cargo, cargo, target_folder};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask must be inside the workspace")?;
    let (command, arguments) =
        arguments.split_first().map_or(("help", arguments), |(first, rest)| (first.as_str(), rest));
    match command {
        "setup" => setup::set_up(workspace).map(|toolchain| eprintln!("components are built with {toolchain}")),
        "demo" => demo(workspace, arguments),
        "test" => test(workspace, arguments),
        "soak" => soak::run(workspace, arguments),
        "lint" => lint(workspace),
        "components" => components::list(workspace),
        "bench" => bench(workspace, arguments),
        "fuzz" => fuzz::run(workspace, arguments),
        "windows" => windows::run(workspace, arguments),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => bail!("there is no command `{unknown}`\n\n{HELP}"),
    }
}

fn demo(workspace: &Path, arguments: &[String]) -> Result<()> {
    setup::set_up(workspace)?;
    cargo(workspace, &["run", "--locked", "--package", "spectacles-gateway", "--", "demo"]).args(arguments).replace()
}

fn test(workspace: &Path, arguments: &[String]) -> Result<()> {
    setup::set_up(workspace)?;
    setup::companions::install();
    // Tests of other crates run the gateway itself, which cargo would not build for them.
    cargo(workspace, &["build", "--locked", "--package", "spectacles-gateway"]).run()?;
    cargo(workspace, &["test", "--locked", "--workspace"]).args(arguments).env("RUST_TEST_THREADS", threads()).run()?;
    for folder in component_projects(workspace)? {
        component_cargo(workspace, &folder, &["test", "--locked", "--workspace"]).args(arguments).run()?;
    }
    // Whoever asks for certain tests wants no others, and libFuzzer is at home on Unix.
    if arguments.is_empty() && cfg!(unix) { fuzz::run_briefly(workspace) } else { Ok(()) }
}

/// How many tests run at a time: most wait for processes that they have started, so that more than one for a core find room.
fn threads() -> String {
    std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (2 * cores).to_string()
    })
}

fn bench(workspace: &Path, arguments: &[String]) -> Result<()> {
    let toolchain = setup::set_up(workspace)?;
    if arguments.first().is_some_and(|argument| argument == "brokers") {
        setup::companions::install();
    }
    let guests =
        guest_build::build(&toolchain, &workspace.join("tests/guests"), &workspace.join("target/test-guests"))?;
    let filter =
        guests.iter().find(|guest| guest.name == "inspecting-filter").context("tests/guests has no such filter")?;
    cargo(workspace, &["build", "--locked", "--release", "--package", "spectacles-gateway"]).run()?;
    let gateway = target_folder(workspace).join("release").join(format!("gateway{}", std::env::consts::EXE_SUFFIX));
    cargo(workspace, &["run", "--locked", "--release", "--package", "gateway-bench", "--"])
        .args(&[gateway.display().to_string(), filter.component.display().to_string()])
        .args(arguments)
        .replace()
}

fn lint(workspace: &Path) -> Result<()> {
    let components = component_projects(workspace)?;
    let projects = [workspace, &workspace.join("tests/guests"), &workspace.join("fuzz")];
    for folder in projects.into_iter().chain(components.iter().map(PathBuf::as_path)) {
        cargo(folder, &["fmt", "--all", "--check"]).run()?;
    }
    features::check(workspace)?;
    let toolchain = setup::set_up_clippy(workspace)?;
    // For the target that guests are built for. The components' tests run here, and are checked for this machine below.
    let guests = workspace.join("tests/guests");
    guest_build::lint(&toolchain, &guests, &workspace.join("target/test-guests"))?;
    for folder in &components {
        guest_build::lint(&toolchain, folder, &workspace.join("target/components"))?;
        lint_code(|arguments| component_cargo(workspace, folder, arguments))?;
    }
    if cfg!(unix) {
        fuzz::fuzz_cargo(workspace, "clippy").args(&["--lib", "--bins", "--", "-Dwarnings"]).run()?;
    }
    lint_code(|arguments| cargo(workspace, arguments))
}

fn lint_code(cargo: impl Fn(&[&str]) -> Cargo) -> Result<()> {
    cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]).run()?;
    cargo(&["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .run()
}

/// The workspace of the bundled components, and each example.
fn component_projects(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut projects = vec![workspace.join("components")];
    projects.extend(guest_build::crates(&workspace.join(components::EXAMPLES))?);
    Ok(projects)
}

/// Cargo for one of these, on this machine's own target. They share what they build.
fn component_cargo(workspace: &Path, project: &Path, arguments: &[&str]) -> Cargo {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("components/target"), |folder| workspace.join(folder));
    cargo(project, arguments).env("CARGO_TARGET_DIR", target)
}

const HELP: &str = "\
Usage: cargo xtask <command>

  demo [arguments]   run the gateway on the built-in simulator; events go to STDOUT
  test [arguments]   run all tests
  soak [--minutes N] [--seed S] [--broker redis|amqp|stdio]
                     random faults, one after another, until something is not as promised or the time is over
  lint               check formatting, features, clippy and rustdoc; warnings are errors
  bench [events]     measure what an event costs, in a release build
  bench brokers [events | --soak events]
                     the same for events into real Redis and RabbitMQ servers, or their memory
  fuzz [target] [--seconds N]
                     look for inputs that break a promise, with all fuzz targets or one
  components         build the bundled components and the examples, and show their sizes and imports
  windows [--test]   build gateway.exe; with --test quickly, to try it under wine
  setup              install what building the components needs (the others do it too)

Arguments of `demo` go to `gateway demo`, those of `test` and `windows --test` to `cargo test`,
further ones of `fuzz` to libFuzzer.";
