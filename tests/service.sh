#!/usr/bin/env bash
# The daemon as systemd, administrators and monitoring see it: notifications, watchdog, reload, admin socket, health and
# metrics, exit codes, and a log that tells neither secrets nor whose data went through.
set -euo pipefail
cd "$(dirname "$0")/.."

leadloop=$(realpath "${LEADLOOP:-target/release/leadloop}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$leadloop" "$work" << 'PYTHON'
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

leadloop, work = sys.argv[1], Path(sys.argv[2])
secrets = {"LEADLOOP_REHEARSAL_TOKEN": "simulated-token", "LEADLOOP_REHEARSAL_SECRET": "simulated-secret"}
started = []


def start(*arguments, log, **environment):
    with open(work / log, "ab") as file:
        process = subprocess.Popen([leadloop, *arguments], stdout=file, stderr=file, env=os.environ | secrets | environment)
    started.append(process)
    return process


def until(what, act, seconds=60):
    """Waits for the first answer that says something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = act()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}\n" + (work / "daemon.log").read_text()[-3000:])


def run():
    # Two vendors.
    for vendor in ("hubspot", "salesforce"):
        start("simulate", vendor, "--leads", "300", "--accounts", "60", log=vendor)
    connections = {}
    for vendor in ("hubspot", "salesforce"):
        text = until(vendor, lambda: (lambda text: text if "a connection to it:" in text else "")((work / vendor).read_text()))
        connections[vendor] = text.split("a connection to it:\n")[1]

    # A configuration.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run([leadloop, "init", work / "conf"], check=True, stdout=subprocess.DEVNULL)
    config, admin = work / "conf" / "leadloop.toml", work / "admin.sock"
    good = (
        f'state = "{work}/state"\n[admin]\nsocket = "{admin}"\nlisten = "127.0.0.1:{port}"\n'
        f'[connections.marketing]\n{connections["hubspot"]}\n[connections.crm]\n{connections["salesforce"]}\n'
        '[loops.main]\nmarketing = "marketing"\ncrm = "crm"\nagreement = "agreement.toml"\nevery = "1s"\n'
    )
    config.write_text(good)

    # What systemd gives to a service.
    notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notifications.bind(str(work / "notify"))
    notifications.setblocking(False)
    told = []

    def hear(line):
        try:
            while True:
                told.extend(notifications.recv(65536).decode().splitlines())
        except BlockingIOError:
            pass
        # What was told up to the answer is done with.
        for place, one in enumerate(told):
            if one.startswith(line):
                del told[: place + 1]
                return one
        return None

    arguments = ("run", "--config", str(config))
    daemon = start(*arguments, log="daemon.log", NOTIFY_SOCKET=str(work / "notify"), WATCHDOG_USEC="2000000")
    until("READY=1", lambda: hear("READY=1"))
    until("WATCHDOG=1", lambda: hear("WATCHDOG=1"))
    until("STATUS=", lambda: hear("STATUS="))

    # Health and metrics on loopback, and nothing more there.
    def get(path, host="localhost"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert get("/healthz") == (200, "alive\n")
    until("/readyz", lambda: get("/readyz")[0] == 200)
    status, metrics = get("/metrics")
    assert status == 200 and "leadloop_count" in metrics, metrics
    assert get("/metrics", "evil.example")[0] == 421
    assert get("/status")[0] == 404

    # The admin socket, for its group only.
    assert stat.S_IMODE(admin.stat().st_mode) == 0o660
    status = json.loads(subprocess.check_output([leadloop, "status", "--json", "--config", config], env=os.environ | secrets))
    assert status["running_since"], status

    # A second daemon finds the state taken.
    second = start(*arguments, log="second.log")
    assert second.wait(60) != 0
    assert "in use" in (work / "second.log").read_text()

    # Reload: a good configuration, and a bad one that changes nothing.
    daemon.send_signal(signal.SIGHUP)
    until("RELOADING=1", lambda: hear("RELOADING=1"))
    until("READY=1", lambda: hear("READY=1"))
    config.write_text(good.replace('every = "1s"', 'every = "soon"'))
    daemon.send_signal(signal.SIGHUP)
    until("RELOADING=1", lambda: hear("RELOADING=1"))
    until("life after a bad reload", lambda: hear("WATCHDOG=1"))
    assert get("/healthz")[0] == 200 and daemon.poll() is None

    # The end.
    daemon.send_signal(signal.SIGTERM)
    until("STOPPING=1", lambda: hear("STOPPING=1"))
    assert daemon.wait(90) == 0
    assert not admin.exists()

    # A bad configuration at the start is told by the exit code that keeps systemd from trying again.
    assert start(*arguments, log="bad.log").wait(60) == 78, (work / "bad.log").read_text()

    # The log.
    log = (work / "daemon.log").read_text()
    assert not any(secret in log for secret in secrets.values())
    named = [line for line in log.splitlines() if re.search(r"[A-Za-z0-9][\w.+-]*@[\w-]+\.\w", line)]
    assert not named, named[:3]
    print(f"service: ok ({len(log.splitlines())} lines of log)")


try:
    run()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
PYTHON
