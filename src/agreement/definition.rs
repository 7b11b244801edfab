use contract::{Fields, Value, field};
use std::{collections::HashMap, fmt, sync::Arc};

/// A condition over a lead, in the Common Expression Language (github.com/google/cel-spec).
#[derive(Clone)]
pub struct Definition {
    source: String,
    program: Arc<cel::Program>,
    own: Vec<String>,
}

/// Why a definition gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DefinitionError {
    /// What is wrong, in words.
    pub message: String,
}

impl Definition {
    /// Compiles an expression and tries it on a blank lead, so that a misspelt name or a wrong type shows at once.
    ///
    /// # Errors
    /// The expression is not CEL, names anything but `lead`, or does not answer true or false.
    pub fn compile(source: &str) -> Result<Definition, DefinitionError> {
        let program = cel::Program::compile(source).map_err(|errors| DefinitionError {
            message: format!(
                "not a CEL expression: {}",
                errors.to_string().trim().replace('\n', " ")
            ),
        })?;
        for variable in program.references().variables() {
            if variable != "lead" {
                return Err(DefinitionError {
                    message: format!(
                        "unknown name `{variable}`: an expression speaks of `lead` only, as in lead.email"
                    ),
                });
            }
        }
        let definition = Definition {
            source: source.trim().to_owned(),
            program: Arc::new(program),
            own: own_fields(source),
        };
        definition.holds(&Fields::default())?;
        Ok(definition)
    }

    /// Whether the lead meets the definition.
    ///
    /// # Errors
    /// The expression fails for this lead, for example by comparing text with a number.
    pub fn holds(&self, lead: &Fields) -> Result<bool, DefinitionError> {
        let mut context = cel::Context::default();
        context.add_variable_from_value("lead", variables(lead, &self.own));
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(DefinitionError {
                message: format!(
                    "the expression answers {} instead of true or false",
                    other.type_of()
                ),
            }),
            Err(error) => Err(DefinitionError {
                message: error.to_string(),
            }),
        }
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Names after `lead.` in the expression that are not canonical: the vendor's own fields, which must be read too.
    pub fn own_fields(&self) -> &[String] {
        &self.own
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Definition").field(&self.source).finish()
    }
}

/// Names after `lead.` that are not canonical, each once.
fn own_fields(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in source.split("lead.").skip(1) {
        let name: String = part
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let canonical = super::LEAD_TEXTS.contains(&name.as_str())
            || name == field::SCORE
            || name == field::OPT_OUT;
        if !name.is_empty() && !canonical && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn variables(lead: &Fields, own: &[String]) -> HashMap<String, cel::Value> {
    let mut variables = HashMap::new();
    for name in super::LEAD_TEXTS
        .iter()
        .copied()
        .chain(own.iter().map(String::as_str))
    {
        variables.insert(name.to_owned(), cel::Value::from(""));
    }
    variables.insert(field::SCORE.to_owned(), cel::Value::Float(0.0));
    variables.insert(field::OPT_OUT.to_owned(), cel::Value::Bool(false));
    for (name, value) in lead.iter() {
        let value = match value {
            Value::Bool(truth) => cel::Value::Bool(*truth),
            Value::Number(number) => cel::Value::Float((*number).try_into().unwrap_or(f64::NAN)),
            other => cel::Value::from(other.to_string()),
        };
        variables.insert(name.to_owned(), value);
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    fn holds(source: &str, lead: Fields) -> bool {
        Definition::compile(source)
            .expect("compiles")
            .holds(&lead)
            .expect("answers")
    }

    #[test]
    fn a_lead_meets_the_definition_by_its_fields() {
        let lead = Fields::default()
            .with(field::LIFECYCLE, "marketingqualifiedlead")
            .with(field::SCORE, Value::Number(Decimal::from(60)));
        assert!(holds(
            r#"lead.lifecycle == "marketingqualifiedlead" && lead.score >= 50"#,
            lead.clone()
        ));
        assert!(!holds(r#"lead.score > 60.0"#, lead));
    }

    #[test]
    fn blank_fields_read_as_blank() {
        assert!(holds(
            r#"lead.email == "" && lead.score == 0 && !lead.opt_out"#,
            Fields::default()
        ));
    }

    #[test]
    fn own_fields_are_read_by_name() {
        let definition = Definition::compile(r#"lead.budget_range == "10k" || lead.email != """#)
            .expect("compiles");
        assert_eq!(definition.own_fields(), ["budget_range"]);
        assert!(
            definition
                .holds(&Fields::default().with("budget_range", "10k"))
                .expect("answers")
        );
    }

    #[test]
    fn mistakes_show_when_the_agreement_is_read() {
        for (source, expected) in [
            ("lead.email ==", "not a CEL expression"),
            ("person.email != \"\"", "unknown name `person`"),
            ("lead.email", "answers string instead of true or false"),
            ("lead.email > 3", ""),
        ] {
            let error = Definition::compile(source).expect_err(source);
            assert!(error.message.contains(expected), "{source}: {error}");
        }
    }
}
