use contract::{Kind, Relation, field as f};
use std::fmt;

/// Whose column headings a file bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    /// HubSpot: labels of its export, or internal property names.
    Hubspot,
    /// Salesforce: API names of Data Loader and data export, or labels of reports.
    Salesforce,
    /// leadloop's own names.
    Canonical,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Hubspot => "HubSpot",
            Dialect::Salesforce => "Salesforce",
            Dialect::Canonical => "leadloop",
        })
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The record's id.
    Id,
    /// When it last changed.
    Modified,
    /// Given and family name in one.
    FullName,
    /// Whether it lies in the vendor's recycle bin.
    Deleted,
    /// The record it was merged into.
    Master,
    /// A canonical field.
    Field(&'static str),
    /// A pointer.
    Relation(Relation),
    /// Nothing that is read, but it tells what the file is.
    Sign,
}

/// A column that a dialect knows.
#[derive(Debug)]
pub(crate) struct Column {
    /// What it holds.
    pub target: Target,
    /// Its headings: first the one that the vendor's importer takes.
    pub names: &'static [&'static str],
    /// How strongly it speaks for its kind of file.
    pub weight: usize,
}

const fn col(target: Target, names: &'static [&'static str]) -> Column {
    Column {
        target,
        names,
        weight: 1,
    }
}

const fn field(name: &'static str, names: &'static [&'static str]) -> Column {
    col(Target::Field(name), names)
}

const fn rel(relation: Relation, names: &'static [&'static str]) -> Column {
    col(Target::Relation(relation), names)
}

/// The column occurs in no other kind of file.
const fn sure(column: Column) -> Column {
    Column {
        weight: 4,
        ..column
    }
}

const SIGN: Target = Target::Sign;

const HUBSPOT_PERSON: &[Column] = &[
    col(
        Target::Id,
        &["Record ID", "hs_object_id", "Contact ID", "vid"],
    ),
    field(f::EMAIL, &["Email", "email", "Email Address"]),
    field(f::FIRST_NAME, &["First Name", "firstname"]),
    field(f::LAST_NAME, &["Last Name", "lastname"]),
    field(f::TITLE, &["Job Title", "jobtitle"]),
    field(f::PHONE, &["Phone Number", "phone"]),
    field(f::COMPANY, &["Company Name", "company", "Company"]),
    field(f::WEBSITE, &["Website URL", "website"]),
    field(f::COUNTRY, &["Country/Region", "country"]),
    field(f::STATE, &["State/Region", "state"]),
    field(f::CITY, &["City", "city"]),
    field(f::INDUSTRY, &["Industry", "industry"]),
    field(
        f::LEAD_SOURCE,
        &[
            "Original Traffic Source",
            "Original Source",
            "hs_analytics_source",
            "Original Source Type",
        ],
    ),
    sure(field(f::LIFECYCLE, &["Lifecycle Stage", "lifecyclestage"])),
    field(f::STATUS, &["Lead Status", "hs_lead_status"]),
    sure(field(f::SCORE, &["HubSpot Score", "hubspotscore"])),
    sure(field(
        f::OPT_OUT,
        &["Unsubscribed from all email", "hs_email_optout"],
    )),
    field(
        f::OTHER_ID,
        &[
            "Salesforce Contact ID",
            "salesforcecontactid",
            "Salesforce Lead ID",
            "salesforceleadid",
        ],
    ),
    rel(Relation::Owner, &["Contact owner", "hubspot_owner_id"]),
    rel(
        Relation::Account,
        &[
            "Associated Company IDs (Primary)",
            "Associated Company IDs",
            "Primary Associated Company ID",
            "associatedcompanyid",
        ],
    ),
];

