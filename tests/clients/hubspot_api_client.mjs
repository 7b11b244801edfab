// HubSpot's own Node.js client against the simulated portal. Its major version speaks the dated paths.

import { createRequire } from "node:module";
import assert from "node:assert/strict";

const require = createRequire(`${process.env.MODULES}/`);
const { Client } = require("@hubspot/api-client");
const options = { basePath: process.env.HUBSPOT, numberOfApiCallRetries: 3 };
const client = new Client({ accessToken: process.env.HUBSPOT_TOKEN, ...options });

async function refused(status, category, act) {
  try {
    await act();
  } catch (error) {
    const body = typeof error.body === "string" ? JSON.parse(error.body) : error.body;
    assert.deepEqual([error.code, body?.category], [status, category], error.message);
    return body;
  }
  assert.fail(`expected ${status} ${category}`);
}

const { contacts, companies, deals } = client.crm;
const made = await contacts.basicApi.create({ properties: { email: "node@client.example", firstname: "Nora" } });
assert.equal(made.properties.email, "node@client.example");
const firm = await companies.basicApi.create({ properties: { name: "Node AG", domain: "node.example" } });

const rows = Array.from({ length: 100 }, (_, n) => ({
  id: `node-${n}`,
  idProperty: "leadloop_key",
  properties: { email: `node${n}@client.example`, leadloop_key: `node-${n}` },
}));
const first = await contacts.batchApi.upsert({ inputs: rows });
assert.equal(first.results.filter((one) => one._new).length, 100);
const second = await contacts.batchApi.upsert({ inputs: rows.slice(0, 3) });
assert.deepEqual(second.results.map((one) => one._new), [false, false, false]);

const everybody = await contacts.getAll(100, undefined, ["email"]);
assert.equal(new Set(everybody.map((one) => one.id)).size, everybody.length);
assert.ok(everybody.length > 400);

await client.crm.associations.v4.basicApi.createDefault("contacts", made.id, "companies", firm.id);
const tied = await client.crm.associations.v4.basicApi.getPage("contacts", made.id, "companies");
assert.deepEqual(tied.results.map((one) => String(one.toObjectId)), [firm.id]);
const deal = await deals.basicApi.create({
  properties: { dealname: "Node deal", dealstage: "qualifiedtobuy", pipeline: "default" },
  associations: [
    { to: { id: made.id }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 3 }] },
  ],
});
const seen = await deals.basicApi.getById(deal.id, undefined, undefined, ["contacts"]);
assert.deepEqual(seen.associations.contacts.results.map((one) => one.id), [made.id]);

const question = {
  filterGroups: [{ filters: [{ propertyName: "leadloop_key", operator: "IN", values: ["node-1", "node-2"] }] }],
  sorts: ["leadloop_key"],
  properties: ["leadloop_key"],
  limit: 10,
};
let found = { results: [] };
for (let tries = 0; found.results.length < 2 && tries < 40; tries += 1) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  found = await contacts.searchApi.doSearch(question);
}
assert.deepEqual(found.results.map((one) => one.properties.leadloop_key), ["node-1", "node-2"]);

const body = await refused(409, "CONFLICT", () => contacts.basicApi.create({ properties: { email: "Node@client.example" } }));
assert.ok(body.message.includes(made.id));
await refused(404, "OBJECT_NOT_FOUND", () => contacts.basicApi.getById("1"));
const stranger = new Client({ accessToken: "nobody", ...options });
await refused(401, "INVALID_AUTHENTICATION", () => stranger.crm.contacts.basicApi.getPage());

console.log("@hubspot/api-client: ok");
