#!/usr/bin/env bash
# Versions in Cargo.lock below which a dependency has a known hole. The advisory database cannot be asked everywhere this
# runs, so the floors that matter here are written down.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 - <<'PYTHON'
import sys
import tomllib

FLOORS = {
    "crossbeam-epoch": "0.9.20",
    "h2": "0.4.16",
    "ring": "0.17.12",
    "rustls-webpki": "0.103.13",
    "tokio": "1.44.2",
    "tracing-subscriber": "0.3.20",
}
# Another TLS beside rustls would bring its own holes and its own certificates.
UNWANTED = {"native-tls", "openssl-sys"}


def order(version):
    """Only releases are compared: of a version with a suffix (a pre-release) the numbers count."""
    return [int(part) for part in version.split("+")[0].split("-")[0].split(".")]


with open("Cargo.lock", "rb") as file:
    packages = [(one["name"], one["version"]) for one in tomllib.load(file)["package"]]
low = [f"{name} {version} is below {FLOORS[name]}" for name, version in packages if name in FLOORS and order(version) < order(FLOORS[name])]
unwanted = [f"{name} {version} should not be here" for name, version in packages if name in UNWANTED]
for complaint in low + unwanted:
    print(complaint, file=sys.stderr)
held = sorted(f"{name} {version}" for name, version in packages if name in FLOORS)
print(f"{len(packages)} packages; above their floors: {', '.join(held)}")
sys.exit(bool(low or unwanted))
PYTHON