const HUBSPOT_COMPANY: &[Column] = &[
    col(Target::Id, &["Record ID", "hs_object_id", "Company ID"]),
    field(f::NAME, &["Company name", "name"]),
    sure(field(f::DOMAINS, &["Company Domain Name", "domain"])),
    field(f::WEBSITE, &["Website URL", "website"]),
    field(f::PHONE, &["Phone Number", "phone"]),
    field(f::COUNTRY, &["Country/Region", "country"]),
    field(f::STATE, &["State/Region", "state"]),
    field(f::CITY, &["City", "city"]),
    field(f::INDUSTRY, &["Industry", "industry"]),
    field(f::TYPE, &["Type", "type"]),
    rel(Relation::Owner, &["Company owner", "hubspot_owner_id"]),
    rel(
        Relation::Parent,
        &["Parent Company ID", "hs_parent_company_id"],
    ),
];

const HUBSPOT_DEAL: &[Column] = &[
    col(Target::Id, &["Record ID", "hs_object_id", "Deal ID"]),
    sure(field(f::NAME, &["Deal Name", "dealname"])),
    sure(field(f::STAGE, &["Deal Stage", "dealstage"])),
    field(f::AMOUNT, &["Amount", "amount"]),
    field(f::CURRENCY, &["Currency", "deal_currency_code"]),
    field(f::CLOSE_DATE, &["Close Date", "closedate"]),
    field(f::IS_CLOSED, &["Is Deal Closed?", "hs_is_closed"]),
    field(f::IS_WON, &["Is Closed Won", "hs_is_closed_won"]),
    field(
        f::LOST_REASON,
        &["Closed Lost Reason", "closed_lost_reason"],
    ),
    field(f::TYPE, &["Deal Type", "dealtype"]),
    rel(Relation::Owner, &["Deal owner", "hubspot_owner_id"]),
    rel(
        Relation::Account,
        &["Associated Company IDs (Primary)", "Associated Company IDs"],
    ),
    rel(Relation::Contact, &["Associated Contact IDs"]),
];

const HUBSPOT_USER: &[Column] = &[
    col(Target::Id, &["Owner ID", "User ID", "id"]),
    field(f::EMAIL, &["Email", "email"]),
    field(f::FIRST_NAME, &["First Name", "firstName"]),
    field(f::LAST_NAME, &["Last Name", "lastName"]),
    field(f::NAME, &["Name"]),
    field(f::ACTIVE, &["Active", "Status"]),
];

const HUBSPOT_ALL: &[Column] = &[
    field(f::CREATED_AT, &["Create Date", "createdate"]),
    col(
        Target::Modified,
        &[
            "Last Modified Date",
            "lastmodifieddate",
            "hs_lastmodifieddate",
        ],
    ),
    field(
        f::LAST_ACTIVITY_AT,
        &["Last Activity Date", "notes_last_updated"],
    ),
];

const SALESFORCE_LEAD: &[Column] = &[
    col(Target::Id, &["Id", "Lead ID"]),
    field(f::EMAIL, &["Email"]),
    field(f::FIRST_NAME, &["FirstName", "First Name"]),
    field(f::LAST_NAME, &["LastName", "Last Name"]),
    col(Target::FullName, &["Name", "Full Name"]),
    field(f::TITLE, &["Title"]),
    field(f::PHONE, &["Phone"]),
    field(f::COMPANY, &["Company", "Company / Account"]),
    field(f::WEBSITE, &["Website"]),
    field(f::COUNTRY, &["Country"]),
    field(f::STATE, &["State", "State/Province"]),
    field(f::CITY, &["City"]),
    field(f::INDUSTRY, &["Industry"]),
    field(f::LEAD_SOURCE, &["LeadSource", "Lead Source"]),
    field(f::STATUS, &["Status", "Lead Status"]),
    field(
        f::STATUS_REASON,
        &["Status_Reason__c", "Status Reason", "Unqualified Reason"],
    ),
    field(f::OPT_OUT, &["HasOptedOutOfEmail", "Email Opt Out"]),
    sure(field(f::IS_CONVERTED, &["IsConverted", "Converted"])),
    sure(rel(
        Relation::ConvertedContact,
        &["ConvertedContactId", "Converted Contact ID"],
    )),
    rel(
        Relation::ConvertedAccount,
        &["ConvertedAccountId", "Converted Account ID"],
    ),
    rel(
        Relation::ConvertedOpportunity,
        &["ConvertedOpportunityId", "Converted Opportunity ID"],
    ),
    rel(Relation::Owner, &["OwnerId", "Lead Owner ID", "Lead Owner"]),
    sure(col(SIGN, &["Lead ID"])),
];

