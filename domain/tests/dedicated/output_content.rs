//! What the output ConfigMaps hold, from what was observed.

use std::collections::BTreeSet;

use domain::dedicated::cluster::ClusterName;
use domain::dedicated::decide::decide;
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::{Entry, Provenance};
use domain::dedicated::observed::{ConnectionStrings, Listing, Observed, Shown};
use domain::dedicated::output::{content, takes_out};
use domain::dedicated::service::{ServiceStatus, ServiceTarget};
use domain::dedicated::status::report;
use domain::fault::{Fault, FaultKind};
use domain::reconcile::output::Content;

use crate::fixtures::*;
use crate::world::cluster;

fn shown(o: &mut Observed) -> &mut Shown {
    let Listing::Fetched(shown) = &mut o.listing else { panic!("it is listed") };
    shown
}

fn content_of(o: &Observed) -> Option<Content> {
    content(o, &report(o, &decide(o)))
}

fn entries<const N: usize>(entries: [(&str, &str); N]) -> Content {
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect()
}

/// A recorded service that is available.
fn usable_service(target: ServiceTarget) -> Observed {
    let mut o = service();
    record(&mut o, of_service(1), Provenance::Created);
    show_service(&mut o, ServiceStatus::Available);
    shown(&mut o).services[0].target = target;
    o
}

fn aws(name: &str) -> ServiceTarget {
    let endpoint_service_name = Some(name.to_owned());
    ServiceTarget::Aws { endpoint_service_name, supported_remote_regions: BTreeSet::new() }
}

fn gcp(names: &[&str]) -> ServiceTarget {
    let service_attachment_names = names.iter().map(|name| (*name).to_owned()).collect();
    ServiceTarget::Gcp { service_attachment_names, is_port_mapped: false }
}

const ID: &str = "000000000000000000000001";

#[test]
fn a_service_is_described_by_what_an_endpoint_is_made_for() {
    let name = "com.amazonaws.vpce.eu-west-1.vpce-svc-0667f4ca6f4a2bbc8";
    let common = [("regionName", "EU_WEST_1"), ("serviceId", ID)];
    let [region, id] = common;
    assert_eq!(
        content_of(&usable_service(aws(name))),
        Some(entries([region, id, ("endpointServiceName", name)]))
    );
    let path = "/subscriptions/52/resourceGroups/rg_1/providers/Microsoft.Network/privateLinkServices/pls_1";
    let azure = ServiceTarget::Azure {
        private_link_service_name: Some("pls_1".to_owned()),
        private_link_service_resource_id: Some(path.to_owned()),
    };
    let of_azure = [("privateLinkServiceName", "pls_1"), ("privateLinkServiceResourceId", path)];
    assert_eq!(content_of(&usable_service(azure)), Some(entries([region, id, of_azure[0], of_azure[1]])));
    let names = [
        "projects/p-1/regions/us-east4/serviceAttachments/sa-0",
        "projects/p-1/regions/us-east4/serviceAttachments/sa-1",
    ];
    let joined = names.join(",");
    assert_eq!(
        content_of(&usable_service(gcp(&names))),
        Some(entries([region, id, ("serviceAttachmentNames", &joined)]))
    );
}

#[test]
fn a_service_that_cannot_be_used_has_no_output() {
    for status in [ServiceStatus::Initiating, ServiceStatus::Failed, ServiceStatus::Deleting] {
        let mut o = usable_service(aws("vpce-svc-1"));
        shown(&mut o).services[0].status = status.clone();
        assert_eq!(content_of(&o), Some(Content::new()), "{status}");
    }
    let mut o = usable_service(aws("vpce-svc-1"));
    shown(&mut o).services[0].status = ServiceStatus::WaitingForUser;
    assert!(!content_of(&o).unwrap().is_empty());
}

#[test]
fn a_name_that_the_cloud_cannot_have_assigned_is_left_out() {
    for bad in ["", "$(curl evil.example)", "-x", "a b", "a\nid: other", "a;b", "vpce\u{202e}"] {
        assert_eq!(content_of(&usable_service(aws(bad))), Some(Content::new()), "{bad:?}");
        let azure = |name: &str, id: &str| ServiceTarget::Azure {
            private_link_service_name: Some(name.to_owned()),
            private_link_service_resource_id: Some(id.to_owned()),
        };
        assert_eq!(content_of(&usable_service(azure("pls_1", bad))), Some(Content::new()), "{bad:?}");
        let without_name = content_of(&usable_service(azure(bad, "/subscriptions/1"))).unwrap();
        assert!(!without_name.contains_key("privateLinkServiceName"), "{bad:?}");
        assert_eq!(content_of(&usable_service(gcp(&["projects/p", bad]))), Some(Content::new()), "{bad:?}");
    }
}

