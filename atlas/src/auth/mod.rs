//! Authentication: one request with an API key (HTTP Digest) or a service account (OAuth), and what a 401 means.

pub(crate) mod acceptances;
pub(crate) mod challenge_pool;
pub(crate) mod cookies;
pub(crate) mod credentials;
pub(crate) mod digest;
pub(crate) mod exchange;
pub(crate) mod token;
pub(crate) mod www_authenticate;