const SALESFORCE_CONTACT: &[Column] = &[
    col(Target::Id, &["Id", "Contact ID"]),
    sure(rel(Relation::Account, &["AccountId", "Account ID"])),
    field(f::EMAIL, &["Email"]),
    field(f::FIRST_NAME, &["FirstName", "First Name"]),
    field(f::LAST_NAME, &["LastName", "Last Name"]),
    col(Target::FullName, &["Name", "Full Name"]),
    field(f::TITLE, &["Title"]),
    field(f::PHONE, &["Phone", "Business Phone"]),
    field(f::COMPANY, &["Account.Name", "Account Name"]),
    field(f::COUNTRY, &["MailingCountry", "Mailing Country"]),
    field(f::STATE, &["MailingState", "Mailing State/Province"]),
    field(f::CITY, &["MailingCity", "Mailing City"]),
    field(f::LEAD_SOURCE, &["LeadSource", "Lead Source"]),
    field(
        f::STATUS,
        &["Contact_Status__c", "Contact Status", "Status__c"],
    ),
    field(f::STATUS_REASON, &["Status_Reason__c", "Status Reason"]),
    field(f::OPT_OUT, &["HasOptedOutOfEmail", "Email Opt Out"]),
    rel(
        Relation::Owner,
        &["OwnerId", "Contact Owner ID", "Contact Owner"],
    ),
    sure(col(SIGN, &["Contact ID"])),
];

const SALESFORCE_ACCOUNT: &[Column] = &[
    col(Target::Id, &["Id", "Account ID"]),
    field(f::NAME, &["Name", "Account Name"]),
    field(f::WEBSITE, &["Website"]),
    field(f::DOMAINS, &["Domains__c", "Domains"]),
    field(f::PHONE, &["Phone"]),
    field(f::INDUSTRY, &["Industry"]),
    field(f::TYPE, &["Type"]),
    sure(field(f::COUNTRY, &["BillingCountry", "Billing Country"])),
    field(f::STATE, &["BillingState", "Billing State/Province"]),
    field(f::CITY, &["BillingCity", "Billing City"]),
    rel(Relation::Parent, &["ParentId", "Parent Account ID"]),
    rel(
        Relation::Owner,
        &["OwnerId", "Account Owner ID", "Account Owner"],
    ),
];

const SALESFORCE_OPPORTUNITY: &[Column] = &[
    col(Target::Id, &["Id", "Opportunity ID"]),
    field(f::NAME, &["Name", "Opportunity Name"]),
    rel(Relation::Account, &["AccountId", "Account ID"]),
    field(f::COMPANY, &["Account.Name", "Account Name"]),
    sure(field(f::STAGE, &["StageName", "Stage"])),
    field(f::AMOUNT, &["Amount"]),
    field(
        f::CURRENCY,
        &["CurrencyIsoCode", "Amount Currency", "Opportunity Currency"],
    ),
    sure(field(f::CLOSE_DATE, &["CloseDate", "Close Date"])),
    field(f::IS_CLOSED, &["IsClosed", "Closed"]),
    field(f::IS_WON, &["IsWon", "Won"]),
    field(
        f::LOST_REASON,
        &["Loss_Reason__c", "Loss Reason", "Closed Lost Reason"],
    ),
    field(f::TYPE, &["Type"]),
    field(f::LEAD_SOURCE, &["LeadSource", "Lead Source"]),
    rel(Relation::Contact, &["ContactId", "Primary Contact ID"]),
    rel(
        Relation::Owner,
        &["OwnerId", "Opportunity Owner ID", "Opportunity Owner"],
    ),
    sure(col(SIGN, &["Opportunity ID"])),
];

