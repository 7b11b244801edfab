use std::time::Duration;

/// Why a question went unanswered. Each kind has its own remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The vendor does not accept our credentials: park the connection until somebody signs in again.
    #[error("the vendor refuses the credentials: {detail}")]
    Unauthorized {
        /// The vendor's words, and what to do.
        detail: String,
    },
    /// A rate limit or the daily quota: wait.
    #[error("the vendor or our own budget asks us to wait: {detail}")]
    Throttled {
        /// How long to wait, where it is known.
        retry_after: Option<Duration>,
        /// Which limit it is.
        detail: String,
    },
    /// The vendor cannot be reached or fails: try again later.
    #[error("the vendor does not answer: {detail}")]
    Unavailable {
        /// What happened.
        detail: String,
    },
    /// The vendor no longer knows this position: read the stream from the beginning.
    #[error("the position is lost")]
    CursorLost,
    /// The vendor refuses the question itself, for lack of a permission or of a field: fix the configuration.
    #[error("the vendor refuses {doing}: {detail}")]
    Refused {
        /// What we were doing.
        doing: String,
        /// The vendor's words.
        detail: String,
    },
    /// The vendor answers in a way that we do not understand.
    #[error("cannot understand the vendor's answer to {doing}: {detail}")]
    Protocol {
        /// What we were doing.
        doing: String,
        /// What is odd.
        detail: String,
    },
}
