#!/usr/bin/env bash
# The unit is well formed, and may do little: its exposure, as systemd counts it, is 1.5 or less (0 is best, 10 worst).
# Needs systemd-analyze (Debian: systemd); systemd itself need not run.
set -euo pipefail
cd "$(dirname "$0")/.."

bar=1.5
unit=systemd/leadloop.service

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# systemd-analyze looks up what the unit names: in a root of our own, so that nothing need be installed.
install -D -m 0644 "$unit" "$root/etc/systemd/system/leadloop.service"
for program in /usr/bin/leadloop /bin/kill; do
    install -D -m 0755 /bin/true "$root$program"
done
for target in multi-user network-online sysinit basic shutdown; do
    install -D -m 0644 /dev/null "$root/usr/lib/systemd/system/$target.target"
    printf '[Unit]\nDescription=%s\n' "$target" > "$root/usr/lib/systemd/system/$target.target"
done

complaints=$(SYSTEMD_LOG_TARGET=console systemd-analyze verify --man=no --root="$root" leadloop.service 2>&1 || echo "verify failed")
if [ -n "$complaints" ]; then
    echo "systemd-analyze verify complains about $unit:" >&2
    echo "$complaints" >&2
    exit 1
fi
echo "verify: clean"

report=$(systemd-analyze security --offline=true --no-pager "$unit")
score=$(sed -n 's/.*Overall exposure level for leadloop.service: \([0-9.]*\).*/\1/p' <<< "$report")
if [ -z "$score" ]; then
    echo "systemd-analyze security gave no score:" >&2
    echo "$report" >&2
    exit 1
fi
echo "exposure: $score (bar $bar)"
if ! awk -v score="$score" -v bar="$bar" 'BEGIN { exit !(score <= bar) }'; then
    grep '✗' <<< "$report" >&2
    exit 1
fi
