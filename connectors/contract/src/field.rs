//! Canonical field names: the words agreements use, whatever the vendor calls the field.

/// E-mail address of a person; a user's too.
pub const EMAIL: &str = "email";
/// Given name.
pub const FIRST_NAME: &str = "first_name";
/// Family name.
pub const LAST_NAME: &str = "last_name";
/// Job title.
pub const TITLE: &str = "title";
/// Phone number, as written.
pub const PHONE: &str = "phone";
/// Company name as the person or the form gave it.
pub const COMPANY: &str = "company";
/// Web site of the person's company, or of an account.
pub const WEBSITE: &str = "website";
/// Further domains of an account, separated by `;`.
pub const DOMAINS: &str = "domains";
/// Country, as written.
pub const COUNTRY: &str = "country";
/// State or region, as written.
pub const STATE: &str = "state";
/// City.
pub const CITY: &str = "city";
/// Industry.
pub const INDUSTRY: &str = "industry";
/// Name of an account, an opportunity or a user.
pub const NAME: &str = "name";
/// Where the lead came from.
pub const LEAD_SOURCE: &str = "lead_source";
/// Marketing's lifecycle stage of a lead, in the vendor's internal value.
pub const LIFECYCLE: &str = "lifecycle";
/// Marketing's score of a lead.
pub const SCORE: &str = "score";
/// Sales' status of a CRM lead or a contact: the raw value that the agreement maps to a disposition.
pub const STATUS: &str = "status";
/// Why sales set the status, where the CRM has a field for it.
pub const STATUS_REASON: &str = "status_reason";
/// Whether the person must not be mailed. `true` is sticky everywhere.
pub const OPT_OUT: &str = "opt_out";
/// Type of an account (customer, prospect, partner).
pub const TYPE: &str = "type";
/// Stage of an opportunity, as the CRM calls it.
pub const STAGE: &str = "stage";
/// Amount of an opportunity, in [`CURRENCY`].
pub const AMOUNT: &str = "amount";
/// ISO 4217 code of [`AMOUNT`].
pub const CURRENCY: &str = "currency";
/// Close date of an opportunity.
pub const CLOSE_DATE: &str = "close_date";
/// Whether an opportunity is closed.
pub const IS_CLOSED: &str = "is_closed";
/// Whether an opportunity is won.
pub const IS_WON: &str = "is_won";
/// Why an opportunity was lost.
pub const LOST_REASON: &str = "lost_reason";
/// Whether a user may own records, or a contact role is the primary one.
pub const ACTIVE: &str = "active";
/// Whether a contact role is the opportunity's primary one.
pub const IS_PRIMARY: &str = "is_primary";
/// Whether a CRM lead has been converted.
pub const IS_CONVERTED: &str = "is_converted";
/// When the record was created.
pub const CREATED_AT: &str = "created_at";
/// Last activity on the record, where the vendor tells it.
pub const LAST_ACTIVITY_AT: &str = "last_activity_at";
/// The unique key that leadloop wrote: the safety of every create.
pub const KEY: &str = "leadloop_key";
/// The other side's id of this record, where a vendor stores one.
pub const OTHER_ID: &str = "other_id";

/// Subject of a timeline note.
pub const SUBJECT: &str = "subject";
/// Body of a timeline note.
pub const BODY: &str = "body";

/// Sales' verdict as marketing reads it.
pub const DISPOSITION: &str = "leadloop_disposition";
/// Why sales rejected, recycled or lost.
pub const DISPOSITION_REASON: &str = "leadloop_reason";
/// When the verdict was first seen.
pub const DISPOSITION_AT: &str = "leadloop_disposition_at";
/// Stage of the agreement's funnel.
pub const FUNNEL_STAGE: &str = "leadloop_stage";
/// Stage of the opportunity as sales calls it.
pub const SALES_STAGE: &str = "leadloop_sales_stage";
/// Amount of the opportunity.
pub const SALES_AMOUNT: &str = "leadloop_amount";
/// Currency of the amount.
pub const SALES_CURRENCY: &str = "leadloop_currency";
/// Name of the owner in the CRM.
pub const SALES_OWNER: &str = "leadloop_owner";
/// Id of the CRM record this lead is kept in step with.
pub const CRM_ID: &str = "leadloop_crm_id";

/// What leadloop writes to marketing, in one list: [`DISPOSITION`] and its companions.
pub const FEEDBACK: [&str; 9] = [
    DISPOSITION,
    DISPOSITION_REASON,
    DISPOSITION_AT,
    FUNNEL_STAGE,
    SALES_STAGE,
    SALES_AMOUNT,
    SALES_CURRENCY,
    SALES_OWNER,
    CRM_ID,
];

/// Every canonical name but those of [`FEEDBACK`].
const CANONICAL: [&str; 32] = [
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    TITLE,
    PHONE,
    COMPANY,
    WEBSITE,
    DOMAINS,
    COUNTRY,
    STATE,
    CITY,
    INDUSTRY,
    NAME,
    LEAD_SOURCE,
    LIFECYCLE,
    SCORE,
    STATUS,
    STATUS_REASON,
    OPT_OUT,
    TYPE,
    STAGE,
    AMOUNT,
    CURRENCY,
    CLOSE_DATE,
    IS_CLOSED,
    IS_WON,
    LOST_REASON,
    IS_CONVERTED,
    CREATED_AT,
    LAST_ACTIVITY_AT,
    KEY,
    OTHER_ID,
];

/// Whether every connector knows a field by this name; any other name is the vendor's own.
pub fn is_canonical(name: &str) -> bool {
    CANONICAL.contains(&name) || FEEDBACK.contains(&name)
}
