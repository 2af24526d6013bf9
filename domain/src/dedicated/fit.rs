//! Whether what an object declares fits its service: the cloud provider, and what the provider's services accept.
//!
//! The definitions of the kinds cannot check this, because only the service's own object, or Atlas, says what the service is. Nothing is
//! sent for what does not fit, so this file never has to undo anything, and it never decides what is done about it.

use crate::reference::DeclaredEndpoint;

use super::endpoint::NewEndpoint;
use super::observed::{ServiceRef, Spec, Subject};
use super::service::{Provider, ServiceKey};

/// When MongoDB switches off the services of Google Cloud that are not port-mapped.
const LEGACY_END: &str = "2027-04-30";

/// Returns why `subject` does not fit the service that it declares or refers to, if it does not.
///
/// # Errors
/// The reason, and what to do.
pub(super) fn check(subject: &Subject, spec: &Spec) -> Result<(), String> {
    match subject {
        Subject::Service(key) => legacy(key, spec, "`gcp.portMapping`"),
        Subject::Endpoint { service: ServiceRef::Key(key), endpoint } => {
            at_service(&format!("endpoint service {key}"), key, endpoint, spec)
        }
        Subject::Endpoint { service: ServiceRef::Object { object, key, .. }, endpoint } => {
            at_service(object, key, endpoint, spec)
        }
        Subject::Endpoint { .. } | Subject::Nothing(_) => Ok(()),
    }
}

fn at_service(
    described: &str,
    key: &ServiceKey,
    endpoint: &DeclaredEndpoint<NewEndpoint>,
    spec: &Spec,
) -> Result<(), String> {
    let provider = key.services.provider;
    if let Some(declared) = spec.provider.filter(|declared| *declared != provider) {
        return Err(format!(
            "`{}` declares an endpoint of {declared}, but {described} is a service of {provider}; neither can be changed, so delete this \
             object, and create another one with `{}`, or for a service of {declared}",
            block(declared),
            block(provider)
        ));
    }
    legacy(key, spec, described)?;
    match endpoint {
        DeclaredEndpoint::Declared(NewEndpoint::Gcp { group_name, endpoints, .. }) if key.is_port_mapped => {
            match endpoints.as_slice() {
                [rule] if rule.name == group_name.as_str() => Ok(()),
                [rule] => Err(format!(
                    "`gcp.groupName` is {:?} and the name of its only forwarding rule is {:?}, but {described} is port-mapped, \
                     where a forwarding rule is its own group; give both the name of the forwarding rule",
                    group_name.as_str(),
                    rule.name
                )),
                rules => Err(format!(
                    "`gcp.endpoints` has {} entries, but {described} is port-mapped, where one forwarding rule reaches the whole service; \
                     leave the one that `gcp.groupName` names",
                    rules.len()
                )),
            }
        }
        _ => Ok(()),
    }
}

/// Refuses to change anything at a service that will be switched off.
fn legacy(key: &ServiceKey, spec: &Spec, described: &str) -> Result<(), String> {
    if key.services.provider != Provider::Gcp || key.is_port_mapped || spec.observe {
        return Ok(());
    }
    Err(format!(
        "{described}: services of Google Cloud without port mapping end on {LEGACY_END}, so this operator only observes them; use a \
         service with `gcp.portMapping: true`, or set `managementPolicy` to 'Observe'"
    ))
}

/// Returns the field that declares an endpoint of a provider.
fn block(provider: Provider) -> &'static str {
    match provider {
        Provider::Aws => "aws",
        Provider::Azure => "azure",
        Provider::Gcp => "gcp",
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::ForwardingRule;
    use super::super::service::ProviderServices;
    use super::*;

    fn key(provider: Provider, is_port_mapped: bool) -> ServiceKey {
        let services = ProviderServices { project: "a".repeat(24).parse().unwrap(), provider };
        ServiceKey { services, region: "CENTRAL_US".parse().unwrap(), is_port_mapped }
    }

    fn group(name: &str, rules: &[&str]) -> NewEndpoint {
        let rule =
            |name: &&str| ForwardingRule { name: (*name).to_owned(), ip_address: "10.0.0.4".to_owned() };
        NewEndpoint::Gcp {
            group_name: name.parse().unwrap(),
            project_id: "shop-1".to_owned(),
            endpoints: rules.iter().map(rule).collect(),
        }
    }

    /// The same endpoint at a service that is named by an object, and by its key.
    fn at(key: &ServiceKey, endpoint: &NewEndpoint) -> [Subject; 2] {
        let object = "PrivateEndpointService team-a/s".to_owned();
        let services =
            [ServiceRef::Object { object, key: key.clone(), recorded: None }, ServiceRef::Key(key.clone())];
        services.map(|service| Subject::Endpoint {
            service,
            endpoint: DeclaredEndpoint::Declared(endpoint.clone()),
        })
    }

    fn refusal(subject: &Subject, spec: &Spec) -> Option<String> {
        check(subject, spec).err()
    }

    #[test]
    fn an_endpoint_of_another_provider_than_its_service_is_refused_by_both_names() {
        for declared in Provider::ALL {
            for provider in Provider::ALL {
                let spec = Spec { provider: Some(declared), ..Spec::default() };
                let service = ServiceRef::Object {
                    object: "PrivateEndpointService team-a/s".to_owned(),
                    key: key(provider, true),
                    recorded: None,
                };
                // Also before its reference is resolved.
                let endpoint = DeclaredEndpoint::Awaited("no id yet".to_owned());
                let refused = refusal(&Subject::Endpoint { service, endpoint }, &spec);
                assert_eq!(refused.is_some(), declared != provider, "{declared} {provider}");
                if let Some(text) = refused {
                    for part in [block(declared), block(provider), declared.as_str(), "team-a/s"] {
                        assert!(text.contains(part), "{part} is not in {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_port_mapped_service_takes_one_rule_whose_name_is_the_groups() {
        let spec = Spec { provider: Some(Provider::Gcp), ..Spec::default() };
        for (name, rules, names) in [
            ("orders", vec!["orders"], None),
            ("orders", vec!["other"], Some(["\"orders\"", "\"other\""])),
            ("orders", vec!["orders", "more"], Some(["2 entries", "gcp.groupName"])),
            ("orders", vec![], Some(["0 entries", "gcp.groupName"])),
        ] {
            for subject in at(&key(Provider::Gcp, true), &group(name, &rules)) {
                let refused = refusal(&subject, &spec);
                assert_eq!(refused.is_some(), names.is_some(), "{rules:?}: {refused:?}");
                for part in names.iter().flatten() {
                    assert!(refused.iter().all(|text| text.contains(part)), "{refused:?}");
                }
            }
        }
    }

    #[test]
    fn a_service_without_port_mapping_is_only_observed() {
        let legacy = key(Provider::Gcp, false);
        let spec = |observe| Spec { provider: Some(Provider::Gcp), observe, ..Spec::default() };
        let subjects = at(&legacy, &group("orders", &["one", "two"])).into_iter();
        for subject in subjects.chain([Subject::Service(legacy)]) {
            let text = refusal(&subject, &spec(false)).unwrap();
            assert!(text.contains("2027-04-30") && text.contains("Observe"), "{text}");
            assert_eq!(refusal(&subject, &spec(true)), None);
        }
        // The other providers have no such services.
        for provider in [Provider::Aws, Provider::Azure] {
            assert_eq!(refusal(&Subject::Service(key(provider, false)), &spec(false)), None);
        }
    }
}
