//! Every known or suspected misbehaviour of Atlas (`atlas-simulator`'s catalogue) against the real operator: its
//! conditions meanwhile, that nothing is lost or duplicated, and that it recovers once the fault ends.
//!
//! Each test has one Atlas, one operator, and rows that run in parallel, each with a project of its own.

mod actions;
mod checks;
mod endpoints;
mod requests;
pub(crate) mod row;
mod row_run;
pub(crate) mod versions;
mod waits;

use std::collections::BTreeSet;

use atlas_simulator::{FAMILIES, How, catalogue};

use self::row::{FaultRow, FaultTable, known};
use self::row_run::run;
use crate::reasons;

/// The most likely Atlas.
const LIKELY: FaultTable = FaultTable {
    settings: &[
        "as documented",
        "PATCH before RESERVED returns 400",
        "PATCH on FAILED is accepted",
        "PATCH on DELETING returns 409",
        "DELETE again returns 204",
    ],
    flags: &[],
    rows: &[
        requests::LOST,
        requests::ABSENT,
        requests::LATER,
        requests::FAILING,
        endpoints::REFUSED,
        endpoints::OWN_WILL,
        endpoints::INSTANCE,
        &[
            endpoints::LIFE,
            endpoints::PATCH_EARLY_400,
            endpoints::PATCH_FAILED_ACCEPTED,
            endpoints::PATCH_DELETING_409,
            endpoints::DELETE_AGAIN_204,
        ],
    ],
};

/// Credentials, and actions of users.
const ACCESS: FaultTable =
    FaultTable { settings: &["as documented"], flags: &[], rows: &[requests::ACCESS, reasons::ROWS] };

/// Other responses where nothing is documented.
const OTHERWISE: FaultTable = FaultTable {
    settings: &[
        "PATCH before RESERVED returns 409",
        "PATCH on FAILED returns 400",
        "PATCH on DELETING returns 400",
        "DELETE again returns 404",
        "an unknown endpoint returns 400",
        "a key of another project is NOT_IN_GROUP",
        "a role that is too low is 403",
        "DELETING for a while",
    ],
    flags: &[],
    rows: &[
        &[
            endpoints::PATCH_EARLY_409,
            endpoints::PATCH_FAILED_400,
            endpoints::PATCH_DELETING_400,
            endpoints::DELETE_AGAIN_404,
        ],
        endpoints::OTHERWISE,
    ],
};

/// Further ones, as slowly as was recorded.
const SLOWLY: FaultTable = FaultTable {
    settings: &[
        "PATCH before RESERVED is accepted",
        "PATCH on FAILED returns 409",
        "PATCH on DELETING is accepted",
        "DELETE again returns 409",
        "the instance is UPDATING",
        "the private address comes late",
        "the latency that was recorded",
    ],
    flags: &[],
    rows: &[
        &[
            endpoints::PATCH_EARLY_ACCEPTED,
            endpoints::PATCH_FAILED_409,
            endpoints::PATCH_DELETING_ACCEPTED,
            endpoints::DELETE_AGAIN_409,
        ],
        endpoints::WAYS,
    ],
};

/// Service accounts, and the versioned API.
const ACCOUNTS: FaultTable = FaultTable {
    settings: &["tokens that live shortly"],
    flags: &["--atlas-api=v2"],
    rows: &[endpoints::ACCOUNTS],
};

macro_rules! digest {
    ($name:ident, $setting:literal) => {
        const $name: FaultTable = FaultTable {
            settings: &[$setting],
            flags: &[],
            rows: &[&[FaultRow { fault: $setting, says: &[], ..endpoints::LIFE }]],
        };
    };
}

digest!(AGING, "a nonce that ages");
digest!(SINGLE_USE, "every nonce serves once");
digest!(SEED, "op instead of qop");
digest!(WITHOUT_QOP, "no qop");
digest!(TWO_GATEWAYS, "nonces of two gateways in turn");
digest!(COOKIE_BOUND, "nonces bound to a cookie");

/// All tables.
pub(crate) fn tables() -> [&'static FaultTable; 11] {
    [
        &LIKELY,
        &ACCESS,
        &OTHERWISE,
        &SLOWLY,
        &ACCOUNTS,
        &AGING,
        &SINGLE_USE,
        &SEED,
        &WITHOUT_QOP,
        &TWO_GATEWAYS,
        &COOKIE_BOUND,
    ]
}

#[tokio::test]
async fn each_fault_of_atlas_loses_and_duplicates_nothing() {
    run(&LIKELY).await;
}

#[tokio::test]
async fn each_access_problem_is_reported_and_fixed_without_a_restart() {
    run(&ACCESS).await;
}

#[tokio::test]
async fn each_undocumented_variant_of_atlas_is_tolerated() {
    run(&OTHERWISE).await;
}

#[tokio::test]
async fn a_slow_atlas_with_other_variants_is_tolerated() {
    run(&SLOWLY).await;
}

#[tokio::test]
async fn service_accounts_meet_their_own_faults() {
    run(&ACCOUNTS).await;
}

#[tokio::test]
async fn every_form_of_digest_leads_through_a_whole_life() {
    for table in [&AGING, &SINGLE_USE, &SEED, &WITHOUT_QOP, &TWO_GATEWAYS, &COOKIE_BOUND] {
        run(table).await;
    }
}

#[test]
fn every_entry_of_the_catalogue_is_tested_on_its_operations() {
    let mut missing = Vec::new();
    let rows: Vec<&FaultRow> = tables().iter().flat_map(|table| table.rows()).collect();
    for known in catalogue() {
        let met: Vec<_> = rows.iter().filter(|row| row.fault == known.name).collect();
        let operations: &[_] = match known.how {
            How::Requests { on, .. } => on,
            _ => &[],
        };
        // What only ever strikes together with others has no row of its own.
        let helps = rows.iter().any(|row| row.also.contains(&known.name));
        if met.is_empty() && !helps {
            missing.push(format!("{} ({})", known.name, known.family));
        }
        for operation in operations {
            if !helps && !met.iter().any(|row| row.on.contains(operation)) {
                missing.push(format!("{} on {operation:?}", known.name));
            }
        }
    }
    assert!(missing.is_empty(), "no row meets {missing:#?}");
}

#[test]
fn every_family_has_a_row() {
    let families: BTreeSet<u8> =
        tables().iter().flat_map(|table| table.rows()).map(|row| known(row.fault).family).collect();
    assert_eq!(families, (0..=FAMILIES).collect());
}

#[test]
fn a_row_about_a_setting_stands_in_a_table_that_has_it() {
    for table in tables() {
        for row in table.rows() {
            let is_setting = matches!(known(row.fault).how, How::Settings(_));
            let set = table.settings.contains(&row.fault) || row.fault == "as documented";
            assert!(!is_setting || set, "{}", row.fault);
        }
    }
}