const SALESFORCE_ROLE: &[Column] = &[
    col(Target::Id, &["Id", "Contact Role ID"]),
    sure(rel(
        Relation::Opportunity,
        &["OpportunityId", "Opportunity ID"],
    )),
    sure(rel(Relation::Contact, &["ContactId", "Contact ID"])),
    field(f::IS_PRIMARY, &["IsPrimary", "Primary"]),
    sure(field(f::TITLE, &["Role", "Contact Role"])),
];

const SALESFORCE_USER: &[Column] = &[
    col(Target::Id, &["Id", "User ID"]),
    field(f::NAME, &["Name", "Full Name"]),
    field(f::EMAIL, &["Email"]),
    field(f::FIRST_NAME, &["FirstName", "First Name"]),
    field(f::LAST_NAME, &["LastName", "Last Name"]),
    sure(field(f::ACTIVE, &["IsActive", "Active"])),
    sure(col(SIGN, &["Username", "UserName"])),
    sure(col(SIGN, &["ProfileId", "Profile"])),
];

const SALESFORCE_ALL: &[Column] = &[
    field(
        f::CREATED_AT,
        &["CreatedDate", "Created Date", "Create Date"],
    ),
    col(
        Target::Modified,
        &["SystemModstamp", "LastModifiedDate", "Last Modified Date"],
    ),
    field(f::LAST_ACTIVITY_AT, &["LastActivityDate", "Last Activity"]),
    col(Target::Deleted, &["IsDeleted"]),
    col(Target::Master, &["MasterRecordId"]),
    field(f::KEY, &["Leadloop_Key__c"]),
    field(f::OTHER_ID, &["Other_Id__c"]),
    field(f::DISPOSITION, &["Leadloop_Disposition__c"]),
    field(f::DISPOSITION_REASON, &["Leadloop_Reason__c"]),
    field(f::DISPOSITION_AT, &["Leadloop_Disposition_At__c"]),
    field(f::FUNNEL_STAGE, &["Leadloop_Stage__c"]),
    field(f::SALES_STAGE, &["Leadloop_Sales_Stage__c"]),
    field(f::SALES_AMOUNT, &["Leadloop_Amount__c"]),
    field(f::SALES_CURRENCY, &["Leadloop_Currency__c"]),
    field(f::SALES_OWNER, &["Leadloop_Owner__c"]),
    field(f::CRM_ID, &["Leadloop_Crm_Id__c"]),
];

const CANONICAL_PERSON: &[Column] = &[
    field(f::EMAIL, &["email", "E-Mail"]),
    field(f::FIRST_NAME, &["first_name"]),
    field(f::LAST_NAME, &["last_name"]),
    col(Target::FullName, &["name"]),
    field(f::TITLE, &["title"]),
    field(f::PHONE, &["phone"]),
    field(f::COMPANY, &["company"]),
    field(f::WEBSITE, &["website"]),
    field(f::COUNTRY, &["country"]),
    field(f::STATE, &["state"]),
    field(f::CITY, &["city"]),
    field(f::INDUSTRY, &["industry"]),
    field(f::LEAD_SOURCE, &["lead_source"]),
    field(f::STATUS, &["status"]),
    field(f::STATUS_REASON, &["status_reason"]),
    field(f::OPT_OUT, &["opt_out"]),
];

const CANONICAL_LEAD: &[Column] = &[
    sure(field(f::LIFECYCLE, &["lifecycle"])),
    sure(field(f::SCORE, &["score"])),
    sure(field(f::IS_CONVERTED, &["is_converted"])),
    rel(Relation::ConvertedContact, &["converted_contact_id"]),
    rel(Relation::ConvertedAccount, &["converted_account_id"]),
    rel(
        Relation::ConvertedOpportunity,
        &["converted_opportunity_id"],
    ),
];

