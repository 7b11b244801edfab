#!/usr/bin/env bash
# The daemon is killed with SIGKILL in the middle of a first sync, five times, at moments drawn from a seed; then it runs
# until all is quiet. Afterwards nothing is left to write, nobody and no company was created twice, every record that
# leadloop made bears a key of its own, marketing has lost nobody, and the CRM is as a run that nobody disturbed leaves it.
#
#     tests/kill.sh [SEED]
set -euo pipefail
cd "$(dirname "$0")/.."

leadloop=$(realpath "${LEADLOOP:-target/release/leadloop}")
seed=${1:-7}
leads=2000
accounts=400
kills=5

work=$(mktemp -d)
pids=()
stop() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
}
trap 'stop; rm -rf "$work"' EXIT

fail() {
    echo "$1" >&2
    tail -n 20 "$work/daemon.log" >&2 || true
    exit 1
}

# Two vendors and a configuration for them, in a directory of their own.
world() {
    local room=$work/$1
    mkdir "$room"
    for vendor in hubspot salesforce; do
        "$leadloop" simulate "$vendor" --port 0 --seed "$seed" --leads "$leads" --accounts "$accounts" \
            > "$room/$vendor" 2> "$room/$vendor.log" &
        pids+=($!)
    done
    for vendor in hubspot salesforce; do
        for _ in $(seq 200); do
            ! grep -q '^a connection to it' "$room/$vendor" || break
            sleep 0.1
        done
        # The simulator says how it is connected to.
        sed '1,/^a connection to it/d' "$room/$vendor" > "$room/$vendor.toml"
        [ -s "$room/$vendor.toml" ] || fail "the simulated $vendor did not start: $(cat "$room/$vendor.log")"
    done
    HUBSPOT=$(sed -n 's/^listening on //p' "$room/hubspot")
    SALESFORCE=$(sed -n 's/^listening on //p' "$room/salesforce")
    export HUBSPOT SALESFORCE
    # The agreement as `init` writes it.
    "$leadloop" init "$room/conf" > /dev/null
    config=$room/conf/leadloop.toml
    {
        printf 'state = "state"\n\n[connections.marketing]\n'
        cat "$room/hubspot.toml"
        printf '\n[connections.crm]\n'
        cat "$room/salesforce.toml"
        printf '\n[loops.main]\nmarketing = "marketing"\ncrm = "crm"\nagreement = "agreement.toml"\nevery = "1s"\n'
    } > "$config"
}
export LEADLOOP_REHEARSAL_TOKEN=simulated-token LEADLOOP_REHEARSAL_SECRET=simulated-secret

# Asks both vendors over their own interfaces: `made` is how many people leadloop has made, `reach` waits for so many,
# `crm` prints who and what is there, `verify` looks at everything.
cat > "$work/ask.py" <<'PYTHON'
import json
import os
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter

HUBSPOT, SALESFORCE = os.environ["HUBSPOT"], os.environ["SALESFORCE"]


def call(address, headers, data=None):
    with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
        return json.load(answer)


SIGN_IN = {"grant_type": "client_credentials", "client_id": "simulated-client", "client_secret": "simulated-secret"}
session = call(f"{SALESFORCE}/services/oauth2/token", {}, urllib.parse.urlencode(SIGN_IN).encode())
BEARER = {"Authorization": f"Bearer {session['access_token']}"}
OURSELVES = session["id"].rsplit("/", 1)[1]


def query(soql):
    page = call(f"{SALESFORCE}/services/data/v62.0/query?{urllib.parse.urlencode({'q': soql})}", BEARER)
    rows, total = page["records"], page["totalSize"]
    while not page["done"]:
        page = call(SALESFORCE + page["nextRecordsUrl"], BEARER)
        rows += page["records"]
    return rows, total


def made():
    ours = f"WHERE CreatedById = '{OURSELVES}'"
    return sum(query(f"SELECT COUNT() FROM {kind} {ours}")[1] for kind in ("Contact", "Lead"))


def people():
    after, ids = None, []
    while True:
        search = {"limit": 100, "properties": "email"} | ({"after": after} if after else {})
        page = call(f"{HUBSPOT}/crm/v3/objects/contacts?{urllib.parse.urlencode(search)}", {"Authorization": "Bearer simulated-token"})
        ids += [one["id"] for one in page["results"]]
        if "paging" not in page:
            return ids
        after = page["paging"]["next"]["after"]


def crm():
    """Everybody and every company in the CRM, but for ids, and for what may depend on who came first: of two accounts that
    fit a person equally well, the one that is there is taken, and its owner."""
    accounts, _ = query("SELECT Name, Website, Leadloop_Key__c FROM Account")
    fields = "FirstName, LastName, Email, Phone, Title, HasOptedOutOfEmail, Leadloop_Key__c"
    contacts, _ = query(f"SELECT {fields} FROM Contact")
    leads, _ = query(f"SELECT {fields}, Company, Status FROM Lead WHERE IsConverted = false")
    lines = []
    for kind, rows in (("account", accounts), ("contact", contacts), ("lead", leads)):
        for row in rows:
            del row["attributes"]
            lines.append(f"{kind} {json.dumps(row, sort_keys=True, ensure_ascii=False)}")
    return sorted(lines)