fn strings(kind: &str, name: &str) -> ConnectionStrings {
    ConnectionStrings {
        kind: kind.to_owned(),
        standard: Some(format!(
            "mongodb://{name}-pl-0.a.mongodb.net:1024,{name}-pl-1.a.mongodb.net:1025/?ssl=true"
        )),
        srv: Some(format!("mongodb+srv://{name}-pl-0.a.mongodb.net")),
        srv_shard_optimized: Some(format!("mongodb+srv://{name}-pl-0-lb.a.mongodb.net")),
    }
}

/// A recorded endpoint that is available, with the strings of these clusters.
fn connected(clusters: &[(&str, Vec<ConnectionStrings>)]) -> Observed {
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    for (name, strings) in clusters {
        o.spec.as_mut().unwrap().clusters.push(cluster(name));
        shown(&mut o).clusters.insert(cluster(name), Ok(Some(strings.clone())));
    }
    o
}

#[test]
fn an_endpoint_is_described_by_its_ids_and_the_strings_of_each_cluster() {
    let o = connected(&[("orders-1", vec![strings("MONGOS", "orders")]), ("other", Vec::new())]);
    let strings = strings("MONGOS", "orders");
    let expected = entries([
        ("serviceId", ID),
        ("endpointId", "vpce-1"),
        ("srv_orders_1", strings.srv.as_deref().unwrap()),
        ("srvShardOptimized_orders_1", strings.srv_shard_optimized.as_deref().unwrap()),
        ("standard_orders_1", strings.standard.as_deref().unwrap()),
    ]);
    assert_eq!(content_of(&o), Some(expected));
    assert_eq!(content_of(&connected(&[])), Some(entries([("serviceId", ID), ("endpointId", "vpce-1")])));
}

#[test]
fn of_several_strings_of_one_cluster_the_routers_come_first() {
    let all = [strings("MONGOD", "a"), strings("MONGOS", "b"), strings("MONGOS", "c"), strings("", "d")];
    for rotation in 0..4 {
        let mut some = all.to_vec();
        some.rotate_left(rotation);
        let content = content_of(&connected(&[("orders", some)])).unwrap();
        for key in ["srv_orders", "standard_orders", "srvShardOptimized_orders"] {
            assert!(content[key].contains("//b-pl-0"), "{content:?}");
        }
    }
    let mut bare = strings("MONGOS", "b");
    bare.srv = None;
    let content = content_of(&connected(&[("orders", vec![strings("MONGOD", "a"), bare])])).unwrap();
    assert!(!content.contains_key("srv_orders"), "all come from one: {content:?}");
}

#[test]
fn a_string_with_credentials_or_for_a_shell_is_left_out() {
    for bad in [
        "",
        "mongodb+srv://",
        "mongodb+srv://user:secret@host",
        "https://host",
        "mongodb+srv://$(id)",
        "mongodb+srv://a b",
        "mongodb+srv://a\n",
        "mongodb+srv://-x",
        "mongodb+srv://a'",
    ] {
        let one = ConnectionStrings {
            srv: Some(bad.to_owned()),
            standard: Some(bad.to_owned()),
            ..strings("MONGOD", "a")
        };
        let content = content_of(&connected(&[("orders", vec![one])])).unwrap();
        assert!(!content.contains_key("srv_orders") && !content.contains_key("standard_orders"), "{bad:?}");
    }
}

#[test]
fn no_two_clusters_share_a_key_and_every_key_is_a_variable_of_flux() {
    let parts = ["a", "A", "1", "-", "a-", "-1"];
    let mut names = BTreeSet::new();
    for [one, two, three] in
        parts.iter().flat_map(|one| parts.map(|two| parts.map(|three| [*one, two, three]))).flatten()
    {
        names.extend(format!("{one}{two}{three}").parse::<ClusterName>());
    }
    let clusters: Vec<_> =
        names.iter().map(|name| (name.as_str(), vec![strings("MONGOD", name.as_str())])).collect();
    let content = content_of(&connected(&clusters)).unwrap();
    assert_eq!(content.len(), 2 + 3 * names.len());
    for key in content.keys() {
        let is_variable = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(is_variable && !key.starts_with(|c: char| c.is_ascii_digit()), "{key}");
    }
}

