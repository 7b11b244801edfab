use super::schema::{
    Child, Field, Object, Options, Type, full_name, leadloop_key, picklist, reference, simple, text,
};

/// Every object that the simulated org has.
pub(super) static ALL: [Object; 16] = [
    Object {
        children: LEAD_CHILDREN,
        mergeable: true,
        ..object("Lead", "Leads", "00Q", LEAD)
    },
    Object {
        children: CONTACT_CHILDREN,
        mergeable: true,
        ..object("Contact", "Contacts", "003", CONTACT)
    },
    Object {
        children: ACCOUNT_CHILDREN,
        mergeable: true,
        ..object("Account", "Accounts", "001", ACCOUNT)
    },
    Object {
        plural: "Opportunities",
        children: OPPORTUNITY_CHILDREN,
        ..object("Opportunity", "Opportunities", "006", OPPORTUNITY)
    },
    Object {
        label: "Opportunity Contact Role",
        ..object(
            "OpportunityContactRole",
            "Opportunity Contact Roles",
            "00K",
            ROLE,
        )
    },
    object("User", "Users", "005", USER),
    Object {
        writable: false,
        ..object("Group", "Groups", "00G", GROUP)
    },
    object("Task", "Tasks", "00T", TASK),
    Object {
        children: CAMPAIGN_CHILDREN,
        ..object("Campaign", "Campaigns", "701", CAMPAIGN)
    },
    Object {
        label: "Campaign Member",
        ..object("CampaignMember", "Campaign Members", "00v", CAMPAIGN_MEMBER)
    },
    Object {
        label: "Lead Status Value",
        writable: false,
        ..object("LeadStatus", "Lead Status Values", "01J", LEAD_STATUS)
    },
    Object {
        label: "Opportunity Stage",
        writable: false,
        ..object(
            "OpportunityStage",
            "Opportunity Stages",
            "01J",
            OPPORTUNITY_STAGE,
        )
    },
    Object {
        label: "Opportunity: Stage History",
        writable: false,
        ..object(
            "OpportunityHistory",
            "Opportunity: Stage History",
            "008",
            OPPORTUNITY_HISTORY,
        )
    },
    Object {
        writable: false,
        ..object("Organization", "Organizations", "00D", ORGANIZATION)
    },
    Object {
        label: "Record Type",
        writable: false,
        ..object("RecordType", "Record Types", "012", RECORD_TYPE)
    },
    Object {
        writable: false,
        ..object("Profile", "Profiles", "00e", PROFILE)
    },
];

const fn object(
    name: &'static str,
    plural: &'static str,
    prefix: &'static str,
    own: &'static [Field],
) -> Object {
    Object {
        name,
        label: name,
        plural,
        prefix,
        own,
        children: &[],
        writable: true,
        mergeable: false,
    }
}

const SOURCES: Options = Options::Fixed(&[
    "Web",
    "Phone Inquiry",
    "Partner Referral",
    "Purchased List",
    "Other",
]);
const RATINGS: Options = Options::Fixed(&["Hot", "Warm", "Cold"]);
const ACCOUNT_TYPES: Options = Options::Fixed(&[
    "Prospect",
    "Customer - Direct",
    "Customer - Channel",
    "Channel Partner / Reseller",
    "Installation Partner",
    "Technology Partner",
    "Other",
]);
const INDUSTRIES: Options = Options::Fixed(&[
    "Agriculture",
    "Banking",
    "Biotechnology",
    "Chemicals",
    "Construction",
    "Consulting",
    "Education",
    "Energy",
    "Engineering",
    "Finance",
    "Government",
    "Healthcare",
    "Insurance",
    "Machinery",
    "Manufacturing",
    "Media",
    "Retail",
    "Technology",
    "Telecommunications",
    "Transportation",
    "Utilities",
    "Other",
]);

const fn email() -> Field {
    text("Email", "Email", 80).of(Type::Email)
}

const fn phone(name: &'static str, label: &'static str) -> Field {
    text(name, label, 40).of(Type::Phone)
}

const fn website() -> Field {
    text("Website", "Website", 255).of(Type::Url)
}

const fn description() -> Field {
    text("Description", "Description", 32_000).of(Type::TextArea)
}

const fn flag(name: &'static str, label: &'static str) -> Field {
    simple(name, label, Type::Bool)
}

