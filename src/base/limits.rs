//! Every bound of the program, with its reason. Reaching one is a message that names it.

/// Kubernetes label values, and with them Argo's workflow names, hold 63 characters.
pub const RUN_NAME_BYTES_MAX: usize = 63;

/// Templates, steps and tasks: Argo's `maxCharsInObjectName` less its suffixes (`workflow/validate`).
pub const TEMPLATE_NAME_BYTES_MAX: usize = 128;

/// A manifest's text: 100,000 tasks with an argument each take half of it.
pub const MANIFEST_BYTES_MAX: usize = 32 << 20;

/// Documents of a file, and objects of a list. Each is checked with all the others in sight.
pub const OBJECTS_PER_FILE_MAX: usize = 10_000;

/// How deep YAML may nest, checked before parsing: recursion below is bounded by it.
pub const YAML_DEPTH_MAX: usize = 128;

/// Nodes of a YAML text after aliases are expanded: an alias bomb ends here, and a list of letters. Each takes a
/// hundred bytes of memory and more.
pub const YAML_NODES_MAX: usize = 1_000_000;

/// A longer text may have more nodes. Five times what an API server takes is longer than anything but a graph
/// that a program made.
pub const YAML_LONG_BYTES: usize = 8 << 20;

/// For each so many bytes that a text is longer than that, it may have a node more. In large graphs a node takes
/// seven bytes or more.
pub const YAML_BYTES_PER_NODE: usize = 4;

/// Templates of one object. Whoever makes manifests by program makes tasks or items of loops, not templates,
/// of which each takes some kilobytes.
pub const TEMPLATES_PER_OBJECT_MAX: usize = 10_000;

/// Steps and tasks of one object, each of which takes two kilobytes. What a loop makes does not count.
pub const TASKS_PER_OBJECT_MAX: usize = 100_000;

/// Bytes that the expansion of aliases may add to one YAML text.
pub const YAML_ALIAS_BYTES_MAX: usize = 16 << 20;

/// Problems told of one file: nobody reads on, and each holds its words in memory.
pub const DIAGNOSTICS_PER_FILE_MAX: usize = 1000;

/// Length of one expression or template text.
pub const EXPR_BYTES_MAX: usize = 256 << 10;

/// Problems of one rule told of one manifest: a mistake that is made in each task of a large graph is told this often.
pub const PROBLEMS_PER_RULE_MAX: usize = 300;

/// Bytes, as JSON, that laying `templateDefaults` under each template may add to one manifest.
pub const TEMPLATE_DEFAULTS_BYTES_MAX: usize = 16 << 20;

/// Names of a circle that a message lists; a longer circle is told by its beginning.
pub const CIRCLE_NAMES_MAX: usize = 8;

/// How deep an expression may nest: the parser and the evaluator recurse.
pub const EXPR_DEPTH_MAX: usize = 100;

/// Steps of one evaluation: a loop over lists of lists ends here.
pub const EXPR_STEPS_MAX: u64 = 1_000_000;

/// Bytes that one evaluation may make.
pub const EXPR_BYTES_MADE_MAX: usize = 64 << 20;

/// How deep a value that an expression makes may nest: writing, comparing and dropping it recurse.
/// JSON texts end at 128.
pub const EXPR_VALUE_DEPTH_MAX: usize = 256;

/// Work and memory of one jq filter, in bytes: a step counts as 128. A second or two, and 300 MB of iterators that
/// wait for each other at worst.
pub const JQ_WORK_MAX: u64 = 256 << 20;

/// One value of a jq filter, what is shared in it counted as often as it is there. An API server takes objects of
/// 1.5 MiB; a list of all that is in one, by `..`, is some times as large.
pub const JQ_VALUE_BYTES_MAX: u64 = 32 << 20;

/// The stack of a jq filter. An eighth is for going down, the rest for what was built meanwhile: it is run, and
/// dropped, by recursion too. What is not used takes no memory.
pub const JQ_STACK_BYTES: usize = 256 << 20;

/// How deep templates may call templates, as Argo's `maxRecursionDepth`.
pub const TEMPLATE_DEPTH_MAX: u32 = 100;

/// Nodes of one run, loops and retries included.
pub const NODES_PER_RUN_MAX: usize = 1_000_000;

/// Items of one loop. Argo has no bound and runs out of memory instead.
pub const LOOP_ITEMS_MAX: usize = 100_000;

/// What is kept of a step's standard output as its result: the end of it, as Argo's executor does.
pub const RESULT_BYTES_MAX: usize = 256 << 10;

/// An output parameter's file.
pub const OUTPUT_PARAMETER_BYTES_MAX: usize = 1 << 20;

/// A single command argument or environment value: Linux's `MAX_ARG_STRLEN`.
pub const ARGUMENT_BYTES_MAX: usize = 128 << 10;

/// All annotations of a Kubernetes object together: its `TotalAnnotationSizeLimitB`.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;

/// How often a pod that was drained, preempted or evicted is replaced: one that is evicted since it
/// takes too much memory would be for ever.
pub const DISRUPTIONS_PER_NODE_MAX: u32 = 20;

/// Objects of one page of a list: what a server likes to give at once.
pub const LIST_PAGE_OBJECTS: u32 = 500;

/// Pages of one list: more objects than a run may have nodes.
pub const LIST_PAGES_MAX: usize = 4000;

/// One line of a container's log; a longer one comes in parts.
pub const LOG_LINE_BYTES_MAX: usize = 1 << 20;

