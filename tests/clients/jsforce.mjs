// jsforce 3 against the simulated org: OAuth with the client's credentials, SObject collections, composite, cursors,
// SOAP lead conversion and merge, deletion and update lists, refusals.

import { createRequire } from "node:module";
import assert from "node:assert/strict";

const require = createRequire(`${process.env.MODULES}/`);
const jsforce = require("jsforce");
const origin = process.env.SALESFORCE;

const connection = new jsforce.Connection({
  loginUrl: origin,
  version: "62.0",
  oauth2: {
    clientId: process.env.SALESFORCE_CLIENT,
    clientSecret: process.env.SALESFORCE_SECRET,
  },
});
await connection.authorize({ grant_type: "client_credentials" });

async function refused(code, act) {
  try {
    await act();
  } catch (error) {
    assert.equal(error.errorCode ?? error.name, code, `${error.name}: ${error.message}`);
    return error;
  }
  assert.fail(`expected ${code}`);
}

const identity = await connection.identity();
assert.equal(identity.username, process.env.SALESFORCE_USER);

// Create, also several at once, judged record by record.
const account = await connection.sobject("Account").create({ Name: "Jay Ltd", Website: "jay.example" });
assert.ok(account.success && account.id.length === 18);
const made = await connection.sobject("Contact").create([
  { LastName: "Jay", Email: "jay@jay.example", AccountId: account.id, Leadloop_Key__c: "js-1" },
  { FirstName: "No last name" },
]);
assert.deepEqual(made.map((one) => one.success), [true, false]);
assert.equal(made[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
assert.deepEqual(made[1].errors[0].fields, ["LastName"]);

// Upsert by key, one and many: the first writes to what is there, the second makes.
const upserted = await connection.sobject("Contact").upsert(
  [
    { Leadloop_Key__c: "js-1", Title: "CTO" },
    { Leadloop_Key__c: "js-2", LastName: "Two", AccountId: account.id },
  ],
  "Leadloop_Key__c",
);
assert.deepEqual(upserted.map((one) => [one.success, one.created]), [[true, false], [true, true]]);
assert.equal(upserted[0].id, made[0].id);
const updated = await connection.sobject("Contact").update([{ Id: made[0].id, Department: "IT" }]);
assert.ok(updated[0].success);

// Read: by id, by ids, by conditions that jsforce turns into SOQL.
const contact = await connection.sobject("Contact").retrieve(made[0].id);
assert.deepEqual([contact.Title, contact.Department, contact.AccountId], ["CTO", "IT", account.id]);
const both = await connection.sobject("Contact").retrieve(upserted.map((one) => one.id));
assert.deepEqual(both.map((one) => one.LastName), ["Jay", "Two"]);
const since = jsforce.SfDate.toDateTimeLiteral(new Date(contact.SystemModstamp));
const changed = await connection
  .sobject("Contact")
  .find({ SystemModstamp: { $gte: since }, LastName: { $in: ["Jay", "Two"] } }, "Id, LastName, Account.Name")
  .sort("LastName");
assert.deepEqual(changed.map((one) => [one.LastName, one.Account.Name]), [["Jay", "Jay Ltd"], ["Two", "Jay Ltd"]]);
assert.equal(await connection.sobject("Contact").count({ AccountId: account.id }), 2);

// Pages: the cursor is followed to its end, and no record comes twice.
const total = (await connection.query("SELECT COUNT() FROM Contact")).totalSize;
let page = await connection.query("SELECT Id FROM Contact", { headers: { "Sforce-Query-Options": "batchSize=200" } });
const ids = new Set(page.records.map((one) => one.Id));
while (!page.done) {
  page = await connection.queryMore(page.nextRecordsUrl);
  for (const one of page.records) ids.add(one.Id);
}
assert.equal(ids.size, total);

// Composite: what one step makes, the next one uses.
const composite = await connection.requestPost(`/services/data/v62.0/composite`, {
  allOrNone: true,
  compositeRequest: [
    { method: "POST", url: "/services/data/v62.0/sobjects/Account", referenceId: "firm", body: { Name: "Composite AG" } },
    {
      method: "POST",
      url: "/services/data/v62.0/sobjects/Contact",
      referenceId: "person",
      body: { LastName: "Compo", AccountId: "@{firm.id}" },
    },
  ],
});
assert.deepEqual(composite.compositeResponse.map((one) => one.httpStatusCode), [201, 201]);

// Conversion, over SOAP: into an account that is there, without an opportunity.
const status = await connection.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = true");
const lead = await connection.sobject("Lead").create({ LastName: "Convert", Company: "Jay Ltd", Email: "convert@jay.example" });
const converted = await connection.soap.convertLead({
  leadId: lead.id,
  accountId: account.id,
  convertedStatus: status.records[0].ApiName,
  doNotCreateOpportunity: true,
});
assert.equal(converted.success, true, JSON.stringify(converted));
assert.equal(converted.accountId, account.id);
const after = await connection.sobject("Lead").retrieve(lead.id);
assert.deepEqual([after.IsConverted, after.ConvertedContactId], [true, converted.contactId]);
const again = await connection.soap.convertLead({ leadId: lead.id, convertedStatus: status.records[0].ApiName });
assert.equal(again.success, false);
assert.equal([again.errors].flat()[0].statusCode, "CANNOT_UPDATE_CONVERTED_LEAD");

// Merge, over SOAP: the loser points to its master.
const merged = await connection.soap.merge({
  masterRecord: { type: "Contact", Id: upserted[0].id },
  recordToMergeIds: [upserted[1].id],
});
assert.equal([merged].flat()[0].success, true, JSON.stringify(merged));
const loser = await connection.query(
  `SELECT Id, MasterRecordId FROM Contact WHERE Id = '${upserted[1].id}'`,
  { scanAll: true },
);
assert.equal(loser.records[0].MasterRecordId, upserted[0].id);

// What has changed and gone, by the lists.
const hour = 3_600_000;
const [from, to] = [new Date(Date.now() - hour), new Date(Date.now() + hour / 30)];
assert.ok((await connection.sobject("Contact").updated(from, to)).ids.includes(made[0].id));
assert.ok((await connection.sobject("Contact").deleted(from, to)).deletedRecords.some((one) => one.id === upserted[1].id));

// Refusals.
await refused("MALFORMED_QUERY", () => connection.query("SELECT Id FROM Contact WHERE"));
await refused("INVALID_FIELD", () => connection.query("SELECT Nope__c FROM Contact"));
await refused("NOT_FOUND", () => connection.sobject("Contact").retrieve("003000000000000AAA"));
await refused("DUPLICATES_DETECTED", () => connection.sobject("Contact").create({ LastName: "Jay", Email: "JAY@jay.example" }));
await refused("ENTITY_IS_DELETED", () => connection.sobject("Contact").update({ Id: upserted[1].id, Title: "Back" }));
const stranger = new jsforce.Connection({ instanceUrl: origin, accessToken: "00D!nobody", version: "62.0" });
await refused("INVALID_SESSION_ID", () => stranger.query("SELECT Id FROM Contact"));
const wrong = new jsforce.Connection({
  loginUrl: origin,
  oauth2: { clientId: process.env.SALESFORCE_CLIENT, clientSecret: "wrong" },
});
await refused("invalid_client", () => wrong.authorize({ grant_type: "client_credentials" }));

// Bulk API 2.0.
const rows = Array.from({ length: 50 }, (_, n) => ({ LastName: `Bulk ${n}`, Company: "Jay Bulk", Leadloop_Key__c: `js-bulk-${n}` }));
const results = await connection.bulk2.loadAndWaitForResults({
  object: "Lead",
  operation: "upsert",
  externalIdFieldName: "Leadloop_Key__c",
  input: rows,
  pollInterval: 200,
  pollTimeout: 30_000,
});
assert.deepEqual([results.successfulResults.length, results.failedResults.length], [50, 0]);

console.log("jsforce: ok");
process.exit(0);
