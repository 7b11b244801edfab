#!/usr/bin/env bash
# Published clients of HubSpot and Salesforce against the simulators: what they, written by others, take for the vendors'
# behaviour must be the simulators' too. They are installed under target/clients, at the versions named beside this file.
#
#     tests/clients/run.sh             all of them
#     tests/clients/run.sh jsforce     those whose name contains this
set -euo pipefail
cd "$(dirname "$0")/../.."

leadloop=${LEADLOOP:-target/release/leadloop}
here=$PWD/tests/clients
room=$PWD/target/clients
only=${1:-}
mkdir -p "$room"

for tool in python3 node npm; do
    command -v "$tool" > /dev/null || { echo "$tool is needed" >&2; exit 1; }
done

# A virtual environment for each list: the taps pin old versions of what others use.
for list in clients tap-hubspot tap-salesforce; do
    if ! cmp -s "$here/$list.txt" "$room/$list/installed.txt"; then
        rm -rf "${room:?}/$list"
        python3 -m venv "$room/$list"
        "$room/$list/bin/pip" install --quiet --disable-pip-version-check -r "$here/$list.txt"
        cp "$here/$list.txt" "$room/$list/installed.txt"
    fi
done
if ! cmp -s "$here/package.json" "$room/node/installed.json"; then
    rm -rf "${room:?}/node"
    mkdir -p "$room/node"
    cp "$here/package.json" "$room/node/"
    npm install --prefix "$room/node" --silent --no-fund --no-audit --no-package-lock --ignore-scripts
    cp "$here/package.json" "$room/node/installed.json"
fi

work=$(mktemp -d)
pids=()
stop() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    pids=()
}
trap 'stop; rm -rf "$work"' EXIT

# Starts a simulated vendor; its address is then in $origin.
simulate() {
    "$leadloop" simulate "$1" --port 0 --seed 7 --leads 300 --accounts 60 > "$work/$1" 2> "$work/$1.log" &
    pids+=($!)
    for _ in $(seq 100); do
        origin=$(sed -n 's/^listening on //p' "$work/$1")
        [ -z "$origin" ] || return 0
        sleep 0.1
    done
    echo "the simulated $1 did not start:" >&2
    cat "$work/$1.log" >&2
    exit 1
}

passed=0
failed=0
# A client, on vendors of its own: name, and the command.
client() {
    local name=$1
    shift
    [[ $name == *"$only"* ]] || return 0
    simulate hubspot
    export HUBSPOT=$origin
    simulate salesforce
    export SALESFORCE=$origin
    if timeout 300 "$@" > "$work/out" 2>&1; then
        tail -n 1 "$work/out"
        passed=$((passed + 1))
    else
        echo "$name failed:" >&2
        tail -n 40 "$work/out" >&2
        failed=$((failed + 1))
    fi
    stop
}

export HUBSPOT_TOKEN=simulated-token
export SALESFORCE_USER=integration@example.com SALESFORCE_PASSWORD=simulated-password
export SALESFORCE_CLIENT=simulated-client SALESFORCE_SECRET=simulated-secret SALESFORCE_REFRESH_TOKEN=5Aep861-first
export MODULES=$room/node

client hubspot-api-client "$room/clients/bin/python" "$here/hubspot_api_client.py"
client hubspot-api-client-node node "$here/hubspot_api_client.mjs"
client tap-hubspot "$room/tap-hubspot/bin/python" "$here/tap_hubspot_client.py"
client simple-salesforce "$room/clients/bin/python" "$here/simple_salesforce_client.py"
client jsforce node "$here/jsforce.mjs"
client tap-salesforce "$room/tap-salesforce/bin/python" "$here/tap_salesforce_client.py"

echo "clients: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
