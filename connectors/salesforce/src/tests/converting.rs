use super::*;
use contract::{Id, Relation, Remedy};

const SOAP: &str = "POST /services/Soap/u/68.0";
const LEADS: &str = "FROM Lead WHERE Id IN";
const USER_INFO: &str = "GET /services/oauth2/userinfo";

fn convert(number: usize) -> Operation {
    Operation::Convert {
        lead: Id(id("00Q", number)),
        account: Id(id("001", 1)),
        contact: None,
        owner: None,
        seen_status: None,
    }
}

fn lead(number: usize, owner: &str, converted: bool) -> Json {
    json!({"Id": id("00Q", number), "SystemModstamp": "2026-02-01T00:00:00.000+0000", "IsDeleted": false, "IsConverted": converted, "OwnerId": owner})
}

fn scripted(leads: Vec<Json>) -> Arc<Org> {
    org().on(LEADS, 200, page(leads)).on(
        "FROM LeadStatus",
        200,
        page(vec![
            json!({"ApiName": "Closed - Converted", "MasterLabel": "Erledigt"}),
        ]),
    )
}

fn envelope(body: &str) -> String {
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"#
    )
}

fn results(results: &[String]) -> String {
    envelope(&format!(
        "<convertLeadResponse>{}</convertLeadResponse>",
        results.concat()
    ))
}

fn converted(number: usize) -> String {
    format!(
        "<result><accountId>{}</accountId><contactId>{}</contactId><leadId>{}</leadId><success>true</success></result>",
        id("001", 1),
        id("003", number),
        id("00Q", number)
    )
}

fn failed(number: usize, code: &str, message: &str) -> String {
    format!(
        "<result><errors><message>{message}</message><statusCode>{code}</statusCode></errors><leadId>{}</leadId><success>false</success></result>",
        id("00Q", number)
    )
}

fn fault(code: &str) -> String {
    envelope(&format!(
        "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: words</faultstring></soapenv:Fault>"
    ))
}

