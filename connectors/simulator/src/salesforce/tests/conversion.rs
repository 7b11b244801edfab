use super::*;
use contract::field;

fn envelope(token: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:p=\"urn:partner.soap.sforce.com\">\
         <e:Header><p:SessionHeader><p:sessionId>{token}</p:sessionId></p:SessionHeader></e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )
}

impl Org {
    fn soap(&mut self, body: &str) -> (u16, String) {
        let body = envelope(&self.token, body);
        let reply = self.send(
            "POST",
            "/services/Soap/u/66.0",
            &[("soapaction", "\"\"")],
            body,
        );
        (
            reply.status().as_u16(),
            String::from_utf8_lossy(reply.body()).into_owned(),
        )
    }

    fn convert(&mut self, leads: &[&[(&str, &str)]]) -> String {
        let leads: String = leads
            .iter()
            .map(|fields| {
                let fields: String = fields
                    .iter()
                    .map(|(name, value)| format!("<p:{name}>{value}</p:{name}>"))
                    .collect();
                format!("<p:leadConverts>{fields}</p:leadConverts>")
            })
            .collect();
        let (status, answer) = self.soap(&format!("<p:convertLead>{leads}</p:convertLead>"));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn lead(&mut self) -> String {
        self.create(
            "Lead",
            json!({"LastName": "Hopper", "FirstName": "Grace", "Company": "Navy & Co", "Email": "grace@navy.example",
                "City": "Arlington", "HasOptedOutOfEmail": true, "Leadloop_Key__c": "ll-7", "LeadSource": "Web"}),
        )
    }
}

const DONE: (&str, &str) = ("convertedStatus", "Closed - Converted");

#[test]
fn a_lead_becomes_a_contact_under_the_given_account() {
    let mut org = org();
    let lead = org.lead();
    let task = org.create("Task", json!({"WhoId": lead, "Subject": "Call"}));
    let account = org.create("Account", json!({"Name": "Navy"}));
    let fields = [
        ("leadId", lead.as_str()),
        DONE,
        ("accountId", &account),
        ("doNotCreateOpportunity", "true"),
    ];
    let answer = org.convert(&[&fields]);
    assert!(
        answer.contains("<success>true</success>")
            && answer.contains("<opportunityId xsi:nil=\"true\"/>"),
        "{answer}"
    );
    let found = org.query(
        "SELECT Status, IsConverted, ConvertedDate, ConvertedContactId, ConvertedContact.MailingCity, ConvertedContact.Leadloop_Key__c, \
         ConvertedContact.HasOptedOutOfEmail, ConvertedContact.AccountId, ConvertedOpportunityId FROM Lead",
    );
    let record = &found["records"][0];
    assert_eq!(record["ConvertedDate"], "2026-03-02");
    assert_eq!(record["ConvertedContact"]["AccountId"], account.as_str());
    assert_eq!(record["ConvertedContact"]["Leadloop_Key__c"], "ll-7");
    assert_eq!(record["ConvertedContact"]["HasOptedOutOfEmail"], true);
    assert_eq!(record["ConvertedOpportunityId"], Value::Null);
    assert_eq!(
        org.get(&format!("sobjects/Task/{task}")).1["WhoId"],
        record["ConvertedContactId"]
    );
    assert_eq!(
        org.salesforce
            .get(Kind::Account, &account, field::CITY)
            .as_deref(),
        Some("Arlington")
    );
    // It is read-only from now on, and cannot be converted again.
    let (status, refused) = org.call(
        "PATCH",
        &format!("sobjects/Lead/{lead}"),
        json!({"City": "X"}),
    );
    assert_eq!(
        (status, code(&refused)),
        (400, "CANNOT_UPDATE_CONVERTED_LEAD")
    );
    let answer = org.convert(&[&[("leadId", &lead), DONE]]);
    assert!(
        answer.contains("<statusCode>CANNOT_UPDATE_CONVERTED_LEAD</statusCode>"),
        "{answer}"
    );
}

#[test]
fn merging_into_a_contact_fills_only_what_is_empty() {
    let mut org = org();
    let lead = org.lead();
    let account = org.create("Account", json!({"Name": "Navy"}));
    let other = org.create("Account", json!({"Name": "Other"}));
    let contact = org.create(
        "Contact",
        json!({"LastName": "Hopper-Murray", "AccountId": account}),
    );
    for (account, error) in [
        (None, "INVALID_ID_FIELD"),
        (Some(&other), "INVALID_CROSS_REFERENCE_KEY"),
    ] {
        let mut fields = vec![("leadId", lead.as_str()), DONE, ("contactId", &contact)];
        fields.extend(account.map(|account| ("accountId", account.as_str())));
        let answer = org.convert(&[&fields]);
        assert!(answer.contains(error), "{answer}");
    }
    org.convert(&[&[
        ("leadId", &lead),
        DONE,
        ("accountId", &account),
        ("contactId", &contact),
    ]]);
    let (_, record) = org.get(&format!("sobjects/Contact/{contact}"));
    assert_eq!(
        (&record["LastName"], &record["FirstName"]),
        (&json!("Hopper-Murray"), &json!("Grace"))
    );
    assert_eq!(record["HasOptedOutOfEmail"], false);
    let found = org.query("SELECT Name, StageName, CloseDate, (SELECT ContactId FROM OpportunityContactRoles) FROM Opportunity");
    let deal = &found["records"][0];
    assert_eq!(
        (&deal["Name"], &deal["CloseDate"]),
        (&json!("Navy & Co-"), &json!("2026-03-31"))
    );
    assert_eq!(
        deal["OpportunityContactRoles"]["records"][0]["ContactId"],
        contact.as_str()
    );
}

#[test]
fn every_lead_of_a_call_has_its_own_outcome() {
    let mut org = org();
    let lead = org.lead();
    let queue = org.salesforce.create_queue("Inbound", org.now);
    let queued = org.create(
        "Lead",
        json!({"LastName": "Q", "Company": "Q", "OwnerId": queue}),
    );
    let answer = org.convert(&[
        &[("leadId", &lead), ("convertedStatus", "Recycled")],
        &[("leadId", &queued), DONE],
        &[("leadId", &lead), DONE],
    ]);
    let outcomes: Vec<&str> = answer
        .split("<success>")
        .skip(1)
        .map(|rest| &rest[..4])
        .collect();
    assert_eq!(outcomes, ["fals", "fals", "true"], "{answer}");
    assert!(answer.contains("INVALID_STATUS") && answer.contains("can only be owned by users"));
    let me = org.get("/services/oauth2/userinfo").1["user_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = org.convert(&[&[("leadId", &queued), DONE, ("ownerId", &me)]]);
    assert!(answer.contains("<success>true</success>"), "{answer}");
    assert_eq!(org.query("SELECT COUNT() FROM Account")["totalSize"], 2);
}

#[test]
fn people_convert_at_their_screens() {
    let mut org = org();
    let lead = org.lead();
    let converted = org
        .salesforce
        .convert(&lead, None, None, true, Actor::Person, org.now)
        .unwrap();
    assert!(converted.opportunity.is_some());
    assert!(
        org.salesforce
            .convert(&lead, None, None, true, Actor::Person, org.now)
            .is_err()
    );
    // Through the neutral tables the same is carried over.
    let second = org.create(
        "Lead",
        json!({"LastName": "L", "Company": "C", "Leadloop_Key__c": "ll-8"}),
    );
    let contact = org.person_creates(Kind::Contact, &[(field::LAST_NAME, "L")]);
    let values = [
        (field::IS_CONVERTED, "true"),
        (crate::world::relation::CONVERTED_CONTACT, contact.as_str()),
    ];
    org.salesforce
        .set(Kind::Lead, &second, &values, Actor::Person, org.now);
    assert_eq!(
        org.salesforce
            .get(Kind::Contact, &contact, field::KEY)
            .as_deref(),
        Some("ll-8")
    );
    assert_eq!(
        org.salesforce
            .get(Kind::Lead, &second, "ConvertedDate")
            .as_deref(),
        Some("2026-03-02")
    );
}

#[test]
fn soap_has_its_own_login_logout_and_faults() {
    let mut org = org();
    let login = "<p:login><p:username>integration@leadloop.example</p:username><p:password>password&#33;</p:password></p:login>";
    let (status, answer) = org.soap(login);
    assert_eq!(status, 500, "no login in new versions: {answer}");
    let body = envelope("", login);
    let reply = org.send("POST", "/services/Soap/u/60.0", &[], body);
    assert!(
        String::from_utf8_lossy(reply.body())
            .contains("<serverUrl>https://org.my.salesforce.com/services/Soap/u/60.0/")
    );
    org.soap("<p:logout/>");
    let (status, answer) = org.soap("<p:getServerTimestamp/>");
    assert_eq!(status, 500);
    assert!(
        answer.contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"),
        "{answer}"
    );
    let reply = org.send("POST", "/services/Soap/u/66.0", &[], "<a><b>".to_owned());
    assert_eq!(reply.status(), 500);
}

#[test]
fn soap_merges() {
    let mut org = org();
    let winner = org.create("Contact", json!({"LastName": "A"}));
    let loser = org.create("Contact", json!({"LastName": "B"}));
    let (_, answer) = org.soap(&format!(
        "<p:merge><p:request><p:masterRecord><type>Contact</type><Id>{winner}</Id><Title>T</Title></p:masterRecord>\
         <p:recordToMergeIds>{loser}</p:recordToMergeIds></p:request></p:merge>"
    ));
    assert!(
        answer.contains(&format!("<mergedRecordIds>{loser}</mergedRecordIds>")),
        "{answer}"
    );
    assert_eq!(
        org.get(&format!("sobjects/Contact/{winner}")).1["Title"],
        "T"
    );
    assert_eq!(org.get(&format!("sobjects/Contact/{loser}")).0, 404);
}
