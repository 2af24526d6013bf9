//! Azure and Google Cloud: two spellings of one resource id, and messages in the words of the cloud.

use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Decision, Step};
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus, NewEndpoint, RegisteredEndpoint};
use domain::dedicated::life::{Life, Provenance, Sort};
use domain::dedicated::names::{Declares, Names, ObjectNames, Rivalry, ServiceName};
use domain::dedicated::observed::{AttemptOutcome, Listing, Observed, ServiceRef, Shown, Subject};
use domain::dedicated::service::{EndpointService, Provider, ServiceKey, ServiceStatus, ServiceTarget};
use domain::dedicated::status::report;
use domain::instant::SinceBoot;
use domain::reference::DeclaredEndpoint;
use domain::requeue::Requeue;
use domain::status::{ConditionType, Reason};
use domain::times::Times;

use crate::fixtures::*;
use crate::objects::KindAndName;
use crate::world::{pe, service_key};

/// The id as one tool of Azure spells it, and as another does.
const DECLARED: &str =
    "/subscriptions/5f/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/Orders";
const LISTED: &str =
    "/subscriptions/5F/resourcegroups/SHOP/providers/microsoft.network/privateEndpoints/orders";

fn id(text: &str) -> CloudEndpointId {
    text.parse().unwrap()
}

fn life(endpoint: &str) -> Life {
    Life { service: service_id(1), endpoint: Some(id(endpoint)) }
}

fn key(provider: Provider) -> ServiceKey {
    let mut key = service_key();
    key.services.provider = provider;
    key.is_port_mapped = provider == Provider::Gcp;
    key
}

fn shown(provider: Provider, endpoints: &[&str]) -> EndpointService {
    EndpointService {
        target: match provider {
            Provider::Gcp => ServiceTarget::Gcp {
                service_attachment_names: vec!["projects/p-1/serviceAttachments/sa-1".to_owned()],
                is_port_mapped: true,
            },
            _ => ServiceTarget::Azure {
                private_link_service_name: Some("pls_1".to_owned()),
                private_link_service_resource_id: Some(
                    "/subscriptions/1/privateLinkServices/pls_1".to_owned(),
                ),
            },
        },
        endpoint_ids: endpoints.iter().map(|id| (*id).to_owned()).collect(),
        ..shown_service(1, ServiceStatus::Available, &[])
    }
}

/// The object of the private endpoint at service 1, at which Atlas lists these.
fn azure(listed: &[&str]) -> Observed {
    let service = ServiceRef::Object {
        object: "PrivateEndpointService team-a/s".to_owned(),
        key: key(Provider::Azure),
        recorded: Some(service_id(1)),
    };
    let declared = NewEndpoint::Azure { id: id(DECLARED), ip_address: "10.0.0.4".to_owned() };
    let read = |listed: &&str| {
        let status = ConnectionStatus::Available;
        let endpoint =
            RegisteredEndpoint { id: id(listed), status, is_delete_requested: false, error_message: None };
        (life(listed), Ok(Some(endpoint)))
    };
    Observed {
        subject: Subject::Endpoint { service, endpoint: DeclaredEndpoint::Declared(declared) },
        listing: Listing::Fetched(Shown {
            services: vec![shown(Provider::Azure, listed)],
            endpoints: listed.iter().map(read).collect(),
            ..Shown::default()
        }),
        ..endpoint()
    }
}

/// Returns the spelling of the endpoint that a step is about.
fn spelling(decision: &Decision) -> Option<&str> {
    let life = match &decision.step {
        Step::Record(entry, _) => &entry.life,
        Step::Claim(target) | Step::Send(_, target) => target.life()?,
        _ => return None,
    };
    life.endpoint.as_ref().map(CloudEndpointId::as_str)
}

#[test]
fn a_listed_endpoint_in_another_spelling_is_found_and_recorded_as_listed() {
    let decision = decide(&azure(&[LISTED]));
    assert!(matches!(&decision.step, Step::Record(entry, None) if entry.provenance == Provenance::Adopted));
    assert_eq!(spelling(&decision), Some(LISTED));
    let decision = decide(&azure(&[]));
    assert!(matches!(decision.step, Step::Claim(ClaimTarget::Create(_))), "{:?}", decision.step);
    assert_eq!(spelling(&decision), Some(DECLARED));
}

#[test]
fn another_spelling_in_the_spec_replaces_nothing() {
    for recorded in [DECLARED, LISTED] {
        let mut o = azure(&[LISTED]);
        record(&mut o, life(recorded), Provenance::Created);
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Rest);
        let ready = report(&o, &decision).get(ConditionType::Ready).unwrap().clone();
        assert!(ready.status, "{}", ready.message);
    }
}

#[test]
fn a_delete_names_the_endpoint_as_atlas_lists_it() {
    let mut o = azure(&[LISTED]);
    o.object.is_deleting = true;
    record(&mut o, life(DECLARED), Provenance::Created);
    let decision = decide(&o);
    assert_eq!(decision.step, Step::Claim(ClaimTarget::Delete(life(DECLARED))));
    assert_eq!(spelling(&decision), Some(LISTED));
    // The claim may have been written when the listing had another spelling.
    o.others.is_deleting = true;
    claim(&mut o, &ClaimTarget::Delete(life(DECLARED)), std::time::Duration::ZERO, AttemptOutcome::NotSent);
    let decision = decide(&o);
    assert!(matches!(decision.step, Step::Send(..)), "{:?}", decision.step);
    assert_eq!(spelling(&decision), Some(LISTED));
}

