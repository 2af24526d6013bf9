//! Executes an operation, if its sender is authorized and its objects exist. Applies only those faults that change the
//! state or the state that is read: deviations and stale reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    dedicated::calls::DedicatedCall,
    endpoint::Deviation,
    errors::{self, ErrorResponse},
    faults::{InjectedFault, Operation},
    response::{HttpResponse, Style, Success},
    routes::{Route, Version},
    settings::{AccessList, InstanceKind, Key, Role, Settings},
    state::{Admitted, IncomingRequest, SimulatorState},
    variants::{NoAccess, RoleTooLow, UnknownInstance},
};

impl SimulatorState {
    pub(crate) fn execute_and_show(
        &mut self,
        now: Duration,
        admitted: &Admitted,
        request: &IncomingRequest,
        who: &str,
        style: Style,
    ) -> HttpResponse {
        let result = self.execute(now, admitted, request, who);
        style.render(result, &admitted.malformations())
    }

    /// Executes a request whose client already got its response.
    pub(crate) fn execute_late(&mut self, now: Duration, admitted: &Admitted, request: &IncomingRequest) {
        if let Ok(who) = &admitted.who
            && admitted.seq > self.forgotten
        {
            // No client is left that could get the result; the journal records it.
            let _ = self.execute(now, admitted, request, who);
        }
    }

    fn execute(
        &mut self,
        now: Duration,
        admitted: &Admitted,
        request: &IncomingRequest,
        who: &str,
    ) -> Result<Success, ErrorResponse> {
        let result = self.perform(now, admitted, request, who)?;
        if let Some(entry) = self.journal.get_mut(admitted.seq) {
            match &result {
                Success::Created(endpoint) => entry.endpoint = Some(endpoint.id.clone()),
                Success::Described { body, names, .. } if entry.is(Operation::CreateService) => {
                    entry.service = body[names.id].as_str().map(str::to_owned);
                }
                Success::Described { body, names, .. } if entry.is(Operation::CreateEndpoint) => {
                    entry.endpoint = body[names.id].as_str().map(str::to_owned);
                }
                _ => {}
            }
            if !matches!(result, Success::Oauth(status, _) if status >= 300) {
                entry.executed_at = Some(now);
            }
        }
        Ok(result)
    }

    fn perform(
        &mut self,
        now: Duration,
        admitted: &Admitted,
        request: &IncomingRequest,
        who: &str,
    ) -> Result<Success, ErrorResponse> {
        let route = &admitted.route;
        let operation = route.operation.clone()?;
        match operation {
            Operation::Token => return Ok(self.tokens.grant(&self.settings, now, Some(who), &request.body)),
            Operation::Revoke => return Ok(self.tokens.revoke(Some(who), &request.body)),
            _ => {}
        }
        check_version(route.version, operation, request)?;
        route.check_syntax(&request.path)?;
        self.check_access(route, operation, who)?;
        if operation.is_dedicated() {
            return self.call_dedicated(now, admitted, operation, &request.body);
        }
        match operation {
            Operation::GetProject => return Ok(Success::Json(self.describe_project(&route.project))),
            Operation::ListInstances => {
                return Ok(Success::Json(self.describe_instances(now, &route.project)));
            }
            _ => self.settle(now, route)?,
        }

        let (deviations, lag) = (deviations(admitted), lag(admitted));
        let settings = &self.settings;
        let path = (route.project.as_str(), route.instance.as_str());
        let instance = self.instances.entry((route.project.clone(), route.instance.clone())).or_default();
        // The past before the start is empty, not the initial state.
        let seen = |lag: Duration| now.checked_sub(lag);
        match operation {
            Operation::List => {
                let seen = seen(lag.unwrap_or(settings.pace.list_lag));
                Ok(Success::List(seen.map_or_else(Vec::new, |time| instance.list(time))))
            }
            Operation::Get => match seen(lag.unwrap_or_default()) {
                Some(time) => instance.get(time, &route.endpoint, &settings.variants),
                None => Err(errors::endpoint_not_found(
                    settings.variants.unknown_endpoint_status,
                    &route.endpoint,
                )),
            },
            Operation::Create => instance.create(path, now, settings, &request.body, deviations),
            Operation::Update => instance.update(now, settings, &route.endpoint, &request.body, deviations),
            Operation::Delete => instance.delete(now, settings, &route.endpoint, deviations),
            _ => Ok(Success::Json(instance.describe(path, now, &settings.pace))),
        }
    }

    fn call_dedicated(
        &mut self,
        now: Duration,
        admitted: &Admitted,
        operation: Operation,
        body: &[u8],
    ) -> Result<Success, ErrorResponse> {
        let (route, deviations, lag) = (&admitted.route, deviations(admitted), lag(admitted));
        let call = DedicatedCall { operation, route, body, deviations, lag };
        let success = self.dedicated.call(now, call, &self.settings)?;
        if operation == Operation::DeleteProject {
            self.settings.projects.remove(&route.project);
            self.settings.dedicated.clusters.remove(&route.project);
            self.configure(now, self.settings.clone());
        }
        Ok(success)
    }

