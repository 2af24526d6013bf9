//! The creation protocol's times for tests.

/// Flags of `spe-operator run` that scale all of them down together, so that Q is 8 s, with polls to match; and an
/// admin server on a free port.
pub const SHORT_TIMES: [&str; 9] = [
    "--create-deadline=1s",
    "--atlas-timeout=2s",
    "--travel-allowance=1s",
    "--create-uncertainty=8s",
    "--confirm-gap=400ms",
    "--visibility-window=2s",
    "--poll-min=100ms",
    "--poll-max=500ms",
    "--admin-address=127.0.0.1:0",
];