#[test]
fn a_lost_post_is_found_in_another_spelling() {
    let mut o = azure(&[LISTED]);
    let target = ClaimTarget::Create(Some(life(DECLARED)));
    claim(&mut o, &target, std::time::Duration::ZERO, AttemptOutcome::Unknown);
    let decision = decide(&o);
    assert!(matches!(&decision.step, Step::Record(entry, None) if entry.provenance == Provenance::Unproven));
    assert_eq!(spelling(&decision), Some(LISTED));
}

fn named(of: &KindAndName, created: i64, spelling: &str) -> ObjectNames {
    ObjectNames {
        object: of.names.clone(),
        uid: of.names.name.clone(),
        version: Some(1),
        created,
        is_deleting: false,
        is_observing: false,
        declares: Declares::Endpoint(ServiceName::Key(key(Provider::Azure)), Some(id(spelling))),
        records: Vec::new(),
        claim: None,
        offer: None,
    }
}

#[test]
fn two_objects_with_two_spellings_are_rivals_and_heirs() {
    let now = SinceBoot::ZERO;
    let (older, younger) = (pe("older"), pe("younger"));
    let mut names = Names::default();
    names.record(Sort::Endpoint, &older.token(), named(&older, 1, LISTED), now);
    names.record(Sort::Endpoint, &younger.token(), named(&younger, 2, DECLARED), now);
    let at = (&Times::default(), now);
    let others = names.others(Sort::Endpoint, &younger.token(), "younger", &[life(DECLARED)], at);
    assert!(others.declared.older.is_some(), "{:?}", others.declared);
    let heir = others.recorded.iter().map(|(_, rivalry): &(Life, Rivalry)| rivalry.heir.clone()).next();
    assert_eq!(heir, Some(Some("PrivateEndpoint team-a/older".to_owned())));
}

#[test]
fn a_post_that_is_answered_without_a_status_connects() {
    let mut o = azure(&[LISTED]);
    record(&mut o, life(LISTED), Provenance::Created);
    if let Listing::Fetched(shown) = &mut o.listing {
        for read in shown.endpoints.values_mut().flatten().flatten() {
            read.status = ConnectionStatus::from("");
        }
    }
    let decision = decide(&o);
    assert_eq!(decision.requeue, Requeue::Poll);
    let ready = report(&o, &decision).get(ConditionType::Ready).unwrap().clone();
    assert_eq!((ready.status, ready.reason), (false, Reason::Connecting));
    assert_eq!(ready.message.to_string(), format!("Atlas connects endpoint {LISTED}"));
}

/// Returns what is reported of an endpoint of the provider, with this status in Atlas; with none, it was recorded at another service.
fn message(provider: Provider, status: Option<ConnectionStatus>) -> String {
    let (name, endpoint) = match provider {
        Provider::Gcp => {
            let (group_name, project_id) = (id("orders"), "shop-1".to_owned());
            ("orders", NewEndpoint::Gcp { group_name, project_id, endpoints: Vec::new() })
        }
        _ => (DECLARED, NewEndpoint::Azure { id: id(DECLARED), ip_address: "10.0.0.4".to_owned() }),
    };
    let mut o = azure(&[]);
    let service = ServiceRef::Key(key(provider));
    o.subject = Subject::Endpoint { service, endpoint: DeclaredEndpoint::Declared(endpoint) };
    let listed: &[&str] = if status.is_some() { &[name] } else { &[] };
    let mut listing = Shown { services: vec![shown(provider, listed)], ..Shown::default() };
    let recorded = match status {
        Some(status) => {
            let endpoint =
                RegisteredEndpoint { id: id(name), status, is_delete_requested: false, error_message: None };
            listing.endpoints.insert(life(name), Ok(Some(endpoint)));
            life(name)
        }
        None => Life { service: service_id(2), ..life(name) },
    };
    record(&mut o, recorded, Provenance::Created);
    o.listing = Listing::Fetched(listing);
    let decision = decide(&o);
    report(&o, &decision).get(ConditionType::Ready).unwrap().message.to_string()
}

#[test]
fn each_cloud_is_spoken_of_in_its_own_words() {
    for (provider, noun) in [(Provider::Azure, "private endpoint"), (Provider::Gcp, "forwarding rule")] {
        for status in [None, Some(ConnectionStatus::Failed)] {
            let text = message(provider, status);
            assert!(text.contains(noun) && !text.contains("VPC"), "{text}");
        }
    }
}

#[test]
fn a_ready_service_names_what_endpoints_are_made_for() {
    for (provider, name) in [
        (Provider::Azure, "/subscriptions/1/privateLinkServices/pls_1"),
        (Provider::Gcp, "projects/p-1/serviceAttachments/sa-1"),
    ] {
        let mut o = service();
        o.subject = Subject::Service(key(provider));
        o.listing = Listing::Fetched(Shown { services: vec![shown(provider, &[])], ..Shown::default() });
        record(&mut o, of_service(1), Provenance::Created);
        let decision = decide(&o);
        let report = report(&o, &decision);
        for kind in [ConditionType::Ready, ConditionType::ServiceAvailable] {
            let condition = report.get(kind).unwrap();
            assert!(
                condition.status && condition.message.to_string().contains(name),
                "{}",
                condition.message
            );
        }
    }
}