const LEAD: &[Field] = &[
    full_name(),
    text("FirstName", "First Name", 40),
    text("LastName", "Last Name", 80).required(),
    picklist(
        "Salutation",
        "Salutation",
        Options::Fixed(&["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."]),
    ),
    text("Company", "Company", 255).required(),
    text("Title", "Title", 128),
    email().looked_up(),
    phone("Phone", "Phone"),
    phone("MobilePhone", "Mobile Phone"),
    website(),
    text("Street", "Street", 255).of(Type::TextArea),
    text("City", "City", 40),
    text("State", "State/Province", 80),
    text("PostalCode", "Zip/Postal Code", 20),
    text("Country", "Country", 80),
    picklist("LeadSource", "Lead Source", SOURCES),
    picklist("Status", "Status", Options::Rows("LeadStatus")).required(),
    picklist("Industry", "Industry", INDUSTRIES),
    picklist("Rating", "Rating", RATINGS),
    simple("AnnualRevenue", "Annual Revenue", Type::Currency),
    simple("NumberOfEmployees", "Employees", Type::Int),
    reference("OwnerId", "Owner ID", &["Group", "User"], "Owner").required(),
    description(),
    flag("HasOptedOutOfEmail", "Email Opt Out"),
    flag("DoNotCall", "Do Not Call"),
    text("EmailBouncedReason", "Email Bounced Reason", 255),
    simple("EmailBouncedDate", "Email Bounced Date", Type::Time),
    flag("IsConverted", "Converted").read_only(),
    simple("ConvertedDate", "Converted Date", Type::Date).read_only(),
    reference(
        "ConvertedAccountId",
        "Converted Account ID",
        &["Account"],
        "ConvertedAccount",
    )
    .read_only(),
    reference(
        "ConvertedContactId",
        "Converted Contact ID",
        &["Contact"],
        "ConvertedContact",
    )
    .read_only(),
    reference(
        "ConvertedOpportunityId",
        "Converted Opportunity ID",
        &["Opportunity"],
        "ConvertedOpportunity",
    )
    .read_only(),
    simple("LastActivityDate", "Last Activity", Type::Date).read_only(),
    leadloop_key(),
    text("Status_Reason__c", "Status Reason", 255),
];

const LEAD_CHILDREN: &[Child] = &[
    Child {
        relationship: "Tasks",
        object: "Task",
        field: "WhoId",
    },
    Child {
        relationship: "CampaignMembers",
        object: "CampaignMember",
        field: "LeadId",
    },
];

const CONTACT: &[Field] = &[
    full_name(),
    text("FirstName", "First Name", 40),
    text("LastName", "Last Name", 80).required(),
    picklist(
        "Salutation",
        "Salutation",
        Options::Fixed(&["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."]),
    ),
    reference("AccountId", "Account ID", &["Account"], "Account"),
    text("Title", "Title", 128),
    text("Department", "Department", 80),
    email().looked_up(),
    phone("Phone", "Business Phone"),
    phone("MobilePhone", "Mobile Phone"),
    text("MailingStreet", "Mailing Street", 255).of(Type::TextArea),
    text("MailingCity", "Mailing City", 40),
    text("MailingState", "Mailing State/Province", 80),
    text("MailingPostalCode", "Mailing Zip/Postal Code", 20),
    text("MailingCountry", "Mailing Country", 80),
    picklist("LeadSource", "Lead Source", SOURCES),
    reference("OwnerId", "Owner ID", &["User"], "Owner").required(),
    reference("ReportsToId", "Reports To ID", &["Contact"], "ReportsTo"),
    description(),
    flag("HasOptedOutOfEmail", "Email Opt Out"),
    flag("DoNotCall", "Do Not Call"),
    text("EmailBouncedReason", "Email Bounced Reason", 255),
    simple("EmailBouncedDate", "Email Bounced Date", Type::Time),
    simple("LastActivityDate", "Last Activity", Type::Date).read_only(),
    leadloop_key(),
    picklist(
        "Contact_Status__c",
        "Contact Status",
        Options::Fixed(&["Accepted", "Working", "Rejected", "Recycled", "Qualified"]),
    ),
    text("Contact_Status_Reason__c", "Contact Status Reason", 255),
];

const CONTACT_CHILDREN: &[Child] = &[
    Child {
        relationship: "OpportunityContactRoles",
        object: "OpportunityContactRole",
        field: "ContactId",
    },
    Child {
        relationship: "Tasks",
        object: "Task",
        field: "WhoId",
    },
    Child {
        relationship: "CampaignMembers",
        object: "CampaignMember",
        field: "ContactId",
    },
];

