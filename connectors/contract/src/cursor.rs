use crate::ConnectorError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How far one stream has been read. Only the connector that sealed it opens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(Option<String>);

impl Cursor {
    /// The beginning: everything is still to be read.
    pub fn start() -> Self {
        Cursor(None)
    }

    /// Whether this is the beginning.
    pub fn is_start(&self) -> bool {
        self.0.is_none()
    }

    /// Seals a connector's own position.
    pub fn seal(position: &impl Serialize) -> Self {
        Cursor(Some(
            serde_json::to_string(position).expect("positions are plain data with text keys"),
        ))
    }

    /// Opens what the connector sealed; `None` at the beginning.
    ///
    /// # Errors
    /// [`ConnectorError::CursorLost`] where the content is not such a position: the stream is then read from the beginning.
    pub fn open<T: DeserializeOwned>(&self) -> Result<Option<T>, ConnectorError> {
        match &self.0 {
            None => Ok(None),
            Some(sealed) => serde_json::from_str(sealed)
                .map(Some)
                .map_err(|_| ConnectorError::CursorLost),
        }
    }
}
