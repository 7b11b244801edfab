use super::*;

fn lead(name: Value) -> Value {
    json!({"attributes": {"type": "Lead"}, "LastName": name, "Company": "C"})
}

#[test]
fn each_row_of_a_collection_has_its_own_outcome() {
    let mut org = org();
    let mut twin = lead(json!("B"));
    twin["Email"] = json!("a@x.example");
    let mut first = twin.clone();
    first["LastName"] = json!("A");
    let body = json!({"records": [first, twin, lead(Value::Null), lead(json!("D"))]});
    let (status, rows) = org.call("POST", "composite/sobjects", body);
    assert_eq!(status, 200);
    let outcomes: Vec<bool> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["success"].as_bool().unwrap())
        .collect();
    assert_eq!(outcomes, [true, false, false, true]);
    assert_eq!(rows[1]["errors"][0]["statusCode"], "DUPLICATES_DETECTED");
    assert_eq!(
        rows[1]["errors"][0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Id"],
        rows[0]["id"]
    );
    assert_eq!(rows[2]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let id = text(&rows[0]["id"]);
    let update = json!({"attributes": {"type": "Lead"}, "Id": id, "City": "Bonn"});
    let missing =
        json!({"attributes": {"type": "Lead"}, "Id": "00Q000000000000EAA", "City": "Bonn"});
    let (_, rows) = org.call(
        "PATCH",
        "composite/sobjects",
        json!({"records": [update, missing]}),
    );
    assert_eq!(rows[0]["success"], true);
    assert_eq!(
        rows[1]["errors"][0]["statusCode"],
        "INVALID_CROSS_REFERENCE_KEY"
    );
    let (_, rows) = org.call(
        "DELETE",
        &format!("composite/sobjects?ids={id},{id}"),
        Value::Null,
    );
    assert_eq!(
        (&rows[0]["success"], &rows[1]["errors"][0]["statusCode"]),
        (&json!(true), &json!("ENTITY_IS_DELETED"))
    );
}

#[test]
fn all_or_none_undoes_the_innocent() {
    let mut org = org();
    let body = json!({"allOrNone": true, "records": [lead(json!("A")), lead(Value::Null)]});
    let (_, rows) = org.call("POST", "composite/sobjects", body);
    assert_eq!(
        rows[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(org.query("SELECT COUNT() FROM Lead")["totalSize"], 0);
}

#[test]
fn a_collection_has_its_limits() {
    let mut org = org();
    let many: Vec<Value> = (0..201).map(|_| lead(json!("A"))).collect();
    let (status, answer) = org.call("POST", "composite/sobjects", json!({"records": many}));
    assert_eq!((status, code(&answer)), (400, "EXCEEDED_ID_LIMIT"));
    let account = json!({"attributes": {"type": "Account"}, "Name": "A"});
    let mixed: Vec<Value> = (0..6)
        .flat_map(|_| [lead(json!("A")), account.clone()])
        .collect();
    let (status, answer) = org.call("POST", "composite/sobjects", json!({"records": mixed}));
    assert_eq!((status, code(&answer)), (400, "LIMIT_EXCEEDED"));
}

#[test]
fn a_batch_upserts_by_key() {
    let mut org = org();
    let row = |key: &str, name: &str| json!({"attributes": {"type": "Account"}, "Leadloop_Key__c": key, "Name": name});
    let (_, rows) = org.call(
        "PATCH",
        "composite/sobjects/Account/Leadloop_Key__c",
        json!({"records": [row("a", "A"), row("a", "B"), row("", "C")]}),
    );
    assert_eq!(
        (&rows[0]["created"], &rows[1]["created"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(rows[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    assert_eq!(
        org.query("SELECT Name FROM Account")["records"][0]["Name"],
        "B"
    );
}

#[test]
fn calls_of_a_composite_refer_to_each_other() {
    let mut org = org();
    let base = "/services/data/v66.0";
    let account = json!({"method": "POST", "url": format!("{base}/sobjects/Account"), "referenceId": "a", "body": {"Name": "A"}});
    let contact = json!({"method": "POST", "url": format!("{base}/sobjects/Contact"), "referenceId": "c",
        "body": {"LastName": "C", "AccountId": "@{a.id}"}});
    let broken = json!({"method": "POST", "url": format!("{base}/sobjects/Contact"), "referenceId": "x", "body": {}});
    let (_, answer) = org.call(
        "POST",
        "composite",
        json!({"compositeRequest": [account, contact, broken]}),
    );
    let statuses: Vec<i64> = answer["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["httpStatusCode"].as_i64())
        .collect();
    assert_eq!(statuses, [201, 201, 400]);
    let (_, answer) = org.call(
        "POST",
        "composite",
        json!({"allOrNone": true, "compositeRequest": [account, contact, broken]}),
    );
    assert_eq!(
        answer["compositeResponse"][0]["body"][0]["errorCode"],
        "PROCESSING_HALTED"
    );
    let graphs = json!({"graphs": [
        {"graphId": "1", "compositeRequest": [account, contact]},
        {"graphId": "2", "compositeRequest": [account, broken]},
    ]});
    let (_, answer) = org.call("POST", "composite/graph", graphs);
    assert_eq!(
        (
            &answer["graphs"][0]["isSuccessful"],
            &answer["graphs"][1]["isSuccessful"]
        ),
        (&json!(true), &json!(false))
    );
    assert_eq!(org.query("SELECT COUNT() FROM Account")["totalSize"], 2);
}

#[test]
fn a_tree_plants_children_under_their_parents() {
    let mut org = org();
    let child = json!({"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "C"});
    let tree = json!({"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "A", "Contacts": {"records": [child]}}]});
    assert_eq!(org.call("POST", "composite/tree/Account", tree).0, 201);
    assert_eq!(
        org.query("SELECT Id FROM Contact WHERE Account.Name = 'A'")["totalSize"],
        1
    );
}

#[test]
fn a_bulk_job_takes_its_time_and_tells_rows_apart() {
    let mut org = org();
    let (_, job) = org.call(
        "POST",
        "jobs/ingest",
        json!({"object": "Lead", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}),
    );
    assert_eq!(job["state"], "Open");
    let path = format!("jobs/ingest/{}", text(&job["id"]));
    let csv = "LastName,Company,City\nA,\"B, C\",\nX,,#N/A\n".to_owned();
    assert_eq!(
        org.send(
            "PUT",
            &format!("{path}/batches"),
            &[("content-type", "text/csv")],
            csv
        )
        .status(),
        201
    );
    let (_, job) = org.call("PATCH", &path, json!({"state": "UploadComplete"}));
    assert_eq!(job["state"], "UploadComplete");
    org.wait(1);
    assert_eq!(org.get(&path).1["state"], "InProgress");
    assert_eq!(org.query("SELECT COUNT() FROM Lead")["totalSize"], 0);
    org.wait(1);
    let (_, job) = org.get(&path);
    assert_eq!(
        (
            &job["state"],
            &job["numberRecordsProcessed"],
            &job["numberRecordsFailed"]
        ),
        (&json!("JobComplete"), &json!(2), &json!(1))
    );
    let (_, good) = org.get(&format!("{path}/successfulResults"));
    assert!(
        text(&good).starts_with("\"sf__Id\",\"sf__Created\",\"LastName\""),
        "{good}"
    );
    let (_, bad) = org.get(&format!("{path}/failedResults"));
    assert!(text(&bad).contains("REQUIRED_FIELD_MISSING"), "{bad}");
}

#[test]
fn a_bulk_query_is_read_by_locators() {
    let mut org = org();
    for name in ["A", "B", "C"] {
        org.create("Lead", json!({"LastName": name, "Company": "C"}));
    }
    let body = json!({"operation": "query", "query": "SELECT LastName, Owner.Name FROM Lead ORDER BY LastName"});
    let (_, job) = org.call("POST", "jobs/query", body);
    let path = format!("jobs/query/{}", text(&job["id"]));
    assert_eq!(org.get(&format!("{path}/results")).0, 400);
    org.wait(2);
    let first = org.send(
        "GET",
        &format!("{path}/results?maxRecords=2"),
        &[],
        String::new(),
    );
    assert_eq!(
        (
            &first.headers()["sforce-locator"],
            &first.headers()["sforce-numberofrecords"]
        ),
        (&"2".parse().unwrap(), &"2".parse().unwrap())
    );
    let rest = org.send(
        "GET",
        &format!("{path}/results?locator=2"),
        &[],
        String::new(),
    );
    assert_eq!(rest.headers()["sforce-locator"], "null");
    assert_eq!(
        rest.body(),
        "\"LastName\",\"Owner.Name\"\n\"C\",\"Integration User\"\n"
    );
}
