//! A dedicated cluster as Atlas reports it: its private connection strings, which follow the endpoints after a while of
//! `UPDATING`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    phase::EndpointPhase,
    project::{EndpointCourse, ProjectCourse, ServiceCourse},
    provider::CloudProvider,
    region,
    service::ServicePlace,
    settings::DedicatedSettings,
};

/// An endpoint that is `AVAILABLE`, by its number in the project.
struct Connection<'a> {
    number: usize,
    place: ServicePlace,
    id: &'a str,
}

impl Connection<'_> {
    /// Returns whether it leads to this region of a cluster.
    fn is_in(&self, place: &str) -> bool {
        region::of_cluster(place) == (self.place.provider, &self.place.region)
    }
}

/// Returns the body of a cluster in these regions; without any, it is in every region.
pub(crate) fn body(
    (project, name): (&str, &str),
    regions: &[String],
    course: &ProjectCourse,
    now: Duration,
    settings: &DedicatedSettings,
) -> Value {
    let domain = format!("{}.mongodb.net", project.get(..5).unwrap_or_default());
    let updating = settings.pace.updating;
    let endpoints = || course.lives.iter().flat_map(|life| life.endpoints.iter().map(move |one| (life, one)));
    let is_updating = endpoints().any(|(_, one)| connected_or_lost_at(one).any(|at| at + updating > now));
    let seen = now.checked_sub(updating);
    let connections: Vec<_> = endpoints()
        .enumerate()
        .filter_map(|(number, (life, one))| connection(number, life, one, seen?))
        .filter(|one| regions.is_empty() || regions.iter().any(|region| one.is_in(region)))
        .collect();
    let has_all =
        |group: &[&Connection<'_>]| regions.iter().all(|region| group.iter().any(|one| one.is_in(region)));
    // One string for each endpoint; over several regions one for all, once each of them has an endpoint.
    let groups: Vec<Vec<&Connection<'_>>> = if regions.len() > 1 {
        let all: Vec<_> = connections.iter().collect();
        if has_all(&all) { vec![all] } else { Vec::new() }
    } else {
        connections.iter().map(|one| vec![one]).collect()
    };
    let mut by_id = (Map::new(), Map::new());
    let mut strings = Vec::new();
    for group in &groups {
        let (plain, srv) = hosts(group, name);
        let (plain, srv) =
            (format!("mongodb://{plain}.{domain}:1024"), format!("mongodb+srv://{srv}.{domain}"));
        for one in group.iter().filter(|one| one.place.provider == CloudProvider::Aws) {
            by_id.0.insert(one.id.to_owned(), json!(plain));
            by_id.1.insert(one.id.to_owned(), json!(srv));
        }
        let of = |one: &&Connection<'_>| {
            let (provider, region) = (one.place.provider, &one.place.region);
            json!({"endpointId": one.id, "providerName": provider, "region": region})
        };
        strings.push(json!({
            "connectionString": plain,
            "endpoints": group.iter().map(of).collect::<Vec<_>>(),
            "srvConnectionString": srv,
            "type": "MONGOD",
        }));
    }
    let mut connection_strings = Map::new();
    connection_strings.insert("standard".to_owned(), json!(format!("mongodb://{name}.{domain}:27017")));
    connection_strings.insert("standardSrv".to_owned(), json!(format!("mongodb+srv://{name}.{domain}")));
    if !by_id.0.is_empty() {
        connection_strings.insert("awsPrivateLink".to_owned(), Value::Object(by_id.0));
        connection_strings.insert("awsPrivateLinkSrv".to_owned(), Value::Object(by_id.1));
    }
    if !strings.is_empty() {
        connection_strings.insert("privateEndpoint".to_owned(), Value::Array(strings));
    }
    json!({
        "clusterType": "REPLICASET",
        "connectionStrings": connection_strings,
        "groupId": project,
        "links": [],
        "name": name,
        "paused": false,
        "stateName": if is_updating { "UPDATING" } else { "IDLE" },
    })
}

/// Returns the first labels of the host names in the standard string and the SRV string of a cluster, behind these endpoints. Only
/// where all of them are port-mapped the names are other ones (recorded in the documentation).
fn hosts(group: &[&Connection<'_>], cluster: &str) -> (String, String) {
    let number = group.first().map_or(0, |one| one.number);
    match group.first().filter(|_| group.iter().all(|one| one.place.is_port_mapped)) {
        Some(one) => {
            let region = region::in_cloud_form(one.place.provider, &one.place.region);
            (format!("pl-{number}-{region}-gcp"), format!("{cluster}-psc-{number}"))
        }
        None => (format!("{cluster}-pl-{number}"), format!("{cluster}-pl-{number}")),
    }
}

/// Returns when an endpoint became `AVAILABLE`, or ceased to be.
fn connected_or_lost_at(one: &EndpointCourse) -> impl Iterator<Item = Duration> {
    let is_available = |index: usize| {
        let state = one.endpoint.points.get(index).and_then(|point| point.state.as_ref());
        state.is_some_and(|state| state.status == EndpointPhase::Available)
    };
    let points = one.endpoint.points.iter().enumerate();
    points
        .filter(move |(index, _)| is_available(*index) != index.checked_sub(1).is_some_and(is_available))
        .map(|(_, point)| point.at)
}

/// Returns the connection that the strings show: of an endpoint that was `AVAILABLE` at the time `seen`.
fn connection<'a>(
    number: usize,
    life: &'a ServiceCourse,
    one: &'a EndpointCourse,
    seen: Duration,
) -> Option<Connection<'a>> {
    let service = life.service.at(seen)?;
    let endpoint = one.endpoint.at(seen).filter(|state| state.status == EndpointPhase::Available)?;
    Some(Connection { number, place: service.place(), id: &endpoint.id })
}
