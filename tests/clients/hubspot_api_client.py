"""HubSpot's own Python client against the simulated portal: objects, batches, search, associations, metadata, refusals."""

import json
import os
import time
from datetime import datetime, timezone

from hubspot import HubSpot
from hubspot.crm import associations as associations_v3
from hubspot.crm.associations import v4
from hubspot.crm import companies, contacts, deals, objects, properties
from urllib3.util.retry import Retry

# As its README advises: patience with the ten-second and the search limits.
retry = Retry(total=8, backoff_factor=0.4, status_forcelist=(429,), allowed_methods=None)
client = HubSpot(access_token=os.environ["HUBSPOT_TOKEN"], retry=retry)


def at(api):
    """The one thing changed: the address."""
    api.api_client.configuration.host = os.environ["HUBSPOT"]
    return api


def refused(status, category, act):
    try:
        act()
    except Exception as error:
        assert getattr(error, "status", None) == status, error
        body = json.loads(error.body)
        assert body["category"] == category, body
        return body
    raise AssertionError(f"expected {status} {category}")


people = at(client.crm.contacts.basic_api)
batch = at(client.crm.contacts.batch_api)
search = at(client.crm.contacts.search_api)
firms = at(client.crm.companies.basic_api)

# Create, read, update.
made = people.create(contacts.SimplePublicObjectInputForCreate(properties={"email": "Hanna@Client.example", "firstname": "Hanna"}))
assert made.properties["email"] == "hanna@client.example"
assert isinstance(made.created_at, datetime)
read = people.get_by_id("hanna@client.example", id_property="email", properties=["firstname", "lifecyclestage"])
assert (read.id, read.properties["firstname"]) == (made.id, "Hanna")
people.update(made.id, contacts.SimplePublicObjectInput(properties={"jobtitle": "CFO", "phone": "+49 30 1234"}))
read = people.get_by_id(made.id, properties=["jobtitle"], properties_with_history=["jobtitle"])
assert [version.value for version in read.properties_with_history["jobtitle"]] == ["CFO"]

# Batches: create, upsert on a key of ours, read by e-mail.
rows = [{"properties": {"email": f"batch{n}@client.example", "leadloop_key": f"python-{n}"}} for n in range(100)]
answer = batch.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
assert answer.status == "COMPLETE" and len(answer.results) == 100
inputs = [
    {"id": "python-1", "idProperty": "leadloop_key", "properties": {"firstname": "One"}},
    {"id": "python-new", "idProperty": "leadloop_key", "properties": {"email": "new@client.example"}},
]
answer = batch.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
assert sorted(one.new for one in answer.results) == [False, True]
wanted = {"inputs": [{"id": "batch1@client.example"}, {"id": "nobody@client.example"}], "idProperty": "email", "properties": ["firstname"]}
answer = batch.read(contacts.BatchReadInputSimplePublicObjectId(properties_with_history=[], inputs=wanted["inputs"], id_property="email", properties=["firstname"]))
assert [one.properties["firstname"] for one in answer.results] == ["One"]
answer = batch.update(contacts.BatchInputSimplePublicObjectBatchInput(inputs=[{"id": made.id, "properties": {"city": "Bern"}}]))
assert answer.results[0].properties["city"] == "Bern"

# Pages over everything.
everybody, after = [], None
while True:
    page = people.get_page(limit=100, after=after, properties=["email"])
    everybody += page.results
    if not page.paging:
        break
    after = page.paging.next.after
assert len({one.id for one in everybody}) == len(everybody) > 400

# Search, the incremental read: by time, in order, past one page. The index lags behind.
since = int(made.created_at.timestamp() * 1000)
deadline = time.monotonic() + 20
found = []
while len(found) < 102 and time.monotonic() < deadline:
    found, after = [], None
    while True:
        question = contacts.PublicObjectSearchRequest(
            filter_groups=[{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(since)}]}],
            sorts=["lastmodifieddate"],
            properties=["email", "lastmodifieddate"],
            limit=50,
            after=after,
        )
        page = search.do_search(question)
        found += page.results
        if not page.paging:
            break
        after = page.paging.next.after
    time.sleep(0.5)
