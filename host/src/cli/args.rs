//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use gateway_simulator::Fault;

use super::fault;
pub use super::world::World;
use crate::config::{Choice as _, Flags, LogLevel};

/// Reads the Discord gateway and publishes its events to a message broker.
///
/// Without a command it runs the gateway. Settings come from the file, over it from environment variables, over them
/// from flags; docs/configuration.md lists all.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "gateway", version, after_long_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Arguments {
    /// Configuration file [default: gateway.toml, if it is there]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// What is logged, to STDERR [default: info]
    #[arg(long = "loglevel", global = true, value_name = "LEVEL", value_parser = log_levels())]
    log_level: Option<LogLevel>,
    /// Let shards take the session starts that identify.reserve keeps back
    #[arg(long, global = true)]
    spend_reserve: bool,
    /// What to do; runs the gateway if there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    /// Reads the arguments of this process. Ends it when they are wrong (exit code 2) or ask for help or the version (0).
    #[must_use]
    pub fn from_process() -> Self {
        Self::parse_from(normalize(std::env::args_os()))
    }

    /// Reads arguments; the first is the name of the program.
    ///
    /// # Errors
    /// The text for the user, with its exit code; asking for help or the version is one.
    pub fn try_from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(normalize(arguments))
    }

    /// What they say about the configuration.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), log_level: self.log_level, spend_reserve: self.spend_reserve }
    }
}

/// What the gateway can do beside running.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Check configuration and components without connecting to anything
    Check,
    /// Say what a start would cost: which shards resume, which identify, and how long they wait
    Plan(PlanArguments),
    /// Run the gateway on a built-in simulator of Discord: no token, no network
    Demo(DemoArguments),
    /// Serve a simulator of Discord, to develop bots and components offline
    Simulate(SimulateArguments),
}

/// How `gateway plan` tells.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PlanArguments {
    /// As a JSON object
    #[arg(long)]
    pub json: bool,
}

/// How `gateway demo` runs.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DemoArguments {
    /// End after this many events [default: run until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub events: Option<u64>,
    /// What the simulated Discord does.
    #[command(flatten)]
    pub traffic: Traffic,
}

/// How `gateway simulate` serves.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SimulateArguments {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8484")]
    pub listen: SocketAddr,
    /// Serve https and wss, with a certificate made at start
    #[arg(long)]
    pub tls: bool,
    /// What it does.
    #[command(flatten)]
    pub traffic: Traffic,
    /// What it is like.
    #[command(flatten)]
    pub world: World,
    /// What goes wrong; can be repeated [--help lists all]
    #[arg(long = "fault", value_name = "FAULT", help_heading = "Faults", value_parser = fault::parse, long_help = fault::help())]
    pub faults: Vec<Fault>,
}

/// What the simulated Discord sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Traffic {
    /// Number of shards that it recommends
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub shards: u32,
    /// Events per second and shard
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Seed of its randomness, to see the same events again [default: another each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// The original's flags have one dash; here long flags have two. `-config` and `-config=x` become `--config…`.
fn normalize(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    let lengthen = |(position, argument): (usize, OsString)| {
        only_values |= argument == "--";
        match argument.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(name) if position > 0 && !only_values && is_long(name) => format!("--{name}").into(),
            _ => argument,
        }
    };
    arguments.into_iter().enumerate().map(lengthen).collect()
}

