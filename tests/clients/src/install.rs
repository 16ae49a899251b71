//! Brings the packages of scripts, once for each version of their manifests.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// The folder whose `node_modules` hold the packages of the `package.json` in `manifests`; it is called `name`.
#[must_use]
pub fn node(name: &str, manifests: &Path) -> PathBuf {
    let manifests = ["package.json", "package-lock.json", ".npmrc"].map(|file| (file, read(manifests, file)));
    let wanted = manifests.iter().map(|(_, text)| text.as_str()).collect::<String>();
    install(&home(), name, &wanted, |folder| {
        for (file, text) in &manifests {
            fs::write(folder.join(file), text).unwrap();
        }
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        run(Command::new(npm).args(["ci", "--omit=dev", "--omit=optional"]).current_dir(folder), NODE_ADVICE);
    })
}

/// A Python with the packages of the `requirements.txt` in `manifests`. Its folder is called `name`.
#[must_use]
pub fn python(name: &str, manifests: &Path) -> PathBuf {
    let system = if cfg!(windows) { "python" } else { "python3" };
    let interpreter = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let version = run(Command::new(system).arg("--version"), PYTHON_ADVICE);
    let requirements = read(manifests, "requirements.txt");
    // A virtual environment belongs to the Python that made it.
    let folder = install(&home(), name, &format!("{version}{requirements}"), |folder| {
        fs::write(folder.join("requirements.txt"), &requirements).unwrap();
        run(Command::new(system).args(["-m", "venv"]).arg(folder), PYTHON_ADVICE);
        let mut pip = Command::new(folder.join(interpreter));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(folder.join("requirements.txt")), PYTHON_ADVICE);
    });
    folder.join(interpreter)
}

/// The folder of that name in `home`, with everything that is `wanted` installed in it. Tests that need the same one wait for
/// each other. An installation gets its name once it is complete, so that an interrupted one is never taken for it.
fn install(home: &Path, name: &str, wanted: &str, steps: impl FnOnce(&Path)) -> PathBuf {
    let lock = File::create(home.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let folder = home.join(name);
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    remove(&folder);
    // The installer of a test that was killed may still be at work in its folder.
    let unfinished = home.join(format!("{name}-{}", process::id()));
    remove(&unfinished);
    fs::create_dir(&unfinished).unwrap();
    steps(&unfinished);
    fs::write(unfinished.join(STAMP), wanted).unwrap();
    fs::rename(&unfinished, &folder).unwrap();
    folder
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("remove {}: {error}", folder.display()),
        _ => {}
    }
}

fn home() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let home = workspace.join("target/foreign-clients");
    fs::create_dir_all(&home).unwrap();
    home
}

/// Runs a command to its end and answers with its output.
fn run(command: &mut Command, advice: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}. {advice}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}. {advice}\n{stdout}{stderr}", output.status);
    stdout
}

fn read(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const STAMP: &str = "installed";
const NODE_ADVICE: &str = "The tests with other people's clients need Node.js 20 or newer with npm (Debian: `apt-get install \
                           nodejs npm`) and a way to the npm registry.";
const PYTHON_ADVICE: &str = "The tests with other people's clients need Python 3.10 or newer with its venv module (Debian: \
                             `apt-get install python3-venv`) and a way to PyPI.";

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    #[test]
    fn who_comes_at_the_same_time_installs_once() {
        let home = tempfile::tempdir().unwrap();
        let installed = AtomicUsize::new(0);
        let ask = || {
            install(home.path(), "it", "1", |folder| {
                installed.fetch_add(1, Ordering::Relaxed);
                fs::write(folder.join("content"), "whole").unwrap();
            })
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(fs::read_to_string(ask().join("content")).unwrap(), "whole"));
            }
        });
        assert_eq!(installed.into_inner(), 1);
    }

    #[test]
    fn an_interrupted_installation_is_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let interrupted = panic::catch_unwind(|| {
            install(home.path(), "it", "1", |folder| {
                fs::write(folder.join("half"), "").unwrap();
                panic!("no network");
            })
        });
        assert!(interrupted.is_err());
        let folder = install(home.path(), "it", "1", |_| {});
        assert!(!folder.join("half").exists());
    }

    #[test]
    fn a_changed_manifest_replaces_what_was_installed() {
        let home = tempfile::tempdir().unwrap();
        install(home.path(), "it", "1", |folder| fs::write(folder.join("old"), "").unwrap());
        let folder = install(home.path(), "it", "2", |folder| fs::write(folder.join("new"), "").unwrap());
        assert_eq!((folder.join("old").exists(), folder.join("new").exists()), (false, true));
    }
}
