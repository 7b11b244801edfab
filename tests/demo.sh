#!/usr/bin/env bash
# The demonstration for a while: two simulated vendors, two teams at work, and the daemon between them. Afterwards nothing
# may be lost, doubled or different.
set -euo pipefail
cd "$(dirname "$0")/.."

leadloop=${LEADLOOP:-target/release/leadloop}
"$leadloop" demo --for "${1:-20s}" --json | python3 -c '
import json
import sys

summary = json.load(sys.stdin)
print(json.dumps(summary, indent=2))
wrong = {name: summary[name] for name in ("drift", "duplicates", "lost") if summary[name] != 0}
idle = [name for name in ("leads_read", "contacts_created", "writes", "people_compared", "fields_compared") if summary[name] == 0]
if wrong or idle:
    sys.exit(f"wrong: {wrong}, idle: {idle}")
'
