//! The one state behind the lock: it admits a request, executes it, and records it.
//!
//! Time is a parameter; nothing here waits, sends or receives.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{
    dedicated::project::DedicatedState,
    digest::{Gateway, Nonces, RequestLine, Unauthenticated},
    endpoint::Endpoint,
    faults::{InjectedFault, Malformed, Operation, Termination},
    header,
    instance::InstanceState,
    journal::{Delivery, Journal, JournalEntry},
    oauth::{self, IssuedTokens},
    random,
    rate_limit::RateLimitBuckets,
    response::{HttpResponse, Reply, Style, challenge},
    routes::{Route, Version},
    rules::{self, RequestAttributes, Rule},
    settings::Settings,
    termination,
    timeline::{ChangeCause, Timeline},
};

/// A request as it came in.
#[derive(Debug, Default)]
pub(crate) struct IncomingRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) cookies: String,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl IncomingRequest {
    /// Returns the value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// An authenticated request, with its faults.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) seq: u64,
    pub(crate) route: Route,
    pub(crate) who: Result<String, Unauthenticated>,
    gateway: Gateway,
    pub(crate) faults: Vec<InjectedFault>,
    /// The latency of Atlas for it.
    pub(crate) delay: Duration,
}

impl Admitted {
    /// How its response is malformed.
    pub(crate) fn malformations(&self) -> Vec<&Malformed> {
        self.faults
            .iter()
            .filter_map(|fault| match fault {
                InjectedFault::Shown(malformed) => Some(malformed),
                _ => None,
            })
            .collect()
    }

    /// How long after the response it is executed, if late.
    pub(crate) fn late(&self) -> Option<Duration> {
        self.faults.iter().find_map(|fault| match fault {
            InjectedFault::ExecutedLate { after, .. } if self.who.is_ok() => Some(*after),
            _ => None,
        })
    }
}

/// The whole state of the simulator.
#[derive(Debug, Default)]
pub(crate) struct SimulatorState {
    pub(crate) settings: Settings,
    pub(crate) rules: Vec<Rule>,
    pub(crate) journal: Journal,
    pub(crate) tokens: IssuedTokens,
    nonces: Nonces,
    rate_limits: RateLimitBuckets,
    pub(crate) instances: BTreeMap<(String, String), InstanceState>,
    pub(crate) dedicated: DedicatedState,
    /// The last request before a reset.
    pub(crate) forgotten: u64,
}

impl SimulatorState {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Receives a request: authenticates it, chooses its faults and records it.
    pub(crate) fn admit(&mut self, now: Duration, request: &IncomingRequest) -> Admitted {
        let route = Route::of(&request.method, &request.path);
        let gateway = self.nonces.gateway(&self.settings.digest);
        let who = self.authenticate(now, request, &route, gateway);
        let named = |name: &String| (!name.is_empty()).then(|| name.clone());
        let operation = route.operation.as_ref().ok().copied();
        let target = request.target();
        let attributes = RequestAttributes {
            operation,
            method: &request.method,
            target: &target,
            project: Some(route.project.as_str()).filter(|name| !name.is_empty()),
            instance: Some(route.instance.as_str()).filter(|name| !name.is_empty()),
            key: who.as_deref().ok(),
        };
        let faults = rules::pick(&mut self.rules, &attributes);
        let latency = self.settings.latency;
        let span = if who.is_ok() && operation.is_some_and(Operation::is_write) {
            latency.writes
        } else {
            latency.reads
        };
        let delay = faults.iter().fold(random::between(span.min, span.max), |delay, fault| match fault {
            InjectedFault::Delayed { min, max } => delay + random::between(*min, *max),
            _ => delay,
        });
        let seq = self.journal.add(JournalEntry {
            seq: 0,
            at: now,
            method: request.method.clone(),
            path: target,
            operation,
            project: named(&route.project),
            instance: named(&route.instance),
            service: named(&route.service),
            endpoint: named(&route.endpoint),
            key: who.as_ref().ok().cloned(),
            challenged: None,
            body: String::from_utf8_lossy(&request.body).into_owned(),
            faults: faults.clone(),
            delivery: None,
            executed_at: None,
        });
        Admitted { seq, route, who, gateway, faults, delay }
    }

    fn authenticate(
        &mut self,
        now: Duration,
        request: &IncomingRequest,
        route: &Route,
        gateway: Gateway,
    ) -> Result<String, Unauthenticated> {
        let header = request.authorization.as_deref().ok_or(Unauthenticated::NoCredentials)?;
        let settings = &self.settings;
        if route.is_oauth() {
            return oauth::client(settings, Some(header)).ok_or(Unauthenticated::WrongKey);
        }
        if let Some(token) = header::bearer(header) {
            return self.tokens.client(settings, now, token).ok_or(Unauthenticated::BadToken);
        }
        let secret_of = |user: &str| settings.keys.get(user).map(|key| key.secret.clone());
        let target = request.target();
        let line =
            RequestLine { method: &request.method, target: &target, cookies: &request.cookies, gateway };
        self.nonces.verify(&settings.digest, now, line, header, secret_of)
    }

