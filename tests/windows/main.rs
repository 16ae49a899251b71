//! `gateway.exe` under wine, on a simulator outside of it. What is the same on all systems is tested in `tests/gateway`.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use gateway_simulator::{Control, Happening, Limits, Options, Simulator};
use gateway_tests::{Event, Gateway, PATIENCE, Setup};

/// With what Windows and wine could trip over: a space, and letters within and beyond the usual code pages.
const FOLDER: &str = "Größe und Maß 設定";

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn a_configuration_is_checked_in_a_folder_with_a_space_and_letters_of_all_kinds() {
    let setup = gateway(Setup::new("wine"))
        .argument("check")
        .argument("--config")
        .argument(&format!(r"{FOLDER}\gateway.toml"))
        .variable("DISCORD_TOKEN_FILE", &format!(r"{FOLDER}\token.txt"));
    let folder = setup.path(FOLDER);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("token.txt"), "MTIz.test.token\r\n").unwrap();
    let cache = format!(r"{FOLDER}\cache");
    let file = format!("events = [\"READY\"]\r\n[components]\r\ncache_directory = '{cache}'\r\n");
    std::fs::write(folder.join("gateway.toml"), format!("\u{feff}{file}")).unwrap();

    let output = setup.output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.ends_with("# the configuration is valid\n") && !text.contains('\r'), "{text}");
    assert!(folder.join("cache").join("digests").is_file(), "compiled components are kept there");
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn the_demo_prints_as_many_lines_as_asked_for_and_ends() {
    let setup = gateway(Setup::new("wine")).argument("demo").argument("--events").argument("200");
    let output = setup.argument("--rate").argument("200").output().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((text.lines().count(), text.matches('\r').count()), (200, 0));
    assert!(text.starts_with(r#"{"event":"READY","#));
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn ctrl_c_drains_and_the_next_start_resumes_from_the_users_own_folder() {
    let simulator = quiet().await;
    resumes_after_ctrl_c(&gateway(Setup::on("wine", &simulator)), &simulator.control()).await;
    let mut users = wine_home().join("drive_c/users").read_dir().unwrap();
    assert!(users.any(|user| user.unwrap().path().join("AppData/Local/spectacles-gateway").is_dir()));
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn a_supervisors_ctrl_c_drains_and_the_next_start_resumes_from_a_folder_with_letters_of_all_kinds() {
    let simulator = quiet().await;
    let setup = in_wine(Setup::on("wine", &simulator), "supervisor.exe").argument(&program("gateway.exe"));
    let setup = setup.variable("SHARD_STORE_PATH", &format!(r"{FOLDER}\sessions"));
    resumes_after_ctrl_c(&setup, &simulator.control()).await;
    assert!(setup.path(FOLDER).join("sessions").is_dir());
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn a_closed_stdout_ends_the_gateway_with_an_error() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = gateway(Setup::on("wine", &simulator)).start_unread();
    control.wait_for(|entry| matches!(entry.happening, Happening::Ready { .. })).await.unwrap();
    drop(gateway.take_output());
    control.send_event(0, "UNWRITTEN", "{}");
    let status = gateway.ended().await;
    let log = gateway.whole_log().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.lines().last().unwrap().starts_with("gateway: STDOUT cannot be written any more"), "{log}");
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn two_gateways_cannot_run_one_shard() {
    let simulator = quiet().await;
    let one = gateway(Setup::on("wine", &simulator));
    let mut running = one.start();
    running.next_named("READY").await;
    let error = one.failure().await;
    assert!(error.contains("another gateway on this machine runs shard 0 of this bot"), "{error}");
    ended_by_ctrl_c(&mut running).await;
}

#[tokio::test]
#[ignore = "run by `cargo xtask windows --test`"]
async fn a_command_on_stdin_reaches_discord() {
    let simulator = quiet().await;
    let control = simulator.control();
    let mut gateway = gateway(Setup::on("wine", &simulator)).start();
    gateway.next_named("READY").await;
    let packet = r#"{"op":3,"d":{"since":null,"activities":[],"status":"idle","afk":false}}"#;
    gateway.input(format!("{{\"event\":\"0\",\"data\":{packet}}}\r\n")).await;
    control.wait_for(|entry| matches!(entry.happening, Happening::Command { opcode: 3, .. })).await.unwrap();
    ended_by_ctrl_c(&mut gateway).await;
}

/// What comes before, between and after two runs comes once, in order and byte for byte.
async fn resumes_after_ctrl_c(setup: &Setup, control: &Control) {
    let mut gateway = setup.start();
    let mut events = gateway.until("READY").await;
    control.send_event(0, "BEFORE", r#""line\nbreak""#);
    events.extend(gateway.until("BEFORE").await);
    events.extend(ended_by_ctrl_c(&mut gateway).await);

    control.send_event(0, "BETWEEN", "{}");
    let mut gateway = setup.start();
    events.extend(gateway.until("RESUMED").await);
    control.send_event(0, "AFTER", "{}");
    events.extend(gateway.until("AFTER").await);
    events.extend(ended_by_ctrl_c(&mut gateway).await);

    let frame = |name: &str, payload: &str| format!(r#"{{"event":"{name}","data":{payload}}}"#);
    let sent: Vec<_> = control.sent(0).iter().map(|sent| frame(&sent.name, &sent.payload)).collect();
    assert_eq!(events.into_iter().map(|event| event.line).collect::<Vec<_>>(), sent);
    control.wait_for(|entry| matches!(entry.happening, Happening::Resume { sequence: 2, .. })).await.unwrap();
}

/// Presses Ctrl-C, as wine does when it gets that signal, and waits for an orderly end.
async fn ended_by_ctrl_c(gateway: &mut Gateway) -> Vec<Event> {
    gateway.signal("INT").await;
    let events = gateway.rest().await;
    let status = gateway.ended().await;
    let log = gateway.whole_log().await;
    assert!(status.success() && log.contains("Ctrl-C: draining"), "{status}. The log:\n{log}");
    events
}

async fn quiet() -> Simulator {
    let limits = Limits { identify_interval: std::time::Duration::ZERO, ..Limits::default() };
    Simulator::start(Options { guilds_per_shard: 0, patience: PATIENCE, limits, ..Options::default() }).await.unwrap()
}

fn gateway(setup: Setup) -> Setup {
    in_wine(setup, "gateway.exe")
}

/// `setup` must be for the binary `wine`.
fn in_wine(setup: Setup, name: &str) -> Setup {
    setup
        .argument(&program(name))
        .variable("PATH", &std::env::var("PATH").unwrap())
        .variable("WINEPREFIX", &wine_home().display().to_string())
        .variable("WINEDEBUG", "-all")
        // How wine understands arguments and names of files.
        .variable("LC_ALL", "C.UTF-8")
}

fn program(name: &str) -> String {
    let folder = std::env::var_os("GATEWAY_WINDOWS_PROGRAMS");
    let folder = folder.unwrap_or_else(|| panic!("these tests are run by `cargo xtask windows --test`"));
    PathBuf::from(folder).join(name).display().to_string()
}

fn wine_home() -> PathBuf {
    std::env::var_os("WINEPREFIX").unwrap().into()
}
