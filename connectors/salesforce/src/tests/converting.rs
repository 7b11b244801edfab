use super::*;
use contract::{Id, Relation, Remedy};

const SOAP: &str = "POST /services/Soap/u/68.0";
const LEADS: &str = "FROM Lead WHERE Id IN";

fn convert(number: usize) -> Operation {
    Operation::Convert {
        lead: Id(id("00Q", number)),
        account: Id(id("001", 1)),
        contact: None,
        owner: None,
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

#[tokio::test(start_paused = true)]
async fn a_queues_lead_needs_an_owner() {
    let queue =
        || scripted(vec![lead(1, &id("00G", 1), false)]).on(SOAP, 200, results(&[converted(1)]));
    let refused = queue();
    let outcomes = write(&connect(&refused), vec![convert(1)]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { remedy: Remedy::Grant { permission }, .. } if permission.contains("convert_owner"))
    );
    let helped = queue();
    let owner = id("005", 7);
    assert!(matches!(
        write(
            &connect_with(&helped, &format!("convert_owner = '{owner}'")),
            vec![convert(1)]
        )
        .await[0],
        Outcome::Applied { .. }
    ));
    assert!(
        helped.seen(SOAP)[0]
            .body
            .contains(&format!("<ownerId>{owner}</ownerId>"))
    );
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
