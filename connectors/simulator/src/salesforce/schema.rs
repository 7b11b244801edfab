use super::objects;
use std::fmt;

/// The type of a field, as `describe` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Id,
    Text,
    TextArea,
    Picklist,
    Reference,
    Bool,
    Int,
    Percent,
    Currency,
    Date,
    Time,
    Email,
    Phone,
    Url,
}

/// Where a field's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The row holds it under the field's name.
    Stored,
    /// The row's id.
    Id,
    /// When the row was made, unless an import has back-dated it.
    Created,
    /// When the row was last changed.
    Modified,
    /// Who made the row.
    CreatedBy,
    /// Who changed the row last.
    ModifiedBy,
    /// Whether the row is deleted.
    Deleted,
    /// What the row was merged into.
    Master,
    /// First and last name.
    FullName,
}

/// Where a picklist's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Options {
    /// It has none, or is no picklist.
    None,
    /// These.
    Fixed(&'static [&'static str]),
    /// The rows of this table, by `ApiName`: an administrator edits them.
    Rows(&'static str),
}

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: Type,
    /// In characters; 0 where it does not apply.
    pub(super) length: usize,
    pub(super) source: Source,
    pub(super) required: bool,
    pub(super) createable: bool,
    pub(super) updateable: bool,
    pub(super) unique: bool,
    pub(super) external_id: bool,
    pub(super) id_lookup: bool,
    pub(super) references: &'static [&'static str],
    pub(super) relationship: &'static str,
    pub(super) options: Options,
}

/// The rows of another object that point here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    pub(super) relationship: &'static str,
    pub(super) object: &'static str,
    pub(super) field: &'static str,
}

/// One object.
pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) plural: &'static str,
    pub(super) prefix: &'static str,
    /// Fields beside [`COMMON`].
    pub(super) own: &'static [Field],
    pub(super) children: &'static [Child],
    /// Whether the API may create, update and delete its rows.
    pub(super) writable: bool,
    /// Whether rows can be merged, and so bear `MasterRecordId`.
    pub(super) mergeable: bool,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Object {
    /// The object with this name, whatever its case.
    pub(super) fn named(name: &str) -> Option<&'static Object> {
        objects::ALL
            .iter()
            .find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The object that an id belongs to.
    pub(super) fn of_id(id: &str) -> Option<&'static Object> {
        objects::ALL
            .iter()
            .find(|object| id.starts_with(object.prefix))
    }

    /// All its fields.
    pub(super) fn fields(&'static self) -> impl Iterator<Item = &'static Field> {
        let master = self.mergeable.then_some(&MASTER);
        COMMON.iter().chain(master).chain(self.own)
    }

    /// The field with this name, whatever its case.
    pub(super) fn field(&'static self, name: &str) -> Option<&'static Field> {
        self.fields()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field behind a relationship name.
    pub(super) fn relationship(&'static self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| {
            !field.relationship.is_empty() && field.relationship.eq_ignore_ascii_case(name)
        })
    }

    /// The child relationship with this name.
    pub(super) fn child(&self, name: &str) -> Option<&'static Child> {
        self.children
            .iter()
            .find(|child| child.relationship.eq_ignore_ascii_case(name))
    }
}

/// The fields that every object has.
const COMMON: [Field; 7] = [
    system("Id", "Record ID", Type::Id, Source::Id)
        .sized(18)
        .looked_up(),
    system("IsDeleted", "Deleted", Type::Bool, Source::Deleted),
    system("CreatedDate", "Created Date", Type::Time, Source::Created),
    system(
        "CreatedById",
        "Created By ID",
        Type::Reference,
        Source::CreatedBy,
    )
    .sized(18)
    .to(&["User"], "CreatedBy"),
    system(
        "LastModifiedDate",
        "Last Modified Date",
        Type::Time,
        Source::Modified,
    ),
    system(
        "LastModifiedById",
        "Last Modified By ID",
        Type::Reference,
        Source::ModifiedBy,
    )
    .sized(18)
    .to(&["User"], "LastModifiedBy"),
    system(
        "SystemModstamp",
        "System Modstamp",
        Type::Time,
        Source::Modified,
    ),
];

