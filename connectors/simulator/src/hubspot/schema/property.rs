use serde_json::{Value, json};

/// One property definition.
#[derive(Clone, Debug)]
pub(in crate::hubspot) struct Property {
    pub(in crate::hubspot) name: String,
    pub(in crate::hubspot) label: String,
    pub(in crate::hubspot) kind: String,
    pub(in crate::hubspot) field_type: String,
    pub(in crate::hubspot) group: String,
    pub(in crate::hubspot) description: String,
    /// Internal values with labels, in display order.
    pub(in crate::hubspot) options: Vec<(String, String)>,
    pub(in crate::hubspot) unique: bool,
    pub(in crate::hubspot) read_only: bool,
    pub(in crate::hubspot) calculated: bool,
    pub(in crate::hubspot) owner: bool,
    pub(in crate::hubspot) custom: bool,
}

impl Property {
    pub(super) fn new(group: &str, name: &str, kind: &str, field_type: &str) -> Self {
        Property {
            name: name.to_owned(),
            label: label(name),
            kind: kind.to_owned(),
            field_type: field_type.to_owned(),
            group: group.to_owned(),
            description: String::new(),
            options: Vec::new(),
            unique: false,
            read_only: false,
            calculated: false,
            owner: false,
            custom: false,
        }
    }

    pub(in crate::hubspot) fn is_multiple(&self) -> bool {
        self.field_type == "checkbox"
    }

    pub(in crate::hubspot) fn from_json(json: &Value) -> Result<Property, String> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let need = |name: &str| text(name).ok_or_else(|| format!("{name} is required"));
        let name = need("name")?;
        if !name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        {
            return Err(format!(
                "property name {name} may hold lower-case letters, digits and underscores only"
            ));
        }
        let kind = need("type")?;
        if ![
            "bool",
            "date",
            "datetime",
            "enumeration",
            "number",
            "phone_number",
            "string",
        ]
        .contains(&kind.as_str())
        {
            return Err(format!("{kind} is not a property type"));
        }
        let options = json["options"].as_array().into_iter().flatten();
        let options = options
            .filter_map(|option| {
                Some((
                    option["value"].as_str()?.to_owned(),
                    option["label"].as_str()?.to_owned(),
                ))
            })
            .collect();
        Ok(Property {
            label: text("label").unwrap_or_else(|| label(&name)),
            field_type: need("fieldType")?,
            group: need("groupName")?,
            description: text("description").unwrap_or_default(),
            options,
            unique: json["hasUniqueValue"].as_bool().unwrap_or_default(),
            read_only: false,
            calculated: false,
            owner: json["referencedObjectType"] == "OWNER",
            custom: true,
            name,
            kind,
        })
    }

    pub(in crate::hubspot) fn json(&self) -> Value {
        let options: Vec<Value> = self
            .options
            .iter()
            .enumerate()
            .map(|(place, (value, label))| json!({ "value": value, "label": label, "displayOrder": place, "hidden": false }))
            .collect();
        let mut json = json!({
            "name": self.name,
            "label": self.label,
            "type": self.kind,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": self.description,
            "options": options,
            "displayOrder": -1,
            "hasUniqueValue": self.unique,
            "hidden": false,
            "formField": !self.read_only,
            "calculated": self.calculated,
            "externalOptions": self.owner,
            "archived": false,
            "hubspotDefined": !self.custom,
            "dataSensitivity": "non_sensitive",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "modificationMetadata": {
                "archivable": self.custom,
                "readOnlyDefinition": !self.custom,
                "readOnlyOptions": !self.custom,
                "readOnlyValue": self.read_only,
            },
        });
        if self.owner {
            json["referencedObjectType"] = "OWNER".into();
        }
        json
    }
}

pub(super) fn label(name: &str) -> String {
    let mut label = name.trim_start_matches("hs_").replace('_', " ");
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    label
}