#[tokio::test(start_paused = true)]
async fn each_lead_has_its_own_result() {
    let user = id("005", 1);
    let org = scripted((1..=3).map(|number| lead(number, &user, false)).collect()).on(
        SOAP,
        200,
        results(&[
            converted(1),
            failed(2, "INVALID_OPERATION", "lead is already converted"),
            failed(3, "UNABLE_TO_LOCK_ROW", "busy"),
        ]),
    );
    let outcomes = write(&connect(&org), vec![convert(1), convert(2), convert(3)]).await;
    let Outcome::Applied {
        id: contact,
        relations,
        ..
    } = &outcomes[0]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!(contact.0, id("003", 1));
    assert_eq!(
        relations.one(Relation::ConvertedAccount),
        Some(&Id(id("001", 1)))
    );
    assert!(matches!(
        &outcomes[1],
        Outcome::Refused {
            remedy: Remedy::LookAgain,
            ..
        }
    ));
    assert!(matches!(&outcomes[2], Outcome::Deferred { .. }));
    let sent = &org.seen(SOAP)[0];
    assert_eq!(sent.headers["soapaction"], "\"\"");
    assert!(
        sent.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/xml")
    );
    assert!(
        sent.body.contains("<sessionId>00D!token-1</sessionId>")
            && sent
                .body
                .contains("<convertedStatus>Closed - Converted</convertedStatus>")
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_or_converted_is_not_sent() {
    let org = scripted(vec![lead(1, &id("005", 1), true)]);
    let outcomes = write(&connect(&org), vec![convert(1), convert(2)]).await;
    assert!(outcomes.iter().all(|outcome| matches!(
        outcome,
        Outcome::Refused {
            remedy: Remedy::LookAgain,
            ..
        }
    )));
    assert!(org.seen(SOAP).is_empty());
}

/// Two leads that a queue owns, and one of a user who has left.
fn orphans() -> Arc<Org> {
    let owned = |number, owner: &str, active: Json| {
        let mut lead = lead(number, owner, false);
        lead["Owner"] = json!({"attributes": {"type": "Name"}, "IsActive": active});
        lead
    };
    let leads = vec![
        owned(1, &id("00G", 1), json!(null)),
        owned(2, &id("00G", 1), json!(false)),
        owned(3, &id("005", 1), json!(false)),
    ];
    scripted(leads).on(SOAP, 200, results(&[1, 2, 3].map(converted)))
}

/// How often the conversions that were sent name this owner.
fn named(org: &Arc<Org>, owner: &str) -> usize {
    let element = format!("<ownerId>{owner}</ownerId>");
    org.seen(SOAP)
        .iter()
        .map(|sent| sent.body.matches(&element).count())
        .sum()
}

#[tokio::test(start_paused = true)]
async fn leads_of_queues_and_of_inactive_users_get_the_configured_owner() {
    let org = orphans();
    let connector = connect_with(&org, &format!("convert_owner = '{}'", id("005", 7)));
    write(&connector, vec![convert(1), convert(2), convert(3)]).await;
    assert_eq!(named(&org, &id("005", 7)), 3);
    assert!(org.seen(LEADS)[0].query.contains("Owner.IsActive"));
    assert_eq!(org.seen(LEADS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_configured_owner_they_get_the_user_that_we_are() {
    let told = orphans().on(USER_INFO, 200, json!({"user_id": &id("005", 8)[..15]}));
    let connector = connect(&told);
    for _ in 0..2 {
        write(&connector, vec![convert(1), convert(2), convert(3)]).await;
    }
    assert_eq!(named(&told, &id("005", 8)), 6);
    assert_eq!(told.seen(USER_INFO).len(), 1);
    let by_name = orphans()
        .on(
            USER_INFO,
            200,
            json!({"preferred_username": "o'hara@acme.example"}),
        )
        .on(
            r"FROM User WHERE Username = 'o\'hara@acme.example'",
            200,
            page(vec![json!({"Id": id("005", 9)})]),
        );
    write(&connect(&by_name), vec![convert(1)]).await;
    assert_eq!(named(&by_name, &id("005", 9)), 1);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_known_such_leads_are_refused() {
    let org = orphans().on(USER_INFO, 403, "Bad_OAuth_Token");
    let outcomes = write(&connect(&org), vec![convert(1), convert(2), convert(3)]).await;
    assert!(outcomes.iter().all(|outcome| matches!(
        outcome,
        Outcome::Refused { remedy: Remedy::Grant { permission }, .. } if permission.contains("convert_owner")
    )), "{outcomes:?}");
    assert_eq!(org.seen(USER_INFO).len(), 1);
    assert!(org.seen(SOAP).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_named_owner_and_an_active_one_stay() {
    let org = orphans();
    let mut operation = convert(1);
    if let Operation::Convert { owner, .. } = &mut operation {
        *owner = Some(Id(id("005", 6)));
    }
    write(&connect(&org), vec![operation]).await;
    assert_eq!(named(&org, &id("005", 6)), 1);
    let mut active = lead(1, &id("005", 1), false);
    active["Owner"] = json!({"IsActive": true});
    let org = scripted(vec![active]).on(SOAP, 200, results(&[converted(1)]));
    write(&connect(&org), vec![convert(1)]).await;
    assert!(!org.seen(SOAP)[0].body.contains("ownerId"));
}

#[tokio::test(start_paused = true)]
async fn an_org_that_hides_who_has_left_converts_all_the_same() {
    for message in [
        "No such column 'IsActive' on entity 'Name'.",
        "Didn't understand relationship 'Owner' in field path.",
    ] {
        let org = org()
            .on(LEADS, 400, refusal("INVALID_FIELD", message))
            .on(LEADS, 200, page(vec![lead(1, &id("005", 1), false)]))
            .on(
                "FROM LeadStatus",
                200,
                page(vec![json!({"ApiName": "Converted"})]),
            )
            .on(SOAP, 200, results(&[converted(1)]));
        let outcomes = write(&connect(&org), vec![convert(1)]).await;
        assert!(
            matches!(outcomes[0], Outcome::Applied { .. }),
            "{outcomes:?}"
        );
        assert!(!org.seen(LEADS)[1].query.contains("Owner.IsActive"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubt_stays_a_doubt_and_is_sent_once() {
    let leads = || scripted(vec![lead(1, &id("005", 1), false)]);
    let half = results(&[converted(1)]);
    let doubts = [
        leads().lose(SOAP),
        leads().on(SOAP, 503, "<html>maintenance</html>"),
        leads().on(SOAP, 200, &half[..half.len() / 2]),
        leads().on(SOAP, 500, fault("UNKNOWN_EXCEPTION")),
        leads().on(SOAP, 200, results(&[])),
    ];
    for org in doubts {
        assert_eq!(
            write(&connect(&org), vec![convert(1)]).await,
            [Outcome::Unknown]
        );
        assert_eq!(org.seen(SOAP).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_renewed_inside_the_envelope() {
    let org = scripted(vec![lead(1, &id("005", 1), false)])
        .on(SOAP, 500, fault("INVALID_SESSION_ID"))
        .on(SOAP, 200, results(&[converted(1)]));
    let fresh =
        json!({"access_token": "00D!token-2", "instance_url": "https://acme.my.salesforce.com"});
    org.on("POST /services/oauth2/token", 200, fresh);
    assert!(matches!(
        write(&connect(&org), vec![convert(1)]).await[0],
        Outcome::Applied { .. }
    ));
    assert!(
        org.seen(SOAP)[1]
            .body
            .contains("<sessionId>00D!token-2</sessionId>")
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named() {
    let org =
        scripted(vec![lead(1, &id("005", 1), false)]).on(SOAP, 500, fault("INSUFFICIENT_ACCESS"));
    let outcomes = write(&connect(&org), vec![convert(1)]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { remedy: Remedy::Grant { permission }, .. } if permission.contains("Convert Leads"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_org_without_a_converted_status_is_told_so() {
    let org = org()
        .on(LEADS, 200, page(vec![lead(1, &id("005", 1), false)]))
        .on("FROM LeadStatus", 200, page(vec![]));
    let outcomes = write(&connect(&org), vec![convert(1)]).await;
    assert!(matches!(
        &outcomes[0],
        Outcome::Refused {
            remedy: Remedy::FixMapping { .. },
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_lead_that_sales_has_moved_since_is_not_converted() {
    let mut moved = lead(1, &id("005", 1), false);
    moved["Status"] = json!("Closed - Not Converted");
    let org = org().on(LEADS, 200, page(vec![moved]));
    let outcomes = write(&connect(&org), vec![convert(1)]).await;
    let Outcome::Conflict { current } = &outcomes[0] else {
        panic!("{:?}", outcomes[0]);
    };
    assert_eq!(
        current.fields.text(contract::field::STATUS),
        Some("Closed - Not Converted")
    );
    assert!(org.seen("POST /services/Soap").is_empty());
}
