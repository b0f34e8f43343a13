//! The manual that the program prints of itself.

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn the_short_help_names_every_command() {
    let help = TestEnv::new().wf(&["-h"]).success();
    assert_snapshot!(help, @"");
}

#[test]
fn submit_has_the_flags_that_argos_users_know() {
    let help = TestEnv::new().wf(&["submit", "-h"]).success();
    assert_snapshot!(help, @"");
}

#[test]
fn every_command_has_help() {
    let env = TestEnv::new();
    let command = wf::cli::complete::command();
    for name in command.get_subcommands().map(|command| command.get_name()) {
        let help = env.wf(&[name, "--help"]).success();
        assert!(help.contains(&format!("Usage: wf {name}")), "{name}: {help}");
    }
}

#[test]
fn the_version_is_one_line() {
    let env = TestEnv::new();
    let version = concat!("wf ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(env.wf(&["version"]).success(), version);
    assert_eq!(env.wf(&["--version"]).success(), version);
}

#[test]
fn a_shell_can_ask_what_fits() {
    let env = TestEnv::new();
    let script = env.wf(&["completion", "bash"]).success();
    assert!(script.contains("WF_COMPLETE"), "{script}");
    let mut command = env.command(&["--", "wf", "get", "-o", ""]);
    command.env("WF_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3").env("_CLAP_IFS", "\n");
    let offered = String::from_utf8(command.output().expect("wf starts").stdout).expect("text");
    assert!(offered.contains("json") && offered.contains("custom-columns="), "{offered}");
}

#[test]
fn rules_are_explained() {
    let env = TestEnv::new();
    assert_snapshot!(env.wf(&["explain", "wf004"]).success(), @"");
    let all = env.wf(&["explain"]).success();
    assert!(all.lines().count() > 20, "{all}");
    assert_snapshot!(env.wf(&["explain", "WFX04"]).all(), @"");
}
