"""simple-salesforce against the simulated org: SOAP login, REST, SOQL, collections' upserts, bulk, describe, errors.

The client builds https addresses; the one thing changed is that its HTTP session sends them to the simulator.
"""

import os
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit, urlunsplit

import requests
from simple_salesforce import Salesforce, exceptions
from simple_salesforce.format import format_soql

ORIGIN = os.environ["SALESFORCE"]


class Here(requests.Session):
    """Sends whatever is meant for Salesforce to the simulator."""

    def request(self, method, url, **options):
        origin, path = urlsplit(ORIGIN), urlsplit(url)
        return super().request(method, urlunsplit((origin.scheme, origin.netloc, path.path, path.query, "")), **options)


def refused(kind, code, act):
    """The call is refused in this way."""
    try:
        act()
    except kind as error:
        codes = [one["errorCode"] for one in error.content]
        assert codes == [code], codes
        return error
    raise AssertionError(f"expected {code}")


sf = Salesforce(
    username=os.environ["SALESFORCE_USER"],
    password=os.environ["SALESFORCE_PASSWORD"],
    security_token="",
    domain=urlsplit(ORIGIN).netloc,
    session=Here(),
    version="62.0",
)

# Describe: what the mapping is checked against.
fields = {field["name"]: field for field in sf.Contact.describe()["fields"]}
assert fields["Email"]["type"] == "email" and fields["AccountId"]["referenceTo"] == ["Account"]
assert fields["Leadloop_Key__c"]["externalId"] and fields["Leadloop_Key__c"]["unique"]
assert any(one["name"] == "Lead" for one in sf.describe()["sobjects"])

# Create, read, update, delete.
account = sf.Account.create({"Name": "Client & Sons", "Website": "https://client-sons.example"})["id"]
assert len(account) == 18
contact = sf.Contact.create(
    {"LastName": "O'Brien", "Email": "obrien@client-sons.example", "AccountId": account, "Leadloop_Key__c": "simple-1"}
)["id"]
record = sf.Contact.get(contact)
assert record["LastName"] == "O'Brien" and record["AccountId"] == account
assert record["attributes"]["type"] == "Contact"
assert sf.Contact.update(contact, {"Title": "CFO"}) == 204
assert sf.Contact.get_by_custom_id("Leadloop_Key__c", "simple-1")["Title"] == "CFO"

# Upserts on the key: the second writes to the same record.
assert sf.Contact.upsert("Leadloop_Key__c/simple-1", {"Title": "CEO"}) in (200, 204)
assert sf.Contact.upsert("Leadloop_Key__c/simple-2", {"LastName": "Two", "AccountId": account}) == 201

# Queries: quoting, relations in both directions, counts, pages.
found = sf.query(format_soql("SELECT Id, Account.Name, Title FROM Contact WHERE LastName = {}", "O'Brien"))
assert [(row["Id"], row["Account"]["Name"], row["Title"]) for row in found["records"]] == [(contact, "Client & Sons", "CEO")]
children = sf.query(f"SELECT Name, (SELECT Id, LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Id = '{account}'")
assert [row["LastName"] for row in children["records"][0]["Contacts"]["records"]] == ["O'Brien", "Two"]
rows = [{"LastName": f"Page {n}", "AccountId": account} for n in range(300)]
jobs = sf.bulk2.Contact.insert(records=rows)
assert sum(int(job["numberRecordsProcessed"]) - int(job["numberRecordsFailed"]) for job in jobs) == 300, jobs
total = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
assert total > 400
page = sf.query("SELECT Id FROM Contact ORDER BY Id", headers={"Sforce-Query-Options": "batchSize=200"})
ids = [row["Id"] for row in page["records"]]
pages = 1
while not page["done"]:
    page = sf.query_more(page["nextRecordsUrl"], identifier_is_url=True)
    ids += [row["Id"] for row in page["records"]]
    pages += 1