/// How often the end of a log is read that lags behind the end of its container, as on a busy machine: about nine
/// seconds, since each pause is twice the one before.
pub const TRAILER_TRIES_MAX: u32 = 6;

/// How often a call of a resource template is made that the server cannot answer: about four minutes.
pub const RESOURCE_TRIES_MAX: usize = 30;

/// How long a pod may lack an image, or a secret, that the cluster tries to get: after it the node
/// is an error. `pendingTimeout` says otherwise. One that has no place yet may wait for ever.
pub const PENDING_SECONDS_MAX: u64 = 3600;

/// How long nothing may be heard of a pod beyond the time that it had to end: its machine is lost then, and the
/// pod counts as disrupted. A cluster asks a pod to end about six minutes after its machine fell silent.
pub const LOST_SECONDS: u64 = 60;

/// How long a watch is believed: servers and what lies before them have lost events, and none comes twice. A list
/// every five minutes costs a run three requests.
pub const RELIST_SECONDS: u64 = 300;

/// How long after the last proof that the log is ours a pod may be started without another proof: a driver that
/// took over may stop the pod, and delete its Job, right away. A proof is one read.
pub const LATE_ACTION_SECONDS: u64 = 2;

/// Events that one driver writes about a run: they are for people.
pub const EVENTS_PER_DRIVER_MAX: u32 = 200;

/// Entries of an artifact that is a folder or an archive.
pub const ARCHIVE_ENTRIES_MAX: usize = 100_000;

/// Bytes that an archive may unpack to: a bomb ends here, before the disk does.
pub const ARCHIVE_BYTES_MAX: u64 = 64 << 30;

/// What is still read of a container's output after its end, should others go on writing.
pub const DRAIN_BYTES_MAX: usize = 16 << 20;

/// Pods that run here at one time, as a kubelet's default; the others wait for their turn.
pub const LOCAL_PODS_MAX: usize = 110;

/// An order to a supervisor: a manifest's text, and what its parameters and files add.
pub const ORDER_BYTES_MAX: usize = 64 << 20;

/// How long a process may take to end after SIGTERM when nobody says: Kubernetes' `terminationGracePeriodSeconds`.
pub const STOP_GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// How often a pod's end looks for processes that left its groups; each look ends one at least.
pub const ADOPTED_ROUNDS_MAX: usize = 10_000;

/// How long a supervisor without pods waits for its driver to come back: a new one takes as long to start.
pub const SUPERVISOR_LINGER: std::time::Duration = std::time::Duration::from_secs(1);

/// How often a supervisor that ends is started again for one request.
pub const SUPERVISOR_TRIES_MAX: usize = 3;

/// Nodes of one expression, as Go's expr has it (`conf.DefaultMaxNodes`).
pub const EXPR_NODES_MAX: usize = 10_000;

/// Names that are compared to find the one that was meant. One mistake may be repeated in every
/// task of a large graph, and must not cost the square of it.
pub const SUGGESTION_NAMES_MAX: usize = 200;

/// Trials of conditions in one manifest, to find those that nothing satisfies: about a tenth of a second.
pub const CONDITION_TRIALS_MAX: usize = 50_000;

/// Templates of one manifest below which locks of callers are looked for: each look may walk all templates.
pub const LOCK_HOLDERS_MAX: usize = 200;

/// Nodes of a drawing of a plan: nobody looks at more, and templates that call each other twice double them.
pub const GRAPH_NODES_MAX: usize = 5_000;

/// Tags of one text: more than any manifest has, few enough that complaints about each stay cheap.
pub const TAGS_PER_TEXT_MAX: usize = 10_000;

/// Bytes of a file with Workflow objects of Argo's to import, and of their nodes when unpacked. A run of
/// 100,000 nodes takes about that much there.
pub const IMPORT_BYTES_MAX: usize = 128 << 20;

/// How often the pod of a driver in the cluster is started again before its Job gives up: with the Job
/// controller's pauses, some hours.
pub const DRIVER_RESTARTS_MAX: u32 = 20;

/// Runs that a controller drives at one time, unless `--runs` says otherwise: each watches its own pods
/// over connections of its own. The others wait for their turn.
pub const CONTROLLER_RUNS_MAX: usize = 100;

/// Bytes of each container's log that are kept when its pod goes, of its end, unless the annotation
/// `wf.internal/log-bytes` of the manifest says otherwise.
pub const KEPT_LOG_BYTES: usize = 256 << 10;

/// The most that the annotation can say: one log must fit into one object.
pub const KEPT_LOG_BYTES_MAX: usize = 512 << 10;

/// Lines of a container's log that are read to be kept.
pub const KEPT_LOG_LINES_MAX: i64 = 20_000;

/// Bytes, compressed, of all logs that are kept of one run: they lie in the store of the whole cluster.
pub const KEPT_LOGS_PER_RUN_BYTES_MAX: usize = 32 << 20;

/// Jobs of a run that stay after their ends. 100,000 Jobs with their pods would fill the cluster's store;
/// the oldest go, once their logs are kept.
pub const FINISHED_JOBS_MAX: usize = 1000;

/// Nodes whose logs are kept, and whose pods or Jobs go, in one step.
pub const LEAVING_TOGETHER_MAX: usize = 64;

/// Seconds that the request of an `http` template may take, whatever its template says.
pub const HTTP_SECONDS_MAX: u64 = 600;

/// Redirects that such a request follows on one host: what Go's client follows.
pub const HTTP_REDIRECTS_MAX: usize = 10;