const ACCOUNT: &[Field] = &[
    text("Name", "Account Name", 255).required(),
    website(),
    phone("Phone", "Account Phone"),
    picklist("Type", "Account Type", ACCOUNT_TYPES),
    picklist("Industry", "Industry", INDUSTRIES),
    picklist("Rating", "Account Rating", RATINGS),
    simple("AnnualRevenue", "Annual Revenue", Type::Currency),
    simple("NumberOfEmployees", "Employees", Type::Int),
    text("AccountNumber", "Account Number", 40),
    picklist("AccountSource", "Account Source", SOURCES),
    text("BillingStreet", "Billing Street", 255).of(Type::TextArea),
    text("BillingCity", "Billing City", 40),
    text("BillingState", "Billing State/Province", 80),
    text("BillingPostalCode", "Billing Zip/Postal Code", 20),
    text("BillingCountry", "Billing Country", 80),
    reference("ParentId", "Parent Account ID", &["Account"], "Parent"),
    reference("OwnerId", "Owner ID", &["User"], "Owner").required(),
    description(),
    simple("LastActivityDate", "Last Activity", Type::Date).read_only(),
    leadloop_key(),
    text("Domains__c", "Domains", 255),
];

const ACCOUNT_CHILDREN: &[Child] = &[
    Child {
        relationship: "Contacts",
        object: "Contact",
        field: "AccountId",
    },
    Child {
        relationship: "Opportunities",
        object: "Opportunity",
        field: "AccountId",
    },
    Child {
        relationship: "ChildAccounts",
        object: "Account",
        field: "ParentId",
    },
    Child {
        relationship: "Tasks",
        object: "Task",
        field: "WhatId",
    },
];

const OPPORTUNITY: &[Field] = &[
    text("Name", "Name", 120).required(),
    picklist("StageName", "Stage", Options::Rows("OpportunityStage")).required(),
    simple("CloseDate", "Close Date", Type::Date).required(),
    simple("Amount", "Amount", Type::Currency),
    text("CurrencyIsoCode", "Currency ISO Code", 3).of(Type::Picklist),
    simple("Probability", "Probability (%)", Type::Percent),
    flag("IsClosed", "Closed").read_only(),
    flag("IsWon", "Won").read_only(),
    picklist("ForecastCategoryName", "Forecast Category", Options::None),
    reference("AccountId", "Account ID", &["Account"], "Account"),
    reference("CampaignId", "Campaign ID", &["Campaign"], "Campaign"),
    reference("OwnerId", "Owner ID", &["User"], "Owner").required(),
    picklist("LeadSource", "Lead Source", SOURCES),
    picklist(
        "Type",
        "Opportunity Type",
        Options::Fixed(&["Existing Business", "New Business"]),
    ),
    text("NextStep", "Next Step", 255),
    description(),
    simple("LastActivityDate", "Last Activity", Type::Date).read_only(),
    text("Lost_Reason__c", "Lost Reason", 255),
];

const OPPORTUNITY_CHILDREN: &[Child] = &[
    Child {
        relationship: "OpportunityContactRoles",
        object: "OpportunityContactRole",
        field: "OpportunityId",
    },
    Child {
        relationship: "OpportunityHistories",
        object: "OpportunityHistory",
        field: "OpportunityId",
    },
    Child {
        relationship: "Tasks",
        object: "Task",
        field: "WhatId",
    },
];

const ROLE: &[Field] = &[
    reference(
        "OpportunityId",
        "Opportunity ID",
        &["Opportunity"],
        "Opportunity",
    )
    .required()
    .fixed(),
    reference("ContactId", "Contact ID", &["Contact"], "Contact").required(),
    picklist(
        "Role",
        "Role",
        Options::Fixed(&[
            "Business User",
            "Decision Maker",
            "Economic Buyer",
            "Economic Decision Maker",
            "Evaluator",
            "Executive Sponsor",
            "Influencer",
            "Technical Buyer",
            "Other",
        ]),
    ),
    flag("IsPrimary", "Primary"),
];

const USER: &[Field] = &[
    text("Username", "Username", 80).required(),
    text("Name", "Full Name", 121).read_only(),
    text("FirstName", "First Name", 40),
    text("LastName", "Last Name", 80).required(),
    email().required(),
    text("Alias", "Alias", 8),
    flag("IsActive", "Active"),
    text("UserType", "User Type", 40)
        .of(Type::Picklist)
        .read_only(),
    text("TimeZoneSidKey", "Time Zone", 40),
    reference("ProfileId", "Profile ID", &["Profile"], "Profile"),
];

const GROUP: &[Field] = &[
    text("Name", "Name", 40).required(),
    text("DeveloperName", "Developer Name", 80),
    text("Type", "Type", 40).of(Type::Picklist),
    email(),
];