const CANONICAL_CONTACT: &[Column] = &[sure(rel(Relation::Account, &["account_id"]))];

const CANONICAL_ACCOUNT: &[Column] = &[
    field(f::NAME, &["name"]),
    field(f::WEBSITE, &["website"]),
    sure(field(f::DOMAINS, &["domains"])),
    field(f::PHONE, &["phone"]),
    field(f::INDUSTRY, &["industry"]),
    field(f::TYPE, &["type"]),
    field(f::COUNTRY, &["country"]),
    field(f::STATE, &["state"]),
    field(f::CITY, &["city"]),
    rel(Relation::Parent, &["parent_id"]),
];

const CANONICAL_OPPORTUNITY: &[Column] = &[
    field(f::NAME, &["name"]),
    rel(Relation::Account, &["account_id"]),
    rel(Relation::Contact, &["contact_id"]),
    sure(field(f::STAGE, &["stage"])),
    field(f::AMOUNT, &["amount"]),
    field(f::CURRENCY, &["currency"]),
    sure(field(f::CLOSE_DATE, &["close_date"])),
    field(f::IS_CLOSED, &["is_closed"]),
    field(f::IS_WON, &["is_won"]),
    field(f::LOST_REASON, &["lost_reason"]),
    field(f::TYPE, &["type"]),
];

const CANONICAL_ROLE: &[Column] = &[
    sure(rel(Relation::Opportunity, &["opportunity_id"])),
    sure(rel(Relation::Contact, &["contact_id"])),
    field(f::IS_PRIMARY, &["is_primary"]),
];

const CANONICAL_USER: &[Column] = &[
    field(f::NAME, &["name"]),
    field(f::EMAIL, &["email"]),
    field(f::FIRST_NAME, &["first_name"]),
    field(f::LAST_NAME, &["last_name"]),
    sure(field(f::ACTIVE, &["active"])),
];

const CANONICAL_ALL: &[Column] = &[
    col(Target::Id, &["id"]),
    field(f::CREATED_AT, &["created_at"]),
    col(Target::Modified, &["modified", "modified_at"]),
    field(f::LAST_ACTIVITY_AT, &["last_activity_at"]),
    rel(Relation::Owner, &["owner_id"]),
    field(f::OTHER_ID, &["other_id"]),
];

/// What leadloop itself writes, under its own names, in dialects that do not spell them otherwise.
const OURS: &[Column] = &[
    field(f::KEY, &[f::KEY]),
    field(f::DISPOSITION, &[f::DISPOSITION]),
    field(f::DISPOSITION_REASON, &[f::DISPOSITION_REASON]),
    field(f::DISPOSITION_AT, &[f::DISPOSITION_AT]),
    field(f::FUNNEL_STAGE, &[f::FUNNEL_STAGE]),
    field(f::SALES_STAGE, &[f::SALES_STAGE]),
    field(f::SALES_AMOUNT, &[f::SALES_AMOUNT]),
    field(f::SALES_CURRENCY, &[f::SALES_CURRENCY]),
    field(f::SALES_OWNER, &[f::SALES_OWNER]),
    field(f::CRM_ID, &[f::CRM_ID]),
];

/// Kinds of files that a dialect has, people first.
pub(crate) fn kinds(dialect: Dialect) -> &'static [Kind] {
    match dialect {
        // HubSpot has one kind of person; which of ours that is depends on the side.
        Dialect::Hubspot => &[Kind::Contact, Kind::Account, Kind::Opportunity, Kind::User],
        Dialect::Salesforce | Dialect::Canonical => &[
            Kind::Lead,
            Kind::Contact,
            Kind::Account,
            Kind::Opportunity,
            Kind::Role,
            Kind::User,
        ],
    }
}

