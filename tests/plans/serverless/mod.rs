//! What has to hold of a serverless instance's endpoint.

pub(crate) mod judge;
mod judge_self_test;
mod writes;
