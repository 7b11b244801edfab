"""tap-salesforce (Singer) against the simulated org: refresh token, global describe, and incremental reads over queryAll.

The address of its login is changed; the rest of its addresses it takes from the org's answer.
"""

import contextlib
import io
import json
import os
import time
from urllib.parse import urlsplit

import requests
import tap_salesforce as tap
from tap_salesforce.salesforce import Salesforce

STREAMS = ["Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "User"]
START = "2020-01-01T00:00:00Z"
ORIGIN = os.environ["SALESFORCE"]


class Here(requests.Session):
    """Sends the login to the simulator."""

    def request(self, method, url, **options):
        return super().request(method, url.replace("https://login.salesforce.com", ORIGIN), **options)


sf = Salesforce(
    refresh_token=os.environ["SALESFORCE_REFRESH_TOKEN"],
    sf_client_id=os.environ["SALESFORCE_CLIENT"],
    sf_client_secret=os.environ["SALESFORCE_SECRET"],
    select_fields_by_default=True,
    default_start_date=START,
    api_type="REST",
)
sf.session = Here()
sf.login()
sf.login_timer.cancel()
assert urlsplit(sf.instance_url).netloc == urlsplit(ORIGIN).netloc
tap.CONFIG.update({"start_date": START})


def printed(act):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        act()
    return out.getvalue()


def run(state):
    """One run of the tap: the records by stream, and the state that it leaves."""
    text = printed(lambda: tap.do_sync(sf, json.loads(json.dumps(known)), state))
    messages = [json.loads(line) for line in text.splitlines()]
    records = {name: [one["record"] for one in messages if one.get("stream") == name and one["type"] == "RECORD"] for name in STREAMS}
    return records, [one["value"] for one in messages if one["type"] == "STATE"][-1]


known = json.loads(printed(lambda: tap.do_discover(sf)))
assert set(STREAMS) <= {one["stream"] for one in known["streams"]}
for one in known["streams"]:
    top = next(part["metadata"] for part in one["metadata"] if part["breadcrumb"] == [])
    if one["stream"] in STREAMS:
        assert top["valid-replication-keys"] == ["SystemModstamp"], one["stream"]
        assert top["table-key-properties"] == ["Id"]
        top |= {"selected": True, "replication-method": "INCREMENTAL", "replication-key": "SystemModstamp"}

first, state = run({"bookmarks": {}})
headers = sf._get_standard_headers()
for name in STREAMS:
    ids = [one["Id"] for one in first[name]]
    count = requests.get(f"{ORIGIN}/services/data/v61.0/queryAll", params={"q": f"SELECT COUNT() FROM {name}"}, headers=headers, timeout=30)
    assert len(set(ids)) == len(ids) == count.json()["totalSize"], name
assert any(one["AccountId"] for one in first["Contact"])

# What has changed since comes again.
somebody = first["Contact"][0]["Id"]
time.sleep(1.1)  # the org's stamps have whole seconds
answer = requests.patch(f"{ORIGIN}/services/data/v61.0/sobjects/Contact/{somebody}", json={"Title": "Tapped"}, headers=headers, timeout=30)
assert answer.status_code == 204, answer.text
deadline = time.monotonic() + 20
while True:
    second, _ = run(json.loads(json.dumps(state)))
    again = {one["Id"]: one for one in second["Contact"]}
    if again.get(somebody, {}).get("Title") == "Tapped":
        break
    assert time.monotonic() < deadline, "a change never came"
assert len(again) < len(first["Contact"])

print("tap-salesforce: ok")
os._exit(0)