assert len(ids) == len(set(ids)) == total == page["totalSize"]
assert pages == -(-total // 200), (pages, total)
assert len(sf.query_all("SELECT Id FROM Lead")["records"]) == sf.query("SELECT COUNT() FROM Lead")["totalSize"]

# Incremental reads: by the system's stamp, and by the lists of what has changed and gone.
since = record["SystemModstamp"]
changed = sf.query(f"SELECT Id FROM Contact WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id")
assert contact in [row["Id"] for row in changed["records"]]
gone = sf.Contact.create({"LastName": "Gone"})["id"]
assert sf.Contact.delete(gone) == 204
deleted = sf.query(f"SELECT Id, IsDeleted FROM Contact WHERE Id = '{gone}'", include_deleted=True)
assert [row["IsDeleted"] for row in deleted["records"]] == [True]
assert sf.query(f"SELECT Id FROM Contact WHERE Id = '{gone}'")["totalSize"] == 0
now = datetime.now(timezone.utc)
assert gone in [row["id"] for row in sf.Contact.deleted(now - timedelta(hours=1), now + timedelta(minutes=2))["deletedRecords"]]
assert contact in sf.Contact.updated(now - timedelta(hours=1), now + timedelta(minutes=2))["ids"]

# Limits.
assert sf.limits()["DailyApiRequests"]["Max"] > 0
assert sf.api_usage["api-usage"].used > 0

# Refusals.
refused(exceptions.SalesforceMalformedRequest, "MALFORMED_QUERY", lambda: sf.query("SELECT FROM Contact"))
refused(exceptions.SalesforceMalformedRequest, "INVALID_FIELD", lambda: sf.query("SELECT Nope__c FROM Contact"))
refused(exceptions.SalesforceMalformedRequest, "INVALID_TYPE", lambda: sf.query("SELECT Id FROM Nope__c"))
refused(exceptions.SalesforceMalformedRequest, "INVALID_FIELD", lambda: sf.Contact.create({"LastName": "X", "Nope__c": 1}))
refused(exceptions.SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING", lambda: sf.Contact.create({"FirstName": "X"}))
refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", lambda: sf.Contact.get("003000000000000AAA"))
refused(exceptions.SalesforceResourceNotFound, "NOT_FOUND", lambda: sf.Contact.get_by_custom_id("Leadloop_Key__c", "nobody"))
refused(exceptions.SalesforceResourceNotFound, "ENTITY_IS_DELETED", lambda: sf.Contact.update(gone, {"LastName": "Back"}))
twin = {"LastName": "O'Brien", "Email": "OBrien@client-sons.example"}
refused(exceptions.SalesforceMalformedRequest, "DUPLICATES_DETECTED", lambda: sf.Contact.create(twin))
allow = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
assert sf.Contact.create(twin, headers=allow)["success"]
stranger = Salesforce(instance=urlsplit(ORIGIN).netloc, session_id="00D!nobody", session=Here(), version="62.0")
refused(exceptions.SalesforceExpiredSession, "INVALID_SESSION_ID", lambda: stranger.query("SELECT Id FROM Contact"))
try:
    Salesforce(username="nobody@example.com", password="wrong", security_token="", domain="x", session=Here())
    raise AssertionError("expected a refused login")
except exceptions.SalesforceAuthenticationFailed as error:
    assert error.code == "INVALID_LOGIN", error.code

# Bulk API 2.0: an ingest job by key, and a query job.
rows = [{"LastName": f"Bulk {n}", "Leadloop_Key__c": f"bulk-{n}", "Company": "Bulk Ltd"} for n in range(120)]
jobs = sf.bulk2.Lead.upsert(records=rows, external_id_field="Leadloop_Key__c")
assert sum(int(job["numberRecordsProcessed"]) for job in jobs) == 120, jobs
assert sum(int(job["numberRecordsFailed"]) for job in jobs) == 0, jobs
text = "".join(sf.bulk2.Lead.query("SELECT Id, LastName FROM Lead WHERE Company = 'Bulk Ltd'"))
assert len(text.strip().splitlines()) == 121, text[:200]

print("simple-salesforce: ok")
