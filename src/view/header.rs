//! The block above the tree, in the lines and the order of `argo get`.

use super::look::{self, Look};
use super::model::RunView;
use crate::base::Timestamp;

/// Returns the block, each line ended by a newline.
pub fn render(view: &RunView, look: Look) -> String {
    let mut block = Block(String::new());
    block.line("Name", &view.name);
    block.line("Namespace", &view.namespace);
    block.line("ServiceAccount", service_account(view));
    let mark = super::look::Mark::of(view.phase);
    block.line("Status", &look.paint(mark.style(), &view.status()));
    block.line_unless_empty("Message", &look::one_line(&view.message));
    block.time("Created", Some(view.created_at), view.now);
    block.time("Started", view.started_at, view.now);
    block.time("Finished", view.finished_at, view.now);
    if let Some(duration) = view.duration() {
        block.line("Duration", &duration.to_string());
    }
    block.line("Progress", &format!("{}/{}", view.progress.0, view.progress.1));
    let arguments = view.arguments.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    block.list("Parameters", arguments);
    let parameters = view.outputs.parameters.iter().map(|parameter| (&*parameter.name, parameter.value.as_deref()));
    block.list("Output Parameters", parameters);
    block.list("Output Artifacts", view.outputs.artifacts.iter().map(|artifact| (artifact.name.as_str(), Some(""))));
    block.0
}

fn service_account(view: &RunView) -> &str {
    if view.service_account.is_empty() {
        "unset (will run with the default ServiceAccount)"
    } else {
        &view.service_account
    }
}

struct Block(String);

impl Block {
    fn line(&mut self, key: &str, value: &str) {
        self.0.push_str(format!("{:<20} {value}", format!("{key}:")).trim_end());
        self.0.push('\n');
    }

    fn line_unless_empty(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.line(key, value);
        }
    }

    fn time(&mut self, key: &str, at: Option<Timestamp>, now: Timestamp) {
        if let Some(at) = at {
            let stamp = at.to_jiff().strftime("%a %b %d %H:%M:%S +0000");
            self.line(key, &format!("{stamp} ({} ago)", look::age(now.since(at))));
        }
    }

    fn list<'a>(&mut self, key: &str, items: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
        for (at, (name, value)) in items.enumerate() {
            if at == 0 {
                self.line(key, "");
            }
            self.line(&format!("  {name}"), &look::one_line(value.unwrap_or("<none>")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Parameter, Phase};
    use crate::view::model::tests::run;

    #[test]
    fn the_block_has_argos_lines() {
        let mut view = run("wf-x7k2p", Phase::Failed, "");
        view.message = "child 'x' failed\nsecond line".to_owned();
        view.outputs.parameters.push(Parameter { name: "digest".into(), value: Some("abc".into()) });
        insta::assert_snapshot!(render(&view, Look::PLAIN), @"
        Name:                wf-x7k2p
        Namespace:
        ServiceAccount:      unset (will run with the default ServiceAccount)
        Status:              Failed
        Message:             child 'x' failed
        Created:             Tue Nov 14 22:13:20 +0000 (84s ago)
        Started:             Tue Nov 14 22:13:20 +0000 (84s ago)
        Finished:            Tue Nov 14 22:14:43 +0000 (1s ago)
        Duration:            1m23s
        Progress:            1/2
        Parameters:
          message:           hello
        Output Parameters:
          digest:            abc
        ");
    }
}