def verify(expected):
    wrong = []
    converted = {one["ConvertedContactId"] for one in query("SELECT ConvertedContactId FROM Lead WHERE IsConverted = true")[0]}
    contacts, _ = query("SELECT Id, Email, AccountId, CreatedById, Leadloop_Key__c FROM Contact")
    leads, _ = query("SELECT Id, Email, CreatedById, Leadloop_Key__c FROM Lead WHERE IsConverted = false")
    accounts, _ = query("SELECT Id, Name, Website, CreatedById, Leadloop_Key__c FROM Account")
    ours = [one for one in contacts + leads if one["CreatedById"] == OURSELVES]

    # A contact that was a lead of sales' before bears no key: the lead's id keeps it from being converted twice.
    keyed = [one for one in ours if one["Id"] not in converted] + [one for one in accounts if one["CreatedById"] == OURSELVES]
    keys = Counter(one["Leadloop_Key__c"] for one in keyed)
    wrong += [f"{count} records that we made bear the key {key}" for key, count in keys.items() if key is None or count > 1]
    # Whoever we have made is nobody else's twin either.
    addresses = Counter(one["Email"].lower() for one in contacts + leads if one["Email"])
    wrong += [f"{one['Email']} is there {addresses[one['Email'].lower()]} times" for one in ours if one["Email"] and addresses[one["Email"].lower()] > 1]
    names = Counter((one["Name"].casefold(), one["Website"]) for one in accounts)
    wrong += [f"account {one['Name']} is there twice" for one in accounts if one["CreatedById"] == OURSELVES and names[one["Name"].casefold(), one["Website"]] > 1]
    homeless = [one["Id"] for one in contacts if one["CreatedById"] == OURSELVES and not one["AccountId"]]
    wrong += [f"contact {one} has no account" for one in homeless]
    ids = people()
    if not len(ids) == len(set(ids)) == expected:
        wrong.append(f"marketing holds {len(ids)} people, {len(set(ids))} different ones, and should hold {expected}")
    print(f"{len(ours)} people and {sum(one['CreatedById'] == OURSELVES for one in accounts)} accounts made, {len(keys)} keys, {len(ids)} people in marketing")
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    sys.exit(bool(wrong))


def reach(target):
    """Waits until so many are made, or no more are to be expected."""
    until = time.monotonic() + 5
    while made() < target and time.monotonic() < until:
        time.sleep(0.01)


if sys.argv[1] == "made":
    print(made())
elif sys.argv[1] == "reach":
    reach(int(sys.argv[2]))
elif sys.argv[1] == "crm":
    print("\n".join(crm()))
else:
    verify(int(sys.argv[2]))
PYTHON
ask() { python3 "$work/ask.py" "$@"; }

world killed
RANDOM=$seed
start=$(ask made)
echo "before: $start people made by the integration's user"
target=$start
for round in $(seq "$kills"); do
    "$leadloop" run --config "$config" >> "$work/daemon.log" 2>&1 &
    daemon=$!
    pids+=("$daemon")
    if [ "$round" -eq 1 ]; then
        # While it still reads.
        sleep "0.$((RANDOM % 400 + 100))"
    else
        # While it writes: after so many more people, and a bit.
        ask reach $((target + 1 + RANDOM % 50))
        sleep "0.0$((RANDOM % 90 + 10))"
    fi
    kill -KILL "$daemon" 2> /dev/null || fail "the daemon ended by itself"
    wait "$daemon" 2> /dev/null || true
    target=$(ask made)
    [ "$round" -ne 2 ] || midway=$target
    echo "kill $round at $target people made"
done
# Runs until all is quiet; its summary is then in $summary.
once() {
    summary=$("$leadloop" run --once --json --config "$config" 2>> "$work/daemon.log") || fail "the run did not come to an end"
    python3 -c 'import json, sys; print(json.loads(sys.argv[1])["writes"])' "$summary"
}
first=$(once)
[ "$(ask made)" -gt "$midway" ] || fail "the kills came too late: nobody was left to make after the second"
second=$(once)
echo "after the kills: $first writes until quiet, then $second"
[ "$second" -eq 0 ] || fail "a second run still wrote"
ask crm > "$work/killed.txt"
ask verify "$leads" || fail "the worlds are not as they should be"

world calm
echo "undisturbed: $(once) writes until quiet"
ask crm > "$work/calm.txt"
diff "$work/calm.txt" "$work/killed.txt" > "$work/difference" || fail "an undisturbed run leaves another CRM: $(head -n 20 "$work/difference")"
echo "the CRM is the same after both: $(wc -l < "$work/calm.txt") accounts, contacts and leads"