#[test]
fn a_cluster_that_was_not_read_keeps_its_strings_and_only_those_of_this_endpoint() {
    let fault = || Err(Fault::new(FaultKind::Unavailable, "HTTP 503"));
    let mut o = connected(&[("orders", Vec::new())]);
    shown(&mut o).clusters.insert(cluster("orders"), fault());
    o.object.strings.insert(cluster("orders"), vec![strings("MONGOD", "orders")]);
    assert!(content_of(&o).unwrap().contains_key("srv_orders"));
    // What the status shows is of the endpoint that is recorded first.
    let mut other = o.clone();
    other.object.entries.insert(0, entry(of_endpoint(2), Provenance::Created));
    show(&mut other, &[(1, ConnectionStatus::Available)]);
    shown(&mut other).clusters.insert(cluster("orders"), fault());
    assert!(!content_of(&other).unwrap().contains_key("srv_orders"));
}

#[test]
fn nothing_is_known_of_an_endpoint_that_could_not_be_read() {
    let mut o = connected(&[("orders", vec![strings("MONGOD", "orders")])]);
    o.object.strings.insert(cluster("orders"), vec![strings("MONGOD", "orders")]);
    shown(&mut o).endpoints.insert(of_endpoint(1), Err(Fault::new(FaultKind::Unavailable, "HTTP 503")));
    shown(&mut o).clusters.clear();
    assert_eq!(content_of(&o), None);
    let shown = report(&o, &decide(&o)).fields;
    let domain::dedicated::status::Fields::Endpoint(None, strings) = shown else { panic!("{shown:?}") };
    assert_eq!(strings, o.object.strings, "nor does the status lose anything");
    o.listing = Listing::Failed(Fault::new(FaultKind::Unavailable, "HTTP 503"));
    assert_eq!(content_of(&o), None);
}

#[test]
fn the_former_endpoint_stays_in_the_output_until_the_declared_one_has_all_strings() {
    let mut o = connected(&[("orders", Vec::new())]);
    record(&mut o, of_endpoint(2), Provenance::Created);
    let (here, there) = (ConnectionStatus::Available, ConnectionStatus::PendingAcceptance);
    for status in [there, ConnectionStatus::Rejected, here.clone()] {
        show(&mut o, &[(1, status.clone()), (2, here.clone())]);
        shown(&mut o).clusters.insert(cluster("orders"), Ok(Some(Vec::new())));
        assert_eq!(content_of(&o), None, "{status}");
        let step = decide(&o).step;
        assert_eq!(step.name(), "rest", "the former one is not removed: {step:?}");
    }
    shown(&mut o).clusters.insert(cluster("orders"), Ok(Some(vec![strings("MONGOD", "orders")])));
    assert_eq!(content_of(&o).unwrap()["endpointId"], "vpce-1");
    assert_eq!(decide(&o).step.name(), "claim a delete");
    // A cluster that does not exist has none, whatever is waited for.
    shown(&mut o).clusters.insert(cluster("orders"), Ok(None));
    assert_eq!(content_of(&o).unwrap()["endpointId"], "vpce-1");
    assert_eq!(decide(&o).step.name(), "claim a delete");
    // Nor is a former one waited for that is gone.
    show(&mut o, &[(1, ConnectionStatus::Rejected)]);
    assert_eq!(content_of(&o), Some(Content::new()));
}

#[test]
fn only_what_is_recorded_has_to_be_taken_out_twice() {
    let one = entries([("serviceId", ID), ("endpointId", "vpce-1"), ("srv_orders", "a")]);
    let less = entries([("serviceId", ID), ("endpointId", "vpce-1")]);
    let [first, second] = [1, 2].map(|number| entry(of_endpoint(number), Provenance::Created));
    let takes_out = |found: &Content, content: &Content, entries: &[Entry]| {
        takes_out(found, content, entries, &[cluster("orders")])
    };
    assert!(takes_out(&one, &less, &[second.clone(), first.clone()]));
    assert!(!takes_out(&less, &one, std::slice::from_ref(&first)));
    assert!(!takes_out(&one, &less, &[second]), "what is not recorded is over");
    assert!(!takes_out(&one, &less, &[]));
    let of_service = [entry(of_service(1), Provenance::Created)];
    assert!(!takes_out(&one, &Content::new(), &of_service), "an endpoint is no service");
    let of_another = domain::dedicated::output::takes_out(&one, &less, &[first], &[cluster("order")]);
    assert!(!of_another, "nor what nobody wants any more");
}
