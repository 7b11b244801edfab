use serde_json::{Map, Value, json};

/// Why a call or a row of a call is refused: single calls tell it as `errorCode`, rows of a batch as `statusCode`.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
    /// Further keys of the error's body, such as the result of a duplicate rule.
    pub(super) extra: Map<String, Value>,
}

impl Failure {
    /// A refusal; the HTTP status follows from the code.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let status = match code {
            "INVALID_SESSION_ID" => 401,
            "REQUEST_LIMIT_EXCEEDED" | "INSUFFICIENT_ACCESS" | "API_DISABLED_FOR_ORG" => 403,
            "NOT_FOUND" | "ENTITY_IS_DELETED" => 404,
            "METHOD_NOT_ALLOWED" => 405,
            "UNSUPPORTED_API_VERSION" => 410,
            "PRECONDITION_FAILED" => 412,
            "UNSUPPORTED_MEDIA_TYPE" => 415,
            _ => 400,
        };
        Failure {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
            extra: Map::new(),
        }
    }

    /// With the field that is to blame.
    pub(super) fn on(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }

    /// There is nothing at this address.
    pub(super) fn not_found() -> Self {
        Failure::new("NOT_FOUND", "The requested resource does not exist")
    }

    /// The body of a single call's answer.
    pub(super) fn body(&self) -> Value {
        let mut error = self.extra.clone();
        error.insert("message".to_owned(), json!(self.message));
        error.insert("errorCode".to_owned(), json!(self.code));
        if !self.fields.is_empty() {
            error.insert("fields".to_owned(), json!(self.fields));
        }
        json!([error])
    }

    /// The error of one row of a batch.
    pub(super) fn row(&self) -> Value {
        let mut error = self.extra.clone();
        error.insert("statusCode".to_owned(), json!(self.code));
        error.insert("message".to_owned(), json!(self.message));
        error.insert("fields".to_owned(), json!(self.fields));
        json!({"success": false, "errors": [error]})
    }
}

impl From<super::soql::SoqlError> for Failure {
    fn from(error: super::soql::SoqlError) -> Self {
        Failure::new(error.code, error.message)
    }
}