const TASK: &[Field] = &[
    reference("WhoId", "Name ID", &["Contact", "Lead"], "Who"),
    reference(
        "WhatId",
        "Related To ID",
        &["Account", "Opportunity", "Campaign"],
        "What",
    ),
    text("Subject", "Subject", 255),
    simple("ActivityDate", "Due Date Only", Type::Date),
    picklist(
        "Status",
        "Status",
        Options::Fixed(&[
            "Not Started",
            "In Progress",
            "Completed",
            "Waiting on someone else",
            "Deferred",
        ]),
    )
    .required(),
    picklist(
        "Priority",
        "Priority",
        Options::Fixed(&["High", "Normal", "Low"]),
    )
    .required(),
    text("Type", "Type", 40).of(Type::Picklist),
    text("TaskSubtype", "Task Subtype", 40).of(Type::Picklist),
    reference("OwnerId", "Assigned To ID", &["User"], "Owner").required(),
    description(),
    flag("IsClosed", "Closed").read_only(),
];

const CAMPAIGN: &[Field] = &[
    text("Name", "Name", 80).required(),
    picklist(
        "Type",
        "Type",
        Options::Fixed(&["Email", "Webinar", "Conference", "Other"]),
    ),
    picklist(
        "Status",
        "Status",
        Options::Fixed(&["Planned", "In Progress", "Completed", "Aborted"]),
    ),
    flag("IsActive", "Active"),
    simple("StartDate", "Start Date", Type::Date),
    simple("EndDate", "End Date", Type::Date),
    reference("OwnerId", "Owner ID", &["User"], "Owner").required(),
    description(),
];

const CAMPAIGN_CHILDREN: &[Child] = &[Child {
    relationship: "CampaignMembers",
    object: "CampaignMember",
    field: "CampaignId",
}];

const CAMPAIGN_MEMBER: &[Field] = &[
    reference("CampaignId", "Campaign ID", &["Campaign"], "Campaign")
        .required()
        .fixed(),
    reference("LeadId", "Lead ID", &["Lead"], "Lead").fixed(),
    reference("ContactId", "Contact ID", &["Contact"], "Contact").fixed(),
    picklist("Status", "Status", Options::Fixed(&["Sent", "Responded"])),
    flag("HasResponded", "Responded").read_only(),
    simple("FirstRespondedDate", "First Responded Date", Type::Date).read_only(),
];

const LEAD_STATUS: &[Field] = &[
    text("MasterLabel", "Master Label", 255),
    text("ApiName", "API Name", 255),
    simple("SortOrder", "Sort Order", Type::Int),
    flag("IsDefault", "Is Default"),
    flag("IsConverted", "Is Converted"),
];

const OPPORTUNITY_STAGE: &[Field] = &[
    text("MasterLabel", "Master Label", 255),
    text("ApiName", "API Name", 255),
    flag("IsActive", "Is Active"),
    simple("SortOrder", "Sort Order", Type::Int),
    flag("IsClosed", "Is Closed"),
    flag("IsWon", "Is Won"),
    text("ForecastCategoryName", "Forecast Category", 40).of(Type::Picklist),
    simple("DefaultProbability", "Probability (%)", Type::Percent),
];

const OPPORTUNITY_HISTORY: &[Field] = &[
    reference(
        "OpportunityId",
        "Opportunity ID",
        &["Opportunity"],
        "Opportunity",
    ),
    picklist("StageName", "Stage Name", Options::Rows("OpportunityStage")),
    simple("Amount", "Amount", Type::Currency),
    simple("CloseDate", "Close Date", Type::Date),
    simple("Probability", "Probability (%)", Type::Percent),
];

const ORGANIZATION: &[Field] = &[
    text("Name", "Name", 80),
    text("OrganizationType", "Edition", 40).of(Type::Picklist),
    flag("IsSandbox", "Is Sandbox"),
    text("InstanceName", "Instance Name", 5),
    text("LanguageLocaleKey", "Language", 40),
    text("TimeZoneSidKey", "Time Zone", 40),
    text("DefaultCurrencyIsoCode", "Currency", 3).of(Type::Picklist),
];

const RECORD_TYPE: &[Field] = &[
    text("Name", "Name", 80),
    text("DeveloperName", "Record Type Name", 80),
    text("SobjectType", "Object Type Name", 40).of(Type::Picklist),
    flag("IsActive", "Active"),
];

const PROFILE: &[Field] = &[text("Name", "Name", 255)];
