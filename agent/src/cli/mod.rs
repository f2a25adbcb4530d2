//! The command line: arguments, exit codes and dispatch; what a command does is in its own file.

mod approvals;
mod assurance;
mod audit;
mod backtest;
mod baseline;
mod case;
mod check;
mod demo;
mod drift;
mod effects;
mod elicitations;
mod eval;
mod learn;
mod metrics;
mod notify;
mod output;
mod pin;
mod playbook;
mod queries;
mod run;
mod selftest;
mod shadow;
mod switch;
mod tools;
mod under;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use state::model::SwitchState;

use crate::config::{self, Config, ConfigFaults};
use crate::telemetry::{self, LogFormat, Traces};

pub(crate) use output::Out;

/// A security alert queue, worked unattended: every verdict with evidence that anyone can check.
#[derive(Debug, Parser)]
#[command(name = "nightdesk", version, about, max_term_width = 100)]
struct Cli {
    /// Configuration file [default: $NIGHTDESK_CONFIG, ./nightdesk.toml, then the XDG and /etc places]
    #[arg(long, global = true, value_name = "FILE", env = "NIGHTDESK_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    json: bool,
    /// How log lines on standard error look
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bundled lab through the real pipeline: no network, no key, no container
    Demo(demo::Args),
    /// Run the daemon; with --once work the queue until it is empty, then exit
    Run(run::Args),
    /// Check configuration, store, servers, tools, model and sources; each failing line names its fix
    Check(check::Args),
    /// Trip every safety control in a scratch environment and say what stopped it
    Selftest(selftest::Args),
    /// List, show and report cases, judge them again, split them, and take people's verdicts
    #[command(subcommand)]
    Case(case::Command),
    /// List and answer questions that wait for a person
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// What people were told, what could not be delivered, and a trial of each way to tell them
    #[command(subcommand)]
    Notify(notify::Command),
    /// List and show outside effects, and let one that was not sent be proposed again
    #[command(subcommand)]
    Effects(effects::Command),
    /// List and answer questions that servers asked during a call
    #[command(subcommand)]
    Elicitations(elicitations::Command),
    /// Switch off closing and outside effects; investigation goes on
    Pause(switch::Args),
    /// Switch closing and outside effects on again
    Resume(switch::Args),
    /// List and accept findings that a rule's alerts are judged otherwise than before
    #[command(subcommand)]
    Drift(drift::Command),
    /// List, show, check and test playbooks
    #[command(subcommand)]
    Playbook(playbook::Command),
    /// Measure verdict quality of labs against their labels.jsonl
    Eval(eval::Args),
    /// List, show and make anew what is kept about entities, so that alerts need not ask each time what is usual
    #[command(subcommand)]
    Baseline(baseline::Command),
    /// Judge stored cases with people's verdicts again under the settings of now, and score them
    Backtest(backtest::Args),
    /// Show how far the shadow of [run.shadow] agrees with the live verdicts
    Shadow(shadow::Args),
    /// Refit signal weights and priors from people's verdicts; nothing counts before a person has accepted it
    Learn(learn::Args),
    /// Work the golden lab with the configuration in force, and list earlier runs
    #[command(subcommand)]
    Assurance(assurance::Command),
    /// Measure a week from the store, show it, and export it for the manager
    #[command(subcommand)]
    Metrics(metrics::Command),
    /// Show the tool catalogue beside what the servers offer
    #[command(subcommand)]
    Tools(tools::Command),
    /// List the named queries of the query dialect, and show one as it would be sent
    #[command(subcommand)]
    Queries(queries::Command),
    /// Verify, anchor or export the audit chain
    #[command(subcommand)]
    Audit(audit::Command),
    /// Serve a lab folder
    #[command(subcommand)]
    Lab(LabCommand),
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Serve one embedded MCP server on standard input and output
    Serve {
        /// siem, identity, cloud, endpoint, vuln, intel, scm or ticketing
        server: lab::ServerName,
        /// The lab folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// Why a command failed, with its exit code after sysexits.
#[derive(Debug)]
pub(crate) struct Failed {
    code: u8,
    error: anyhow::Error,
}

/// A check failed.
pub(crate) const FAILED: u8 = 1;
/// Arguments that can't be meant.
pub(crate) const USAGE: u8 = 2;
/// Bad data.
pub(crate) const DATA: u8 = 65;
/// Something needed is not there.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Configuration.
pub(crate) const CONFIG: u8 = 78;

impl Failed {
    pub(crate) fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: error.into(),
        }
    }
}