assert len(found) == 102 and made.id in {one.id for one in found}
stamps = [one.properties["lastmodifieddate"] for one in found]
assert stamps == sorted(stamps)

# Companies, deals, and what ties them.
firm = firms.create(companies.SimplePublicObjectInputForCreate(properties={"name": "Client AG", "domain": "client.example"}))
ties = at(client.crm.associations.v4.basic_api)
ties.create_default("contacts", made.id, "companies", firm.id)
tied = ties.get_page("contacts", made.id, "companies")
assert [str(one.to_object_id) for one in tied.results] == [firm.id]
kinds = {kind.type_id for kind in tied.results[0].association_types}
assert kinds == {1, 279}, kinds
many = at(client.crm.associations.v4.batch_api)
answer = many.get_page("companies", "contacts", v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": firm.id}]))
assert [str(to.to_object_id) for to in answer.results[0].to] == [made.id]
deal = at(client.crm.deals.basic_api).create(
    deals.SimplePublicObjectInputForCreate(
        properties={"dealname": "First", "dealstage": "appointmentscheduled", "pipeline": "default", "amount": "100"},
        associations=[{"to": {"id": firm.id}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]}],
    )
)
read = at(client.crm.deals.basic_api).get_by_id(deal.id, associations=["companies"])
assert firm.id in {one.id for one in read.associations["companies"].results}
read = people.get_by_id(made.id, associations=["companies"])
assert firm.id in {one.id for one in read.associations["companies"].results}
ties.archive("contacts", made.id, "companies", firm.id)
assert ties.get_page("contacts", made.id, "companies").results == []

# Metadata.
names = {one.name: one for one in at(client.crm.properties.core_api).get_all("contacts").results}
assert names["email"].type == "string" and "leadloop_key" in names and names["leadloop_key"].has_unique_value
new = properties.PropertyCreate(name="client_note", label="Note", type="string", field_type="text", group_name="contactinformation")
assert at(client.crm.properties.core_api).create("contacts", new).name == "client_note"
people.update(made.id, contacts.SimplePublicObjectInput(properties={"client_note": "kept"}))
assert people.get_by_id(made.id, properties=["client_note"]).properties["client_note"] == "kept"
stages = [stage.id for stage in at(client.crm.pipelines.pipelines_api).get_all("deals").results[0].stages]
assert "closedwon" in stages
assert at(client.crm.owners.owners_api).get_page().results

# Merge and archive.
other = people.get_by_id("batch2@client.example", id_property="email")
whole = people.merge(contacts.PublicMergeInput(primary_object_id=made.id, object_id_to_merge=other.id))
again = people.get_by_id(other.id, properties=["email"])
assert again.id == whole.id and again.properties["email"] == "hanna@client.example"
gone = people.get_by_id("batch3@client.example", id_property="email")
people.archive(gone.id)
assert gone.id in {one.id for one in people.get_page(archived=True, limit=100).results}

# Refusals.
body = refused(409, "CONFLICT", lambda: people.create(contacts.SimplePublicObjectInputForCreate(properties={"email": "batch1@client.example"})))
twin = people.get_by_id("batch1@client.example", id_property="email")
assert body["message"] == f"Contact already exists. Existing ID: {twin.id}", body["message"]
refused(400, "VALIDATION_ERROR", lambda: people.create(contacts.SimplePublicObjectInputForCreate(properties={"nope": "x"})))
refused(400, "VALIDATION_ERROR", lambda: people.create(contacts.SimplePublicObjectInputForCreate(properties={"email": "no address"})))
refused(404, "OBJECT_NOT_FOUND", lambda: people.get_by_id("1"))
too_many = [{"properties": {"email": f"many{n}@client.example"}} for n in range(101)]
refused(400, "VALIDATION_ERROR", lambda: batch.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=too_many)))
stranger = HubSpot(access_token="nobody")
refused(401, "INVALID_AUTHENTICATION", lambda: at(stranger.crm.contacts.basic_api).get_page())

print("hubspot-api-client: ok")
