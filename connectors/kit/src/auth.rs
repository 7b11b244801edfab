//! How a connection proves who it is: plain data, as a vendor's settings give it. What is done with
//! it is in `token`.

use crate::SecretRef;
use url::Url;

/// How a connection proves who it is.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each connection"
)]
pub enum Auth {
    /// A token that the operator created at the vendor and that does not change by itself.
    Bearer(SecretRef),
    /// Access tokens that are fetched as needed.
    OAuth(OAuth),
}

/// Where and how access tokens are fetched (RFC 6749).
#[derive(Clone, Debug)]
pub struct OAuth {
    /// Scheme, host and port of the token endpoint.
    pub token_origin: Url,
    /// Path of the token endpoint, with its leading `/`.
    pub token_path: String,
    /// By what right.
    pub grant: Grant,
    /// The name under which a rotated refresh token is kept.
    pub keep_as: String,
    /// Host suffixes that the answer's `instance_url` may have (`my.salesforce.com`). Where some
    /// are given, calls go to that instance. Where none are, `instance_url` is ignored.
    pub instance_suffixes: Vec<String>,
}

/// By what right an access token is asked for.
#[derive(Clone, Debug)]
pub enum Grant {
    /// The application itself (RFC 6749, 4.4).
    ClientCredentials {
        /// The application's id.
        id: String,
        /// Its secret.
        secret: SecretRef,
        /// In a Basic header rather than in the body.
        basic: bool,
    },
    /// A person who signed in once (RFC 6749, 6).
    RefreshToken {
        /// The application's id.
        id: String,
        /// Its secret, unless it is a public client.
        secret: Option<SecretRef>,
        /// The refresh token that the sign-in gave. Where the vendor rotates it, the newest one is
        /// kept and used instead.
        refresh_token: SecretRef,
    },
    /// A key that the vendor knows, for a user who agreed beforehand (RFC 7523), with RS256.
    JwtBearer {
        /// The application's id.
        id: String,
        /// For whom.
        username: String,
        /// The vendor's name for itself.
        audience: String,
        /// The private key in PEM.
        key: SecretRef,
    },
}

impl Auth {
    /// What an operator does when the vendor refuses these credentials.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Auth::Bearer(reference) => {
                format!("create a new token at the vendor and put it into {reference}")
            }
            Auth::OAuth(oauth) => match &oauth.grant {
                Grant::ClientCredentials { secret, .. } => {
                    format!("check the client id, and the client secret in {secret}")
                }
                Grant::RefreshToken { refresh_token, .. } => {
                    format!("sign in again and put the new refresh token into {refresh_token}")
                }
                Grant::JwtBearer { username, key, .. } => format!(
                    "check that `{username}` may use the app and that the key in {key} is the app's"
                ),
            },
        }
    }
}
