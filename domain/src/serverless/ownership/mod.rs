//! Who owns an endpoint: the *mark* is in Atlas and names the owner of an endpoint, the *claim* is on the object and
//! announces that a create request may be in flight (docs/concepts/ownership.md).

mod claim;
mod mark;

pub use crate::claim::Nonce;
pub use claim::{Claim, ClaimReading};
pub use mark::{COMMENT_BYTES, MARK_START, mark_of, marked_comment, same_comment};
