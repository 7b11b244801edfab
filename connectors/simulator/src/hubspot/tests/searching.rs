use super::*;

fn search(portal: &mut Portal, body: Value) -> (u16, Value) {
    portal.ask("POST", "/crm/objects/2026-09/contacts/search", body)
}

fn filter(property: &str, operator: &str, value: &str) -> Value {
    json!({ "filterGroups": [{ "filters": [{ "propertyName": property, "operator": operator, "value": value }] }] })
}

fn ids(found: &(u16, Value)) -> Vec<String> {
    assert_eq!(found.0, 200, "{}", found.1);
    found.1["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_index_lags_behind() {
    let mut portal = Portal::open();
    let id = portal.contact(json!({ "email": "ada@example.com", "city": "Ulm" }));
    let in_ulm = filter("city", "EQ", "Ulm");
    assert!(ids(&search(&mut portal, in_ulm.clone())).is_empty());
    portal.wait(2);
    assert_eq!(ids(&search(&mut portal, in_ulm.clone())), [id.as_str()]);
    portal.ask(
        "PATCH",
        &format!("/crm/v3/objects/contacts/{id}"),
        json!({ "properties": { "city": "Bonn" } }),
    );
    assert_eq!(
        ids(&search(&mut portal, in_ulm.clone())),
        [id.as_str()],
        "the old value still shows"
    );
    portal.wait(2);
    assert!(ids(&search(&mut portal, in_ulm)).is_empty());
    portal.ask(
        "DELETE",
        &format!("/crm/v3/objects/contacts/{id}"),
        Value::Null,
    );
    assert_eq!(
        ids(&search(&mut portal, filter("city", "EQ", "bonn"))),
        [id]
    );
    portal.wait(2);
    assert!(ids(&search(&mut portal, filter("city", "EQ", "bonn"))).is_empty());
}

#[test]
fn filters_mean_what_they_say() {
    let mut portal = Portal::open();
    let mut made = Vec::new();
    for (email, score, city) in [
        ("a@one.com", "9", "Ulm"),
        ("b@two.com", "10", ""),
        ("c@two.com", "100", "Neu-Ulm"),
    ] {
        made.push(portal.contact(json!({ "email": email, "hubspotscore": score, "city": city })));
        portal.wait(10);
    }
    let first = portal
        .hubspot
        .world()
        .get("contacts", &made[0])
        .unwrap()
        .modified
        .as_millisecond();
    let later = (first + 1).to_string();
    let cases = [
        (filter("hubspotscore", "GT", "9"), vec![1, 2]),
        (filter("hubspotscore", "LTE", "10"), vec![0, 1]),
        (
            filter("lastmodifieddate", "GTE", &first.to_string()),
            vec![0, 1, 2],
        ),
        (filter("lastmodifieddate", "GTE", &later), vec![1, 2]),
        (filter("city", "HAS_PROPERTY", ""), vec![0, 2]),
        (filter("city", "NOT_HAS_PROPERTY", ""), vec![1]),
        (filter("city", "NEQ", "Ulm"), vec![2]),
        (filter("email", "CONTAINS_TOKEN", "*@two.com"), vec![1, 2]),
        (filter("email", "NOT_CONTAINS_TOKEN", "*@two.com"), vec![0]),
        (filter("hs_object_id", "GT", &made[0]), vec![1, 2]),
        (
            json!({ "filterGroups": [{ "filters": [{ "propertyName": "email", "operator": "IN", "values": ["a@one.com", "c@two.com"] }] }] }),
            vec![0, 2],
        ),
        (
            json!({ "filterGroups": [{ "filters": [{ "propertyName": "hubspotscore", "operator": "BETWEEN", "value": "10", "highValue": "100" }] }] }),
            vec![1, 2],
        ),
        (json!({ "query": "c@two" }), vec![2]),
    ];
    for (body, expected) in cases {
        portal.wait(1);
        let expected: Vec<String> = expected
            .into_iter()
            .map(|place| made[place].clone())
            .collect();
        assert_eq!(ids(&search(&mut portal, body.clone())), expected, "{body}");
    }
}

#[test]
fn a_search_reaches_ten_thousand_results_and_takes_one_sort() {
    let mut portal = Portal::open();
    assert_eq!(
        search(&mut portal, json!({ "limit": 200, "after": "9800" })).0,
        200
    );
    assert_eq!(
        search(&mut portal, json!({ "limit": 200, "after": "9801" })).0,
        400
    );
    assert_eq!(search(&mut portal, json!({ "limit": 201 })).0, 400);
    assert_eq!(
        search(
            &mut portal,
            json!({ "sorts": [{ "propertyName": "email" }, { "propertyName": "city" }] })
        )
        .0,
        400
    );
    assert_eq!(search(&mut portal, filter("no_such", "EQ", "1")).0, 400);
    portal.wait(1);
    assert_eq!(
        search(&mut portal, filter("lastmodifieddate", "GTE", "soon")).0,
        400
    );
    assert_eq!(
        search(&mut portal, json!({ "query": "x".repeat(3_000) })).0,
        400
    );
}

#[test]
fn pages_follow_the_order() {
    let mut portal = Portal::open();
    let made: Vec<String> = (0..5)
        .map(|n| portal.contact(json!({ "email": format!("p{n}@example.com") })))
        .collect();
    portal.wait(5);
    let page = |after: &str| json!({ "limit": 2, "after": after, "sorts": [{ "propertyName": "hs_object_id", "direction": "DESCENDING" }] });
    let first = search(&mut portal, page(""));
    assert_eq!(ids(&first), [made[4].clone(), made[3].clone()]);
    assert_eq!(
        (
            first.1["total"].as_u64(),
            first.1["paging"]["next"]["after"].as_str()
        ),
        (Some(5), Some("2"))
    );
    let last = search(&mut portal, page("4"));
    assert_eq!(ids(&last), [made[0].clone()]);
    assert!(last.1.get("paging").is_none());
}