fn is_long(name: &str) -> bool {
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn log_levels() -> impl clap::builder::TypedValueParser<Value = LogLevel> {
    PossibleValuesParser::new(LogLevel::names()).try_map(|name| LogLevel::parse(&name).ok_or("no such level"))
}

const EXAMPLES: &str = "Examples:
  See events at once, without a token:
    gateway demo --events 20
  Print every message that a bot can see:
    DISCORD_TOKEN=… DISCORD_EVENTS=MESSAGE_CREATE DISCORD_INTENTS=GUILDS,GUILD_MESSAGES gateway
  Check a configuration before it is used:
    gateway check --config /etc/gateway.toml
  See what a start would cost of the day's session starts, also beside a running gateway:
    gateway plan
  Develop a bot against a simulated Discord of four shards:
    gateway simulate --shards 4
    DISCORD_API_PROTOCOL=http DISCORD_API_HOST=127.0.0.1:8484 DISCORD_TOKEN=any DISCORD_EVENTS='*' gateway
  See how it bears a connection that breaks after every 50 events, and sessions that cannot be resumed:
    gateway simulate --fault drop,every=50 --fault resume=invalid-session

Events go to STDOUT, the log goes to STDERR.
Exit codes: 0 after an orderly end, 1 after an error, 2 for a wrong command line, 3 if `gateway plan` says that shards
would wait for session starts.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_from_arguments(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_spelling_of_the_originals_flags_works() {
        for line in [
            "gateway --config x.toml --loglevel debug",
            "gateway --config=x.toml --loglevel=debug",
            "gateway -config x.toml -loglevel debug",
            "gateway -config=x.toml -loglevel=debug",
            "gateway check -config x.toml -loglevel debug",
            "gateway -config x.toml check --loglevel debug",
        ] {
            let flags = parse(line).unwrap().flags();
            let expected =
                Flags { config: Some("x.toml".into()), log_level: Some(LogLevel::Debug), ..Flags::default() };
            assert_eq!(flags, expected, "{line}");
        }
        assert_eq!(parse("gateway").unwrap().flags(), Flags::default());
    }

    #[test]
    fn help_and_version_are_no_error() {
        for line in
            ["gateway -h", "gateway --help", "gateway -help", "gateway demo -h", "gateway --version", "gateway -V"]
        {
            assert_eq!(parse(line).unwrap_err().exit_code(), 0, "{line}");
        }
        let help = parse("gateway --help").unwrap_err().to_string();
        assert!(help.contains("--config <PATH>") && help.contains("Examples:") && help.contains("simulate"), "{help}");
    }

    #[test]
    fn what_is_wrong_ends_with_code_2_and_says_what_is_accepted() {
        for (line, kind, hint) in [
            ("gateway --confg x", ErrorKind::UnknownArgument, "--config"),
            ("gateway -confg x", ErrorKind::UnknownArgument, "--config"),
            ("gateway --loglevel verbose", ErrorKind::InvalidValue, "suppress, error, warn, info, debug"),
            ("gateway -loglevel wran", ErrorKind::InvalidValue, "warn"),
            ("gateway --config", ErrorKind::InvalidValue, "<PATH>"),
            ("gateway chek", ErrorKind::InvalidSubcommand, "check"),
            ("gateway demo --events 0", ErrorKind::ValueValidation, "0"),
            ("gateway simulate --listen 8484", ErrorKind::ValueValidation, "8484"),
            ("gateway simulate --fault reconect", ErrorKind::ValueValidation, "did you mean \"reconnect\"?"),
            ("gateway simulate --heartbeat-interval 1ms", ErrorKind::ValueValidation, "is shorter than 1s"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}: {error}");
            assert!(error.to_string().contains(hint), "{line}: {error}");
        }
    }

    #[test]
    fn commands_have_their_own_flags() {
        let demo = parse("gateway demo -events 20 --shards 2 --rate 100 --seed 7").unwrap().command;
        let traffic = Traffic { shards: 2, rate: 100, seed: Some(7) };
        assert_eq!(demo, Some(Command::Demo(DemoArguments { events: Some(20), traffic })));
        let simulate =
            parse("gateway simulate --listen [::1]:0 --tls --guilds 3 --fault drop --fault no-acks").unwrap();
        let Some(Command::Simulate(simulate)) = simulate.command else { panic!("{simulate:?}") };
        assert_eq!((simulate.listen, simulate.tls), ("[::1]:0".parse().unwrap(), true));
        assert_eq!(simulate.traffic, Traffic { shards: 1, rate: 10, seed: None });
        assert_eq!((simulate.world.guilds, simulate.faults.len()), (3, 2));
        assert_eq!(parse("gateway check").unwrap().command, Some(Command::Check));
        assert_eq!(parse("gateway plan --json").unwrap().command, Some(Command::Plan(PlanArguments { json: true })));
    }

    #[test]
    fn the_reserve_is_spent_by_a_flag_of_every_command() {
        for line in ["gateway --spend-reserve", "gateway -spend-reserve plan", "gateway plan --spend-reserve"] {
            assert!(parse(line).unwrap().flags().spend_reserve, "{line}");
        }
    }

    #[test]
    fn short_flags_negative_numbers_and_what_follows_two_dashes_stay() {
        let normalized = normalize(["gateway", "-h", "-5", "-", "--x", "-config", "--", "-config"].map(OsString::from));
        assert_eq!(normalized, ["gateway", "-h", "-5", "-", "--x", "--config", "--", "-config"]);
    }
}
