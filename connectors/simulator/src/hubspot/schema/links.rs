use super::Object;

/// The HubSpot-defined association types from one object to another: the plain one first, then the primary one where there is one.
pub(in crate::hubspot) fn association_types(
    from: Object,
    to: Object,
) -> &'static [(u32, Option<&'static str>)] {
    use Object::{Company, Contact, Deal, Lead, Note, Task};
    match (from, to) {
        (Contact, Company) => &[(279, None), (1, Some("Primary"))],
        (Company, Contact) => &[(280, None), (2, Some("Primary"))],
        (Deal, Contact) => &[(3, None)],
        (Contact, Deal) => &[(4, None)],
        (Deal, Company) => &[(341, None), (5, Some("Primary"))],
        (Company, Deal) => &[(342, None), (6, Some("Primary"))],
        (Note, Contact) => &[(202, None)],
        (Contact, Note) => &[(201, None)],
        (Note, Company) => &[(190, None)],
        (Company, Note) => &[(189, None)],
        (Note, Deal) => &[(214, None)],
        (Deal, Note) => &[(213, None)],
        (Task, Contact) => &[(204, None)],
        (Contact, Task) => &[(203, None)],
        (Task, Company) => &[(192, None)],
        (Company, Task) => &[(191, None)],
        (Task, Deal) => &[(216, None)],
        (Deal, Task) => &[(215, None)],
        (Lead, Contact) => &[(578, Some("Primary"))],
        (Contact, Lead) => &[(579, Some("Primary"))],
        (Lead, Company) => &[(610, None)],
        (Company, Lead) => &[(611, None)],
        (Company, Company) => &[(14, Some("Parent Company")), (13, Some("Child Company"))],
        _ => &[],
    }
}

/// The type that an association has when seen from its other end.
pub(in crate::hubspot) fn reverse(type_id: u32) -> Option<u32> {
    const PAIRS: [(u32, u32); 14] = [
        (279, 280),
        (1, 2),
        (3, 4),
        (341, 342),
        (5, 6),
        (202, 201),
        (190, 189),
        (214, 213),
        (204, 203),
        (192, 191),
        (216, 215),
        (578, 579),
        (610, 611),
        (13, 14),
    ];
    PAIRS.iter().find_map(|&(there, back)| match type_id {
        id if id == there => Some(back),
        id if id == back => Some(there),
        _ => None,
    })
}