/// The columns of a kind of file, in the order in which import files show them.
pub(crate) fn columns(dialect: Dialect, kind: Kind) -> impl Iterator<Item = &'static Column> {
    use Kind::{Account, Contact, Lead, Note, Opportunity, Role, User};
    let none: &[Column] = &[];
    let (own, more, all) = match (dialect, kind) {
        (_, Note) => (none, none, none),
        (Dialect::Hubspot, Lead | Contact) => (HUBSPOT_PERSON, HUBSPOT_ALL, OURS),
        (Dialect::Hubspot, Account) => (HUBSPOT_COMPANY, HUBSPOT_ALL, OURS),
        (Dialect::Hubspot, Opportunity) => (HUBSPOT_DEAL, HUBSPOT_ALL, OURS),
        (Dialect::Hubspot, User) => (HUBSPOT_USER, none, none),
        (Dialect::Hubspot, Role) => (none, none, none),
        (Dialect::Salesforce, Lead) => (SALESFORCE_LEAD, SALESFORCE_ALL, none),
        (Dialect::Salesforce, Contact) => (SALESFORCE_CONTACT, SALESFORCE_ALL, none),
        (Dialect::Salesforce, Account) => (SALESFORCE_ACCOUNT, SALESFORCE_ALL, none),
        (Dialect::Salesforce, Opportunity) => (SALESFORCE_OPPORTUNITY, SALESFORCE_ALL, none),
        (Dialect::Salesforce, Role) => (SALESFORCE_ROLE, SALESFORCE_ALL, none),
        (Dialect::Salesforce, User) => (SALESFORCE_USER, SALESFORCE_ALL, none),
        (Dialect::Canonical, Lead) => (CANONICAL_PERSON, CANONICAL_LEAD, OURS),
        (Dialect::Canonical, Contact) => (CANONICAL_PERSON, CANONICAL_CONTACT, OURS),
        (Dialect::Canonical, Account) => (CANONICAL_ACCOUNT, none, OURS),
        (Dialect::Canonical, Opportunity) => (CANONICAL_OPPORTUNITY, none, OURS),
        (Dialect::Canonical, Role) => (CANONICAL_ROLE, none, none),
        (Dialect::Canonical, User) => (CANONICAL_USER, none, none),
    };
    let first = if dialect == Dialect::Canonical {
        CANONICAL_ALL
    } else {
        none
    };
    first.iter().chain(own).chain(more).chain(all)
}

/// The heading that the vendor's importer takes for what a column holds.
pub(crate) fn native(dialect: Dialect, kind: Kind, target: Target) -> Option<&'static str> {
    columns(dialect, kind)
        .find(|column| column.target == target)
        .map(|column| column.names[0])
}

/// A heading as it is compared: labels, API names and internal names of one field mostly fall together.
pub(crate) fn plain(heading: &str) -> String {
    let heading = heading.trim();
    let heading = heading.strip_suffix("__c").unwrap_or(heading);
    heading
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The field's canonical name or an override's word as a target.
pub(crate) fn relation(word: &str) -> Option<Relation> {
    Some(match word.strip_suffix("_id").unwrap_or(word) {
        "account" => Relation::Account,
        "parent" => Relation::Parent,
        "owner" => Relation::Owner,
        "contact" => Relation::Contact,
        "opportunity" => Relation::Opportunity,
        "converted_contact" => Relation::ConvertedContact,
        "converted_account" => Relation::ConvertedAccount,
        "converted_opportunity" => Relation::ConvertedOpportunity,
        _ => return None,
    })
}

/// A 15-character Salesforce id in its 18-character form; anything else as it is. Reports show the short form, which
/// differs from the long one by a checksum over the case of its letters.
pub(crate) fn long_id(id: &str) -> String {
    if id.len() != 15 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    let suffix = id.as_bytes().chunks(5).map(|chunk| {
        let capitals = chunk
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase());
        let place: usize = capitals.map(|(place, _)| 1 << place).sum();
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[place])
    });
    id.chars().chain(suffix).collect()
}
