//! Clients that are scripts.

use gateway_simulator::{ALL_INTENTS, Simulator};
use std::{path::Path, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Client, Reporter},
    install,
    promises::TOKEN,
    report::Report,
};

/// Starts `@discordjs/ws`. `compression` is `none`, `payload` or `zlib`.
#[must_use]
pub fn discordjs(simulator: &Simulator, compression: &str) -> Client {
    let mut command = Command::new("node");
    command
        .arg(folder().join("discordjs/client.cjs"))
        .env("NODE_PATH", install::node("node", &folder().join("discordjs")).join("node_modules"));
    start(command, simulator, compression)
}

/// Starts `discord.py`. `compression` is `zlib` or `zstd`.
#[must_use]
pub fn discordpy(simulator: &Simulator, compression: &str) -> Client {
    let mut command = Command::new(install::python("python", &folder().join("discordpy")));
    command.arg(folder().join("discordpy/client.py"));
    start(command, simulator, compression)
}

fn start(mut command: Command, simulator: &Simulator, compression: &str) -> Client {
    command
        .env("GATEWAY_API", format!("{}://{}/api", simulator.api_scheme(), simulator.api_host()))
        .env("GATEWAY_COMPRESSION", compression)
        .env("GATEWAY_INTENTS", ALL_INTENTS.to_string())
        .env("GATEWAY_TOKEN", TOKEN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().expect("the script cannot be started");
    Client::run(|reporter, stop| run(child, reporter, stop))
}

async fn run(mut child: Child, reporter: Reporter, stop: CancellationToken) {
    // The script ends when this is dropped.
    let mut stdin = child.stdin.take();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line.unwrap(),
            () = stop.cancelled(), if stdin.is_some() => {
                stdin = None;
                continue;
            }
        };
        match line.as_deref().map(serde_json::from_str) {
            Some(Ok(report)) => reporter.report(report),
            Some(Err(_)) => reporter.report(Report::Problem { text: line.unwrap_or_default() }),
            None => break,
        }
    }
    let status = child.wait().await.unwrap();
    assert!(status.success(), "the script ended with {status}");
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