const MASTER: Field = system(
    "MasterRecordId",
    "Master Record ID",
    Type::Reference,
    Source::Master,
)
.sized(18);

const fn system(name: &'static str, label: &'static str, kind: Type, source: Source) -> Field {
    Field {
        source,
        ..plain(name, label, kind, 0)
    }
    .read_only()
}

const fn plain(name: &'static str, label: &'static str, kind: Type, length: usize) -> Field {
    Field {
        name,
        label,
        kind,
        length,
        source: Source::Stored,
        required: false,
        createable: true,
        updateable: true,
        unique: false,
        external_id: false,
        id_lookup: false,
        references: &[],
        relationship: "",
        options: Options::None,
    }
}

/// A line of text.
pub(super) const fn text(name: &'static str, label: &'static str, length: usize) -> Field {
    plain(name, label, Type::Text, length)
}

/// A field without a length.
pub(super) const fn simple(name: &'static str, label: &'static str, kind: Type) -> Field {
    plain(name, label, kind, 0)
}

/// A picklist.
pub(super) const fn picklist(name: &'static str, label: &'static str, options: Options) -> Field {
    Field {
        options,
        ..plain(name, label, Type::Picklist, 255)
    }
}

/// A pointer to rows of other objects.
pub(super) const fn reference(
    name: &'static str,
    label: &'static str,
    to: &'static [&'static str],
    relationship: &'static str,
) -> Field {
    plain(name, label, Type::Reference, 18).to(to, relationship)
}

/// First and last name together.
pub(super) const fn full_name() -> Field {
    system("Name", "Full Name", Type::Text, Source::FullName).sized(121)
}

/// leadloop's unique key.
pub(super) const fn leadloop_key() -> Field {
    Field {
        unique: true,
        external_id: true,
        id_lookup: true,
        ..text("Leadloop_Key__c", "Leadloop Key", 64)
    }
}

impl Field {
    pub(super) const fn sized(self, length: usize) -> Field {
        Field { length, ..self }
    }

    pub(super) const fn of(self, kind: Type) -> Field {
        Field { kind, ..self }
    }

    pub(super) const fn required(self) -> Field {
        Field {
            required: true,
            ..self
        }
    }

    pub(super) const fn read_only(self) -> Field {
        Field {
            createable: false,
            updateable: false,
            ..self
        }
    }

    /// Settable when the record is made, and never again.
    pub(super) const fn fixed(self) -> Field {
        Field {
            updateable: false,
            ..self
        }
    }

    /// Usable in an upsert without being unique.
    pub(super) const fn looked_up(self) -> Field {
        Field {
            id_lookup: true,
            ..self
        }
    }

    const fn to(self, references: &'static [&'static str], relationship: &'static str) -> Field {
        Field {
            references,
            relationship,
            ..self
        }
    }

    /// Whether an administrator has added it.
    pub(super) fn is_custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Whether a query may filter and sort by it.
    pub(super) fn is_filterable(&self) -> bool {
        !(self.kind == Type::TextArea && self.length > 255)
    }
}

impl Type {
    /// As `describe` and the query errors call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Id => "id",
            Type::Text => "string",
            Type::TextArea => "textarea",
            Type::Picklist => "picklist",
            Type::Reference => "reference",
            Type::Bool => "boolean",
            Type::Int => "int",
            Type::Percent => "percent",
            Type::Currency => "currency",
            Type::Date => "date",
            Type::Time => "datetime",
            Type::Email => "email",
            Type::Phone => "phone",
            Type::Url => "url",
        }
    }

    /// As the WSDL calls it.
    pub(super) fn soap_name(self) -> &'static str {
        match self {
            Type::Id | Type::Reference => "tns:ID",
            Type::Bool => "xsd:boolean",
            Type::Int => "xsd:int",
            Type::Percent | Type::Currency => "xsd:double",
            Type::Date => "xsd:date",
            Type::Time => "xsd:dateTime",
            Type::Text
            | Type::TextArea
            | Type::Picklist
            | Type::Email
            | Type::Phone
            | Type::Url => "xsd:string",
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Percent | Type::Currency)
    }

    pub(super) fn is_id(self) -> bool {
        matches!(self, Type::Id | Type::Reference)
    }
}
