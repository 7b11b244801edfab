//! The vendors that leadloop speaks to: one line each.

use kit::Vendor;

/// Every vendor, in the order in which they are offered.
pub fn vendors() -> [&'static dyn Vendor; 3] {
    [&hubspot::HubSpot, &salesforce::Salesforce, &files::Files]
}

/// The vendor of this name.
pub fn vendor(name: &str) -> Option<&'static dyn Vendor> {
    vendors().into_iter().find(|vendor| vendor.name() == name)
}