impl From<ConfigFaults> for Failed {
    fn from(e: ConfigFaults) -> Self {
        Self::new(CONFIG, e)
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        let code = if error.is::<ConfigFaults>() {
            CONFIG
        } else {
            UNAVAILABLE
        };
        Self { code, error }
    }
}

impl From<state::store::StoreError> for Failed {
    fn from(e: state::store::StoreError) -> Self {
        use state::store::StoreError as E;
        let code = match e {
            E::NotFound { .. } | E::Refused { .. } | E::NotOpen { .. } | E::IllegalMove(_) => {
                FAILED
            }
            E::Corrupt { .. } => DATA,
            E::Newer { .. } | E::Unsupported { .. } => CONFIG,
            _ => UNAVAILABLE,
        };
        Self::new(code, e)
    }
}

/// Stack of the runtime's threads, bytes: the evaluators of policies and conditions recurse.
const STACK: usize = 8 << 20;

/// What a command gives back.
pub(crate) type Done = Result<ExitCode, Failed>;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Out::new(if cli.json {
        output::Reader::Machine
    } else {
        output::Reader::Person
    });
    let default = match cli.command {
        Command::Run(_) => "info,rmcp=warn",
        Command::Demo(_) | Command::Eval(_) | Command::Playbook(_) | Command::Assurance(_) => {
            "error"
        }
        // What it provokes is told as results.
        Command::Selftest(_) => "off",
        _ => "warn",
    };
    let traces = telemetry::start(cli.log_format, default);
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        out.complain("another TLS provider is already installed");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => {
            out.complain(&format!("the runtime could not be started: {e}"));
            return ExitCode::from(UNAVAILABLE);
        }
    };
    match runtime.block_on(dispatch(cli, traces, &out)) {
        Ok(code) => code,
        Err(failed) => {
            out.complain(&format!("{:#}", failed.error));
            ExitCode::from(failed.code)
        }
    }
}

async fn dispatch(cli: Cli, traces: Traces, out: &Out) -> Done {
    let configured = || configuration(cli.config.as_deref());
    match cli.command {
        Command::Demo(args) => demo::demo(args, out).await,
        Command::Run(args) => run::run(configured()?, args, (traces, out)).await,
        Command::Check(args) => check::check(cli.config.as_deref(), args, out).await,
        Command::Selftest(args) => selftest::selftest(args, out).await,
        Command::Case(command) => case::case(configured, command, out).await,
        Command::Approvals(command) => approvals::approvals(configured()?, command, out).await,
        Command::Notify(command) => notify::notify(configured()?, command, out).await,
        Command::Effects(command) => effects::effects(configured()?, command, out).await,
        Command::Elicitations(command) => {
            elicitations::elicitations(configured()?, command, out).await
        }
        Command::Pause(args) => switch::turn(configured()?, args, SwitchState::Off, out).await,
        Command::Resume(args) => switch::turn(configured()?, args, SwitchState::On, out).await,
        Command::Drift(command) => drift::drift(configured()?, command, out).await,
        Command::Playbook(command) => playbook::playbook(cli.config.as_deref(), command, out).await,
        Command::Eval(args) => eval::eval(cli.config.as_deref(), args, out).await,
        Command::Baseline(command) => baseline::baseline(configured()?, command, out).await,
        Command::Backtest(args) => backtest::backtest(configured()?, args, out).await,
        Command::Shadow(args) => shadow::shadow(configured()?, args, out).await,
        Command::Learn(args) => learn::learn(configured()?, args, out).await,
        Command::Assurance(command) => assurance::assurance(configured()?, command, out).await,
        Command::Metrics(command) => metrics::metrics(cli.config.as_deref(), command, out).await,
        Command::Tools(command) => tools::tools(configured()?, command, out).await,
        Command::Queries(command) => {
            queries::queries(configured_or_default(cli.config.as_deref())?, command, out)
        }
        Command::Audit(command) => audit::audit(configured()?, command, out).await,
        Command::Lab(LabCommand::Serve { server, dir }) => {
            lab::serve(server, &dir)
                .await
                .map_err(|e| Failed::new(DATA, e))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The configuration in force, or the defaults where there is none.
fn configured_or_default(named: Option<&std::path::Path>) -> Result<Config, Failed> {
    match config::find(named) {
        Some(path) => Ok(config::load(&path)?),
        None => Ok(Config::default()),
    }
}

/// The configuration in force.
fn configuration(named: Option<&std::path::Path>) -> Result<Config, Failed> {
    match config::find(named) {
        Some(path) => Ok(config::load(&path)?),
        None => Err(Failed::new(
            CONFIG,
            anyhow::anyhow!(
                "there is no configuration: write ./nightdesk.toml (the README shows one), or name a file with --config"
            ),
        )),
    }
}