    /// Executes a request, unless a fault forbids it, and returns what the client gets.
    pub(crate) fn respond(&mut self, now: Duration, admitted: &Admitted, request: &IncomingRequest) -> Reply {
        let style = Style::of(admitted.route.version, &request.query);
        let settled = admitted.faults.iter().find_map(|fault| match fault {
            InjectedFault::NotExecuted(ending) | InjectedFault::ExecutedLate { ending, .. } => {
                Some((false, ending))
            }
            InjectedFault::Executed(ending) => Some((true, ending)),
            _ => None,
        });
        let mut reply = match (settled, &admitted.who) {
            (Some((true, ending)), Ok(who)) => {
                let truth = self.execute_and_show(now, admitted, request, who, style);
                self.terminate(now, ending, admitted, request, style, Some(truth))
            }
            (Some((_, ending)), _) => self.terminate(now, ending, admitted, request, style, None),
            (None, Ok(who)) => Reply::Response(self.execute_and_show(now, admitted, request, who, style)),
            (None, Err(_)) if admitted.route.is_oauth() => {
                let rejected = self.tokens.grant(&self.settings, now, None, &request.body);
                Reply::Response(style.render(Ok(rejected), &[]))
            }
            (None, Err(why)) => Reply::Response(self.challenge(now, admitted, style, *why)),
        };
        if let (Reply::Response(response), Ok(_)) = (&mut reply, &admitted.who)
            && admitted.route.version == Version::V2
            && !admitted.route.is_oauth()
        {
            self.rate_limits.add_headers(now, &admitted.route.project, response);
        }
        if let Some(entry) = self.journal.get_mut(admitted.seq) {
            entry.delivery = Some(match &reply {
                Reply::Response(response) if !response.cut_in_body => Delivery::Status(response.status),
                Reply::Response(_) | Reply::Cut => Delivery::Cut,
                Reply::Hang => Delivery::Hung,
            });
        }
        reply
    }

    fn terminate(
        &mut self,
        now: Duration,
        ending: &Termination,
        admitted: &Admitted,
        request: &IncomingRequest,
        style: Style,
        truth: Option<HttpResponse>,
    ) -> Reply {
        let why = match ending {
            Termination::StaleNonce => Some(Unauthenticated::Stale),
            Termination::Unauthenticated => Some(Unauthenticated::WrongKey),
            _ => None,
        };
        if let Some(why) = why {
            self.nonces.forget(request.authorization.as_deref().unwrap_or_default());
            return Reply::Response(self.challenge(now, admitted, style, why));
        }
        termination::reply(ending, &admitted.route, &request.path, style, truth, &admitted.malformations())
    }

    fn challenge(
        &mut self,
        now: Duration,
        admitted: &Admitted,
        style: Style,
        why: Unauthenticated,
    ) -> HttpResponse {
        if let Some(entry) = self.journal.get_mut(admitted.seq) {
            entry.challenged = Some(why);
        }
        let is_stale = why == Unauthenticated::Stale;
        let (lines, cookie) = self.nonces.challenges(&self.settings.digest, now, admitted.gateway, is_stale);
        challenge(style, lines, cookie)
    }

    /// Takes every step that Atlas has taken by itself, everywhere.
    pub(crate) fn advance(&mut self, now: Duration) {
        for instance in self.instances.values_mut() {
            instance.advance(now, &self.settings.pace);
        }
        self.dedicated.advance(now, &self.settings.dedicated);
    }

    /// Returns every timeline, up to date, instance by instance in the order of creation.
    pub(crate) fn timelines(&mut self, now: Duration) -> impl Iterator<Item = &Timeline> {
        self.advance(now);
        self.instances.values().flat_map(|instance| &instance.timelines)
    }

    /// Returns the timeline of the endpoint with this id, up to date.
    pub(crate) fn timeline_mut(&mut self, now: Duration, id: &str) -> Option<&mut Timeline> {
        self.advance(now);
        self.instances
            .values_mut()
            .flat_map(|instance| &mut instance.timelines)
            .find(|timeline| timeline.id == id)
    }

    /// Replaces an endpoint out of band, or removes it; `false` if there is none with this id.
    pub(crate) fn edit(
        &mut self,
        now: Duration,
        id: &str,
        edit: impl FnOnce(Endpoint) -> Option<Endpoint>,
    ) -> bool {
        let Some(timeline) = self.timeline_mut(now, id) else { return false };
        let Some(endpoint) = timeline.now().cloned() else { return false };
        timeline.change(now, ChangeCause::OutOfBand, edit(endpoint));
        true
    }

    /// Inserts an endpoint out of band.
    pub(crate) fn insert(&mut self, now: Duration, project: &str, instance: &str, endpoint: Endpoint) {
        let timeline = Timeline::begin(project, instance, endpoint, ChangeCause::OutOfBand, now);
        self.instances.entry((project.to_owned(), instance.to_owned())).or_default().timelines.push(timeline);
    }

    /// Replaces the settings. The time until now passed under the old ones; with an instance its endpoints are deleted.
    pub(crate) fn configure(&mut self, now: Duration, settings: Settings) {
        self.advance(now);
        if self.settings.dedicated.others != settings.dedicated.others {
            self.dedicated.restart_rhythm(now);
        }
        self.settings = settings;
        let projects = &self.settings.projects;
        let exists = |name: &str| self.settings.open || projects.contains_key(name);
        self.dedicated.retain_projects(now, exists);
        for ((project, name), instance) in &mut self.instances {
            if self.settings.open || projects.get(project).is_some_and(|all| all.contains_key(name)) {
                continue;
            }
            for timeline in instance.timelines.iter_mut().filter(|timeline| timeline.now().is_some()) {
                timeline.change(now, ChangeCause::OutOfBand, None);
            }
        }
    }

    /// Drops all that happened, late executions too; settings stay, and the journal's numbers continue.
    pub(crate) fn forget(&mut self) {
        let settings = std::mem::take(&mut self.settings);
        let mut journal = std::mem::take(&mut self.journal);
        journal.clear();
        *self = Self { settings, forgotten: journal.last(), journal, ..Self::default() };
    }
}
