//! The manual that the program prints of itself.

use insta::assert_snapshot;

use crate::env::TestEnv;

/// Returns the manual up to the words `to`, or from there on.
fn halves(args: &[&str], to: &str) -> (String, String) {
    let help = TestEnv::new().wf(args).success();
    let (before, after) = help.split_once(to).expect("the manual has these words");
    (before.to_owned(), after.to_owned())
}

#[test]
fn the_short_help_names_every_command() {
    assert_snapshot!(halves(&["-h"], "\nOptions:").0, @"
    Run Argo Workflows manifests on plain Kubernetes Jobs, or on the machine at hand

    Usage: wf [OPTIONS] <COMMAND>

    Commands:
      lint        Check manifests, and show every problem where it stands
      graph       Draw what a workflow will do
      fmt         Give manifests one layout, and nothing else
      convert     Write manifests anew in the form of Argo 4, and Jobs and CronJobs as workflows
      schema      Print the JSON Schema of a kind, or of all kinds, for editors
      eval        Evaluate an expression, a text with tags, or a condition
      submit      Check manifests and run their workflows
      list        List runs, newest first [alias: ls]
      get         Show a run and its nodes
      watch       Watch a run to its end, and go on with it where nobody else does
      wait        Wait until runs have ended, and go on with them where nobody else does
      logs        Print what the steps of a run wrote
      suspend     Start nothing new in runs until they are resumed
      resume      Make suspended runs, or suspended nodes of them, go on
      stop        End runs, and let their exit handlers run
      terminate   End runs at once; exit handlers do not run
      retry       Run again what failed in runs, in the same runs
      resubmit    Run again what runs ran, as new runs
      import      Go on with workflows that Argo has run: look at them, retry and resubmit them
      node        Act on single nodes of a run
      delete      Delete runs with their logs and artifacts
      template    Keep templates and cron workflows in a namespace, for others to refer to
      controller  Drive the runs of a namespace, whoever submitted them
      doctor      Check whether the cluster lets you run workflows, and say what to do
      install     Let drivers live in a namespace of the cluster: an account, and what it may do there
      uninstall   Remove from a namespace what `wf install` put there; runs stay
      explain     Say what a rule of `wf lint` means, and how to mend what it finds
      completion  Print the script that makes a shell complete commands, flags, runs and nodes
      version     Print the version
    ");
}

#[test]
fn the_short_help_names_what_holds_for_every_command() {
    assert_snapshot!(halves(&["-h"], "\nOptions:\n").1, @"
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
          --local                    Run on this machine, whatever cluster is configured [env: WF_LOCAL]
      -n, --namespace <NAME>         Namespace of the cluster [env: WF_NAMESPACE]
          --context <NAME>           Context of the cluster's configuration [env: WF_CONTEXT]
          --managed                  Make pods from this process, where the cluster lets it, instead of
                                     by the Job controller [env: WF_MANAGED]
          --shared-namespace <NAME>  Namespace that keeps the templates of cluster scope [env:
                                     WF_SHARED_NAMESPACE] [default: wf-shared]
          --state-dir <DIR>          Folder that holds the runs of this machine [env: WF_STATE_DIR]
          --color <WHEN>             When to use colour [env: WF_COLOR] [default: auto] [possible
                                     values: auto, always, never]
          --no-color                 Use no colour; the same as --color=never
          --no-utf8                  Use words and ASCII instead of symbols [env: WF_NO_UTF8]
          --no-input                 Never ask; a missing answer is an error [env: WF_NO_INPUT]
      -q, --quiet                    Print only data and errors
      -v, --verbose                  Print also what is done, and where

    RUN is the name of a run, or `@latest`.

    Exit codes: 0 success, 1 the run or the lint failed, 2 usage, 3 not found, 4 forbidden,
    5 unreachable, 6 timeout, 7 suspended, 8 driven by another process, 70 bug, 130 interrupted.
    ");
}

#[test]
fn submit_has_the_flags_that_argos_users_know() {
    assert_snapshot!(halves(&["submit", "-h"], "\nGlobal options:").0, @"
    Check manifests and run their workflows

    Usage: wf submit [OPTIONS] [FILE]...

    Arguments:
      [FILE]...  Files or folders; `-` is standard input

    Options:
      -p, --parameter <NAME=VALUE>     Set a parameter of the workflow
      -f, --parameter-file <FILE>      Read parameters from a file: a map of names to values
          --from <KIND/NAME>           Submit a template of the files or the namespace:
                                       workflowtemplate/NAME, clusterworkflowtemplate/NAME or
                                       cronworkflow/NAME
          --name <NAME>                Name of the run
          --generate-name <PREFIX>     Beginning of the run's name, which is completed by chance
          --entrypoint <TEMPLATE>      The template to begin with
          --serviceaccount <NAME>      Service account of the pods [alias: --service-account]
      -l, --labels <LABELS>            Labels of the run: name=value,…
          --annotations <ANNOTATIONS>  Annotations of the run: name=value,…
          --priority <NUMBER>          Which run comes first when not all may run
          --watch                      Watch the run to its end
      -w, --wait                       Wait to the end, also where only a person can make the run go on
          --log                        Print what the steps write, to the end of the run
          --no-prefix                  Do not begin lines of --log with the node's name
          --dry-run                    Check, and print what would run; with -o, the workflows as they
                                       would be submitted
      -o, --output <FORMAT>            How to print the run: name, json, yaml, jsonpath=…,
                                       custom-columns=…
          --events <FILE>              Write changes as NDJSON to this file; `-` is standard output
          --timeout <DURATION>         Exit 6 when the run has not ended in time; its steps go on
          --no-wait-suspend            Exit 7 when only a person can make the run go on
      -h, --help                       Print help (see more with '--help')
    ");
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
    assert_snapshot!(env.wf(&["explain", "wf004"]).success(), @r#"
    WF004: a value that starts with `{{` is not quoted, so YAML reads a map

    A value that begins with `{{` is a map to YAML. Put it in quotes:

        value: "{{inputs.parameters.name}}"
    "#);
    let all = env.wf(&["explain"]).success();
    assert!(all.lines().count() > 20, "{all}");
    assert_snapshot!(env.wf(&["explain", "WFX04"]).all(), @"
    exit 3
    --- stderr
    error: there is no rule `WFX04`
    hint: did you mean `WF004`?
    ");
}

/// `WF_LOCAL=1` is what people write, `true` what programs do.
#[test]
fn flags_of_the_environment_take_the_usual_words() {
    for word in ["1", "true", "yes", "0", "false", ""] {
        TestEnv::new().wf_with_variable("WF_NO_INPUT", word, &["version"]).success();
    }
}
