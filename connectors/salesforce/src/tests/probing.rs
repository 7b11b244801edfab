use super::*;
use contract::{FieldType, Kind, Probe, Severity};

async fn probe(org: &Arc<Org>) -> Probe {
    let described = |name: &str| format!("sobjects/{name}/describe");
    for object in ["OpportunityContactRole", "User", "Task"] {
        org.on(&described(object), 200, json!({"fields": system(vec![])}));
    }
    org.on(
        &described("Opportunity"),
        404,
        refusal("NOT_FOUND", "The requested resource does not exist"),
    );
    org.on(
        "FROM Organization",
        200,
        page(vec![
            json!({"Id": "00D000000000001EAA", "Name": "Acme GmbH"}),
        ]),
    );
    org.on("GET /services/oauth2/userinfo", 403, "Bad_OAuth_Token");
    org.on(
        "GET /services/data/v68.0/limits",
        200,
        json!({"DailyApiRequests": {"Max": 1000, "Remaining": 5}}),
    );
    org.on(
        "FROM LeadStatus",
        200,
        page(vec![json!({"ApiName": "Qualified"})]),
    );
    connect(org).probe().await.unwrap()
}

fn severity(probe: &Probe, words: &str) -> Option<Severity> {
    probe
        .findings
        .iter()
        .find(|finding| finding.what.contains(words))
        .map(|finding| finding.severity)
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_found() {
    let probe = probe(&org()).await;
    assert_eq!(probe.account, "Acme GmbH (00D000000000001EAA)");
    assert_eq!(
        severity(&probe, "Contact.MailingCountry"),
        Some(Severity::Warning)
    );
    assert_eq!(severity(&probe, "Lead.Hidden__c"), Some(Severity::Warning));
    assert_eq!(
        severity(&probe, "Opportunity is not visible"),
        Some(Severity::Error)
    );
    assert_eq!(severity(&probe, "5 of 1000"), Some(Severity::Warning));
    assert_eq!(severity(&probe, "Convert Leads"), Some(Severity::Note));
    assert_eq!(severity(&probe, "Leadloop_Key__c"), None);
    assert_eq!(severity(&probe, "IsConverted"), None);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_unique_is_an_error() {
    let org = Arc::new(Org::default());
    org.at(NOW);
    org.on(
        "POST /services/oauth2/token",
        200,
        json!({"access_token": "t", "instance_url": "https://acme.my.salesforce.com"}),
    );
    org.on(
        "sobjects/Lead/describe",
        200,
        json!({"fields": [text("Leadloop_Key__c", 64)]}),
    );
    org.on(
        "sobjects/Contact/describe",
        200,
        json!({"fields": contact()}),
    );
    org.on(
        "sobjects/Account/describe",
        200,
        json!({"fields": [text("Name", 255)]}),
    );
    let probe = probe(&org).await;
    assert_eq!(
        severity(&probe, "Lead.Leadloop_Key__c is not a unique external id"),
        Some(Severity::Error)
    );
    assert_eq!(
        severity(&probe, "Account.Leadloop_Key__c is not visible"),
        Some(Severity::Error)
    );
    assert_eq!(
        severity(&probe, "Lead.HasOptedOutOfEmail"),
        Some(Severity::Error)
    );
}

#[tokio::test(start_paused = true)]
async fn fields_are_described_in_canonical_words() {
    let fields = connect(&org()).describe(Kind::Contact).await.unwrap();
    let email = fields.iter().find(|field| field.name == "email").unwrap();
    assert_eq!(
        (email.native.as_str(), email.field_type, email.max_length),
        ("Email", FieldType::Text, Some(80))
    );
    assert!(
        fields
            .iter()
            .any(|field| field.name == "leadloop_key" && field.unique)
    );
    assert!(
        fields
            .iter()
            .any(|field| field.name == "SystemModstamp" && !field.writable)
    );
}