    fn check_access(&self, route: &Route, operation: Operation, who: &str) -> Result<(), ErrorResponse> {
        let Settings { keys, service_accounts, projects, variants, open, .. } = &self.settings;
        let Some(key): Option<&Key> = keys.get(who).or_else(|| service_accounts.get(who)) else {
            return Err(errors::user_unauthorized());
        };
        match key.refused_by {
            Some(AccessList::Key) => return Err(errors::ip_not_on_access_list()),
            Some(AccessList::Organization) => return Err(errors::org_requires_access_list()),
            None => {}
        }
        if !projects.contains_key(&route.project) && !open {
            return Err(errors::group_not_found(&route.project));
        }
        match (key.role(&route.project), variants.no_access, variants.role_too_low) {
            (None, NoAccess::GroupNotFound, _) => Err(errors::group_not_found(&route.project)),
            (None, NoAccess::NotInGroup, _) => Err(errors::not_in_group()),
            (Some(Role::ReadOnly), _, RoleTooLow::Unauthorized) if operation.is_write() => {
                Err(errors::user_unauthorized())
            }
            (Some(Role::ReadOnly), _, RoleTooLow::Forbidden) if operation.is_write() => {
                Err(errors::access_forbidden())
            }
            _ => Ok(()),
        }
    }

    fn describe_project(&self, project: &str) -> Value {
        let instances = self.settings.projects.get(project).map_or(0, BTreeMap::len);
        json!({"clusterCount": instances, "id": project, "links": [], "name": project})
    }

    /// Returns all instances that are still serverless, as the API of serverless instances lists them.
    fn describe_instances(&mut self, now: Duration, project: &str) -> Value {
        let pace = &self.settings.pace;
        let named = self.settings.projects.get(project).into_iter().flatten();
        let serverless = named.filter(|(_, kind)| **kind == InstanceKind::Serverless);
        let described: Vec<Value> = serverless
            .map(|(name, _)| {
                let key = (project.to_owned(), name.clone());
                let instance = self.instances.entry(key).or_default();
                instance.advance(now, pace);
                instance.describe((project, name), now, pace)
            })
            .collect();
        json!({"links": [], "totalCount": described.len(), "results": described})
    }

    /// Finds the instance and advances it to now; with `open`, an unknown one is created.
    fn settle(&mut self, now: Duration, route: &Route) -> Result<(), ErrorResponse> {
        let (project, instance) = (&route.project, &route.instance);
        let mut kind = self.settings.projects.get(project).and_then(|all| all.get(instance)).copied();
        if kind.is_none() && self.settings.open {
            self.settings.add_instance(project, instance);
            kind = Some(InstanceKind::Serverless);
        }
        match kind {
            Some(InstanceKind::Serverless) => {}
            Some(InstanceKind::Flex) => return Err(errors::not_serverless(instance)),
            Some(InstanceKind::Dedicated) => return Err(errors::dedicated_cluster(instance)),
            None => {
                return Err(match self.settings.variants.unknown_instance {
                    UnknownInstance::ClusterNotFound => errors::cluster_not_found(project, instance),
                    UnknownInstance::ServerlessInstanceNotFound => {
                        errors::serverless_instance_not_found(project, instance)
                    }
                });
            }
        }
        if let Some(known) = self.instances.get_mut(&(project.clone(), instance.clone())) {
            known.advance(now, &self.settings.pace);
        }
        Ok(())
    }
}

/// Returns the deviations that faults give to the object of a request.
fn deviations(admitted: &Admitted) -> Vec<Deviation> {
    let deviation = |fault: &InjectedFault| match fault {
        InjectedFault::Deviation(deviation) => Some(deviation.clone()),
        _ => None,
    };
    admitted.faults.iter().filter_map(deviation).collect()
}

/// Returns how old the state is that a request reads, if a fault says so.
fn lag(admitted: &Admitted) -> Option<Duration> {
    admitted.faults.iter().find_map(|fault| match fault {
        InjectedFault::StaleRead { by } => Some(*by),
        _ => None,
    })
}

fn check_version(
    version: Version,
    operation: Operation,
    request: &IncomingRequest,
) -> Result<(), ErrorResponse> {
    const FIRST: &str = "2023-01-01";
    // The living API chooses the newest version that is not later than the date asked for.
    let fits = |media_type: &str| {
        let media_type = media_type.to_ascii_lowercase();
        let rest = media_type.strip_prefix("application/vnd.atlas.");
        rest.and_then(|rest| rest.strip_suffix("+json")).is_some_and(|date| {
            date == FIRST || operation.is_dedicated() && date.len() == FIRST.len() && date > FIRST
        })
    };
    let names =
        |header: &str| header.split(',').any(|one| one.split(';').next().is_some_and(|one| fits(one.trim())));
    let body_fits = request.body.is_empty()
        || names(&request.content_type)
        || request.content_type.to_ascii_lowercase().starts_with("application/json");
    if version == Version::V1 || names(&request.accept) && body_fits {
        Ok(())
    } else {
        Err(errors::not_acceptable(&request.accept))
    }
}
