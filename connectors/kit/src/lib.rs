//! What connectors share: the HTTP session with authentication, budget, retry and redaction, and
//! the face that a vendor shows to the daemon.
//!
//! Environment comes in as [`Tools`]: transport, clock, secrets and durable small values. Nothing
//! here reads a clock, a file or a variable on its own, so that a whole vendor runs under paused
//! time and over memory. Waiting is tokio's.

mod vendor;

mod auth;
mod budget;
mod call;
mod clock;
mod grant;
mod keep;
mod origin;
mod pace;
mod request;
mod retry;
mod secret;
mod session;
mod settings;
mod token;
mod transport;

pub use auth::{Auth, Grant, OAuth};
pub use budget::{Budget, Limits};
pub use call::{Answer, Body, Call};
pub use clock::{Clock, SystemClock};
pub use keep::{FileKeep, Keep, KeepError, MemoryKeep};
pub use pace::Bucket;
pub use retry::{Delays, Verdict};
pub use secret::{Secret, SecretError, SecretRef, Secrets, SystemSecrets};
pub use session::{Session, SessionError, SessionSettings};
pub use settings::{SettingsError, parse};
pub use transport::{Network, NetworkSettings, Transport, TransportError};
pub use vendor::{Side, Tools, Vendor};

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]
mod tests;
