# What `build`, `up`, `down`, `ctl` and `run` share; not to be run itself.
#
# An instance is one cluster. Its first process has PID, mount and network namespaces of its own, so that
# killing it ends, unmounts and unroutes everything; outside it there are only a folder, a pair of network
# devices and empty cgroups, which `stop` removes. Instances of other names do not touch each other.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# What is slow to make: the program and the images. Instances live below it too.
cache="${WF_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wf-cluster}"
# The instance that is meant.
name="${WF_CLUSTER_NAME:-default}"
folder="$cache/instances/$name"
program="$cache/cluster"

say() { printf 'cluster: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Says what the machine lacks, all of it at once.
check_machine() {
    local missing=() tool
    [ "$(uname -s)" = Linux ] || die 'a node needs Linux'
    [ "$(id -u)" = 0 ] || die 'a node needs root: run as root, or name a cluster by WF_TEST_KUBECONFIG'
    for tool in "$@"; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} = 0 ] || die "missing programs: ${missing[*]}; see \`tests/cluster/packages\`"
    case "$cache/" in /run/* | /var/lib/* | /var/log/*) die "$cache is hidden in an instance: set WF_CLUSTER_CACHE" ;; esac
}

# Says whether the instance of a folder runs. A number alone may be another process's by now.
is_up() { # folder
    [ -f "$1/pid" ] && { tr '\0' ' ' < "/proc/$(cat "$1/pid")/cmdline"; } 2> /dev/null | grep -F " serve $1 " > /dev/null
}

# Says whether an instance that runs has the number.
is_taken() { # number
    local other
    for other in "$cache"/instances/*/; do
        [ "$(cat "$other/number" 2> /dev/null)" = "$1" ] && is_up "${other%/}" && return 0
    done
    return 1
}

# Starts the instance and returns when its nodes are ready. The words after the kind go before the command
# that holds it, and decide how long it lives.
start() { # real|fake, wrapper...
    local kind=$1 number pid
    shift
    is_up "$folder" && die "instance $name is up already"
    stop "$folder"
    sweep
    rm -rf "$folder/log"
    mkdir -p "$folder/log"
    number="$(claim_number)"
    echo "$number" > "$folder/number"
    cgroups "wf-test-$number" | xargs mkdir -p
    "$@" unshare --mount --pid --net --ipc --uts --fork --kill-child --mount-proc \
        "$here/inside" "$program" serve "$folder" "$kind" "$number" > "$folder/log/serve.log" 2>&1 < /dev/null &
    pid=$!
    # It ends by being killed, which the shell would report.
    disown "$pid"
    echo "$pid" > "$folder/pid"
    connect "$number" "$(first_child "$pid")"
    until [ -e "$folder/ready" ]; do
        kill -0 "$pid" 2> /dev/null || die "instance $name did not start: $(tail -n 3 "$folder/log/serve.log"), see $folder/log"
        sleep 0.05
    done
}

# Prints the number of the instance. Making a network device of that number is what claims it.
claim_number() {
    local number
    for number in $(seq 1 100); do
        if ip link add "wf-test-$number" type veth peer name "wf-peer-$number" 2> /dev/null; then
            echo "$number"
            return
        fi
    done
    die 'no network device can be made: 100 instances are up, or the kernel has no veth'
}

# Prints the cgroups of the name: one in each hierarchy of version 1, or one in all.
cgroups() { # name
    local hierarchy
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        echo "/sys/fs/cgroup/$1"
        return
    fi
    for hierarchy in /sys/fs/cgroup/*/; do
        [ -L "${hierarchy%/}" ] || echo "$hierarchy$1"
    done
}

# Removes cgroups whose processes are gone or about to be.
remove_cgroups() { # name
    local cgroup tries
    for cgroup in $(cgroups "$1"); do
        for tries in $(seq 50); do
            [ -d "$cgroup" ] || break
            find "$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null || sleep 0.1
        done
        [ ! -d "$cgroup" ] || say "$cgroup remains"
    done
}

first_child() { # pid
    local child tries
    for tries in $(seq 100); do
        child="$(cat "/proc/$1/task/$1/children" 2> /dev/null || true)"
        # In namespaces of its own only once it is no longer in ours.
        if [ -n "$child" ] && [ "$(readlink "/proc/${child% }/ns/net")" != "$(readlink /proc/self/ns/net)" ]; then
            echo "${child% }"
            return
        fi
        sleep 0.05
    done
    die "instance $name did not start: $(tail -n 3 "$folder/log/serve.log")"
}

# Gives the instance its network device, and the machine a way to its node and pods.
connect() { # number, pid
    ip link set "wf-peer-$1" netns "$2" name eth0
    ip addr add "10.99.$1.1/30" dev "wf-test-$1"
    ip link set "wf-test-$1" up
    ip route add "10.$((128 + $1)).0.0/16" via "10.99.$1.2"
}

# Ends an instance, whatever state it is in; the logs stay.
stop() { # folder
    local pid number
    [ -d "$1" ] || return 0
    if is_up "$1"; then
        pid="$(cat "$1/pid")"
        kill -KILL "$pid"
        while kill -0 "$pid" 2> /dev/null; do
            sleep 0.02
        done
    fi
    number="$(cat "$1/number" 2> /dev/null || true)"
    if [ -n "$number" ] && ! is_taken "$number"; then
        remove_cgroups "wf-test-$number"
        ip link delete "wf-test-$number" 2> /dev/null || true
    fi
    find "$1" -mindepth 1 -maxdepth 1 -not -name log -exec rm -rf {} +
}

# Removes what is left of instances that were killed with their scripts, and the logs of earlier suites.
sweep() {
    local other
    for other in "$cache"/instances/*/; do
        other="${other%/}"
        [ "$other" != "$folder" ] && ! is_up "$other" || continue
        # One that starts has a number before it has a process.
        [ ! -f "$other/pid" ] || stop "$other"
        case "${other##*/}" in suite-*) [ -f "$other/number" ] || rm -rf "$other" ;; esac
    done
}
