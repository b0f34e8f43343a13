//! The program against a real cluster: the one that `WF_TEST_KUBECONFIG` names, which `tests/cluster/run`
//! starts. Without it every test here says that it was skipped, and passes.

mod space;

mod starts;

mod proxy;

mod manifests;

mod drivers;

mod in_cluster;

mod kept_logs;

mod disruptions;

mod outages;

mod server_faults;

mod limits;

mod control;

mod sets;

mod waits;

mod managed;

mod resources;

mod requests;

mod refusals;

mod clean;

mod commands;

mod sharing;
