//! What the objects of both kinds name, as their watches show it: rivals, heirs and users of what one of them is about to change, and
//! the claims that this process has seen.
//!
//! Two objects may name one service or one endpoint, and Atlas cannot say whose it is. This index never decides: it says who else is
//! there. A claim that was seen stays until its request can no longer take effect, whatever becomes of its object.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::bounded_map::BoundedMap;
use crate::claim::Nonce;
use crate::instant::SinceBoot;
use crate::times::Times;
use crate::token::Token;

use super::claim::ClaimTarget;
use super::endpoint::CloudEndpointId;
use super::life::{Life, Sort};
use super::service::{ServiceId, ServiceKey};

/// How often the claims that no longer matter are dropped.
const PRUNE: Duration = Duration::from_mins(1);

/// How often it is looked whether the references of other objects are resolved.
const UNRESOLVED: Duration = Duration::from_secs(2);

/// The maximum number of objects that a message names.
const MAX_NAMED: usize = 5;

/// Names of an object in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// The endpoint service that an endpoint refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServiceName {
    /// By its natural key.
    Key(ServiceKey),
    /// By the object that declares it.
    Object(ObjectName),
}

/// What an object declares, as far as its spec alone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Declares {
    /// Nothing that can be read.
    Nothing,
    /// A service.
    Service(ServiceKey),
    /// An endpoint at a service; `None` until its reference is resolved.
    Endpoint(ServiceName, Option<CloudEndpointId>),
}

/// One object, as far as others depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectNames {
    /// Its names.
    pub object: ObjectName,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion, if that is a number: versions of one resource are ordered.
    pub version: Option<u64>,
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// It is being deleted.
    pub is_deleting: bool,
    /// It writes nothing to Atlas, so it rules over nothing.
    pub is_observing: bool,
    /// What its spec declares.
    pub declares: Declares,
    /// The lives that its status records.
    pub records: Vec<Life>,
    /// Its claim, if it is one of this name or cannot be read, and whether its status says that it is settled.
    pub claim: Option<(Nonce, Option<ClaimTarget>, bool)>,
    /// What it offers to endpoints, if it declares a service.
    pub offer: Option<Offer>,
}

/// What an object that declares a service offers to the endpoints that refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The key of the service.
    pub key: ServiceKey,
    /// The service that it has recorded.
    pub recorded: Option<ServiceId>,
    /// Endpoints can be registered at it.
    pub is_available: bool,
    /// The Secret with its credentials, in its own namespace; `None`: the operator's default.
    pub secret: Option<String>,
    /// The other namespaces that may refer to it; `*`: all.
    pub allowed_namespaces: Vec<String>,
}

impl Offer {
    /// Returns `true` if objects of `namespace` may refer to the service of `owner`.
    #[must_use]
    pub fn allows(&self, owner: &ObjectName, namespace: &str) -> bool {
        owner.namespace == namespace
            || self.allowed_namespaces.iter().any(|allowed| allowed == namespace || allowed == "*")
    }
}

/// By what an object is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum IndexKey {
    Service(ServiceKey),
    ServiceLife(ServiceId),
    Endpoint(CloudEndpointId),
    Object(ObjectName),
}

/// A claim that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SeenClaim {
    /// The uid of its object.
    uid: String,
    /// What it may write to; nothing if the claim cannot be read.
    writes: Option<IndexKey>,
    target: Option<ClaimTarget>,
    since: SinceBoot,
    /// The namespace of its object.
    namespace: String,
    /// The object had recorded something.
    has_records: bool,
}

/// The objects of one kind.
#[derive(Default)]
struct IndexedObjects {
    all: HashMap<Token, ObjectNames>,
    /// Those of them that no watch shows: they have left it, or only a list has shown them.
    unwatched: HashSet<Token>,
    by_key: HashMap<IndexKey, BTreeSet<Token>>,
    claims: BoundedMap<ClaimKey, SeenClaim>,
    claims_by_key: HashMap<IndexKey, BTreeSet<ClaimKey>>,
    claims_by_token: HashMap<Token, BTreeSet<ClaimKey>>,
}

/// By what a claim is found: anybody may write the nonce of another object onto his own.
type ClaimKey = (Token, Nonce);

/// The objects of both kinds.
#[derive(Default)]
pub struct Names {
    services: IndexedObjects,
    endpoints: IndexedObjects,
    /// The endpoint objects whose reference was resolved, to an id or to none, by token and uid.
    resolved: HashMap<Token, String>,
    /// The uids of the objects that were removed not long ago.
    removed: HashMap<String, SinceBoot>,
    pruned: SinceBoot,
}

/// Other objects that name the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rivalry {
    /// An older object that names it, described, and whether that is being deleted.
    pub older: Option<(String, bool)>,
    /// How long a request that another object has claimed may still take effect, or when to look whether another object, whose reference
    /// is not resolved yet, names it.
    pub busy: Option<Duration>,
    /// A living object whose spec names it, described.
    pub heir: Option<String>,
}

/// A claim of this object that was seen, its current one or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAttempt {
    /// Its nonce.
    pub nonce: Nonce,
    /// What it is to do, if that can be read.
    pub target: Option<ClaimTarget>,
    /// When this process saw it first.
    pub since: SinceBoot,
    /// It was claimed for this object, and not for an earlier one of its name.
    pub is_own: bool,
}

/// What other objects contribute to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Others {
    /// Others that name what the spec declares.
    pub declared: Rivalry,
    /// Others that name what is recorded.
    pub recorded: Vec<(Life, Rivalry)>,
    /// Objects that use the service, described.
    pub users: Vec<String>,
    /// The claims of this name that were seen.
    pub attempts: Vec<SeenAttempt>,
    /// The watch shows the object as it was read, with this uid and in this version.
    pub is_current: bool,
    /// The version that the watch shows, if that is a number.
    pub version: Option<u64>,
    /// The watch shows this claim on it.
    pub claim: Option<Nonce>,
    /// The watch shows that it is being deleted.
    pub is_deleting: bool,
}

impl ObjectNames {
    /// Returns the keys by which others find the object.
    fn keys(&self) -> Vec<IndexKey> {
        let mut keys = Vec::new();
        match &self.declares {
            Declares::Nothing => {}
            Declares::Service(key) => {
                keys.extend([IndexKey::Service(key.clone()), IndexKey::Object(self.object.clone())]);
            }
            Declares::Endpoint(service, id) => {
                keys.push(match service {
                    ServiceName::Key(key) => IndexKey::Service(key.clone()),
                    ServiceName::Object(object) => IndexKey::Object(object.clone()),
                });
                keys.extend(id.clone().map(IndexKey::Endpoint));
            }
        }
        for life in self.records.iter().chain(self.open_target().and_then(ClaimTarget::life)) {
            keys.push(IndexKey::ServiceLife(life.service.clone()));
            keys.extend(life.endpoint.clone().map(IndexKey::Endpoint));
        }
        keys
    }

    fn open_target(&self) -> Option<&ClaimTarget> {
        self.claim.as_ref().filter(|(.., settled)| !settled).and_then(|(_, target, _)| target.as_ref())
    }

    /// Returns what a claim with this target may write to.
    fn writes(&self, target: Option<&ClaimTarget>) -> Option<IndexKey> {
        match (&self.declares, target?.life().and_then(|life| life.endpoint.clone())) {
            (_, Some(endpoint)) => Some(IndexKey::Endpoint(endpoint)),
            (Declares::Service(key), None) => Some(IndexKey::Service(key.clone())),
            _ => None,
        }
    }

    fn described(&self, sort: Sort) -> String {
        let kind = match sort {
            Sort::Service => "PrivateEndpointService",
            Sort::Endpoint => "PrivateEndpoint",
        };
        let ObjectName { namespace, name } = &self.object;
        format!("{kind} {namespace}/{name}")
    }

    /// Returns the age, by which the older of two is found.
    fn age(&self) -> (i64, &str) {
        (self.created, &self.uid)
    }

    /// Returns `true` if this object counts for an `other` one that names the same: it is in the same namespace, or has recorded something,
    /// for which its credentials had to work. Anybody may name what belongs to others.
    fn counts_for(&self, other: &Self) -> bool {
        self.object.namespace == other.object.namespace || !self.records.is_empty()
    }

    fn records(&self, life: &Life) -> bool {
        self.records.contains(life) || self.open_target().and_then(ClaimTarget::life) == Some(life)
    }
}

impl IndexedObjects {
    fn insert(&mut self, token: &Token, names: ObjectNames, now: SinceBoot) -> bool {
        if let Some(known) = self.all.get(token)
            && known.uid == names.uid
            && known.version.zip(names.version).is_some_and(|(known, new)| new < known)
        {
            return false;
        }
        self.unlink(token);
        if let Some((nonce, target, settled)) = &names.claim {
            let key = (token.clone(), nonce.clone());
            if *settled {
                self.drop_claim(&key);
            } else if self.claims.get(&key).is_none() {
                let writes = names.writes(target.as_ref());
                let seen = SeenClaim {
                    uid: names.uid.clone(),
                    writes,
                    target: target.clone(),
                    since: now,
                    namespace: names.object.namespace.clone(),
                    has_records: !names.records.is_empty(),
                };
                self.keep_claim(&key, seen);
            }
        }
        for key in names.keys() {
            self.by_key.entry(key).or_default().insert(token.clone());
        }
        self.all.insert(token.clone(), names);
        true
    }

    /// Removes an object from the index, its claims excepted.
    fn unlink(&mut self, token: &Token) -> Option<ObjectNames> {
        let names = self.all.remove(token)?;
        for key in names.keys() {
            remove_from(&mut self.by_key, &key, token);
        }
        Some(names)
    }

    /// Removes an object that is gone, its claims excepted. Returns its uid.
    fn remove(&mut self, token: &Token) -> Option<String> {
        self.unwatched.remove(token);
        Some(self.unlink(token)?.uid)
    }

    fn keep_claim(&mut self, claim: &ClaimKey, seen: SeenClaim) {
        if let Some(key) = &seen.writes {
            self.claims_by_key.entry(key.clone()).or_default().insert(claim.clone());
        }
        self.claims_by_token.entry(claim.0.clone()).or_default().insert(claim.clone());
        // A namespace with more open claims than that loses the oldest of its own.
        let namespace = seen.namespace.clone();
        self.claims.insert(&namespace, claim.clone(), seen);
    }

    fn drop_claim(&mut self, claim: &ClaimKey) {
        let Some(SeenClaim { writes, .. }) = self.claims.remove(claim) else { return };
        remove_from(&mut self.claims_by_token, &claim.0, claim);
        if let Some(key) = writes {
            remove_from(&mut self.claims_by_key, &key, claim);
        }
    }

    /// Drops the claims that can no longer take effect, but for those that objects carry.
    fn prune(&mut self, times: &Times, now: SinceBoot) {
        let Self { all, claims, claims_by_key, claims_by_token, .. } = self;
        let is_carried = |(token, nonce): &ClaimKey| {
            let carried = all.get(token).and_then(|names| names.claim.as_ref());
            carried.is_some_and(|(carried, ..)| carried == nonce)
        };
        let is_over = |claim: &ClaimKey, since: SinceBoot| {
            now.saturating_sub(since) >= times.uncertainty && !is_carried(claim)
        };
        let all_seen = claims_by_token.values().flatten();
        let over: Vec<_> = all_seen
            .filter(|claim| claims.get(claim).is_none_or(|seen| is_over(claim, seen.since)))
            .cloned()
            .collect();
        for claim in over {
            claims.remove(&claim);
            for known in claims_by_key.values_mut().chain(claims_by_token.values_mut()) {
                known.remove(&claim);
            }
        }
        claims_by_key.retain(|_, known| !known.is_empty());
        claims_by_token.retain(|_, known| !known.is_empty());
    }

    fn found(&self, key: &IndexKey) -> impl Iterator<Item = (&Token, &ObjectNames)> {
        let tokens = self.by_key.get(key).into_iter().flatten();
        tokens.filter_map(|token| self.all.get_key_value(token))
    }

    /// Returns how long a claim of another object on this key may still take effect.
    fn busy(
        &self,
        key: &IndexKey,
        (token, own): (&Token, &ObjectNames),
        (times, now): (&Times, SinceBoot),
    ) -> Option<Duration> {
        let claims = self.claims_by_key.get(key).into_iter().flatten();
        let seen = claims.filter(|(of, _)| of != token).filter_map(|claim| self.claims.get(claim));
        let others = seen.filter(|seen| seen.has_records || seen.namespace == own.object.namespace);
        let remaining = others.map(|seen| times.uncertainty.saturating_sub(now.saturating_sub(seen.since)));
        remaining.max().filter(|remaining| !remaining.is_zero())
    }
}

fn remove_from<K: Eq + std::hash::Hash, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = map.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            map.remove(key);
        }
    }
}

/// Describes the objects that were found; beyond a few, only their number.
fn described<'a>(found: impl Iterator<Item = &'a ObjectNames>, sort: Sort) -> Vec<String> {
    let all: BTreeSet<_> = found.map(|names| names.described(sort)).collect();
    let more = all.len().saturating_sub(MAX_NAMED);
    let mut texts: Vec<_> = all.into_iter().take(MAX_NAMED).collect();
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    texts
}

impl Names {
    fn of(&self, sort: Sort) -> &IndexedObjects {
        match sort {
            Sort::Service => &self.services,
            Sort::Endpoint => &self.endpoints,
        }
    }

    fn of_mut(&mut self, sort: Sort) -> &mut IndexedObjects {
        match sort {
            Sort::Service => &mut self.services,
            Sort::Endpoint => &mut self.endpoints,
        }
    }

    /// Records an object as its watch shows it, unless a newer version of it is known. An id that was declared from a resolved reference
    /// stays until another is.
    pub fn record(&mut self, sort: Sort, token: &Token, names: ObjectNames, now: SinceBoot) -> bool {
        self.of_mut(sort).unwatched.remove(token);
        self.insert(sort, token, names, now)
    }

    fn insert(&mut self, sort: Sort, token: &Token, mut names: ObjectNames, now: SinceBoot) -> bool {
        let objects = self.of_mut(sort);
        if let (Declares::Endpoint(_, id @ None), Some(known)) = (&mut names.declares, objects.all.get(token))
            && let Declares::Endpoint(_, resolved) = &known.declares
            && known.uid == names.uid
        {
            id.clone_from(resolved);
        }
        objects.insert(token, names, now)
    }

    /// Records an object as a read or a list shows it, as [`Names::record`]. One that was shown to be gone while the list travelled stays
    /// gone.
    pub fn record_listed(&mut self, sort: Sort, token: &Token, names: ObjectNames, now: SinceBoot) -> bool {
        if self.removed.contains_key(&names.uid) {
            return false;
        }
        let objects = self.of_mut(sort);
        if !objects.all.contains_key(token) {
            objects.unwatched.insert(token.clone());
        }
        self.insert(sort, token, names, now)
    }

    /// Records that an object has left its watch, and may still exist: it names what it names until it is known to be gone.
    pub fn left(&mut self, sort: Sort, token: &Token) {
        let objects = self.of_mut(sort);
        if objects.all.contains_key(token) {
            objects.unwatched.insert(token.clone());
        }
    }

    /// Returns the objects that no watch shows, so that nothing but a read shows their end.
    #[must_use]
    pub fn unwatched(&self, sort: Sort) -> Vec<ObjectName> {
        let objects = self.of(sort);
        objects.unwatched.iter().filter_map(|token| Some(objects.all.get(token)?.object.clone())).collect()
    }

    /// Returns those of [`Names::unwatched`] that name what an object names that a watch shows: its decisions may depend on them.
    #[must_use]
    pub fn followed(&self, sort: Sort) -> Vec<ObjectName> {
        let objects = self.of(sort);
        let names = objects.unwatched.iter().filter_map(|token| objects.all.get(token));
        let matters = |names: &&ObjectNames| {
            let keys = names.keys();
            let mut both = [&self.services, &self.endpoints].into_iter();
            both.any(|others| {
                let mut found = keys.iter().flat_map(|key| others.found(key));
                found.any(|(token, _)| !others.unwatched.contains(token))
            })
        };
        names.filter(matters).map(|names| names.object.clone()).collect()
    }

    /// Records the id that the reference of an endpoint resolves to; `None` if it leads nowhere.
    pub fn resolved(&mut self, token: &Token, resolved: Option<&CloudEndpointId>, now: SinceBoot) {
        let Some(mut names) = self.endpoints.all.get(token).cloned() else { return };
        self.resolved.insert(token.clone(), names.uid.clone());
        if let Declares::Endpoint(_, id) = &mut names.declares
            && id.as_ref() != resolved
        {
            *id = resolved.cloned();
            self.endpoints.insert(token, names, now);
        }
    }

    /// Removes an object that is gone; what it has claimed stays. Returns the objects that were waiting for it: see
    /// [`Names::affected`].
    pub fn remove(&mut self, sort: Sort, token: &Token, now: SinceBoot) -> Vec<(Sort, ObjectName)> {
        let affected = self.affected(sort, token);
        if sort == Sort::Endpoint {
            self.resolved.remove(token);
        }
        if let Some(uid) = self.of_mut(sort).remove(token) {
            self.removed.insert(uid, now);
        }
        affected
    }

    /// Removes the object with this uid as [`Names::remove`], unless a watch shows an object of its name.
    pub fn remove_unwatched(
        &mut self,
        sort: Sort,
        token: &Token,
        uid: &str,
        now: SinceBoot,
    ) -> Vec<(Sort, ObjectName)> {
        let objects = self.of(sort);
        let is_it = objects.all.get(token).is_some_and(|names| names.uid == uid);
        if is_it && objects.unwatched.contains(token) { self.remove(sort, token, now) } else { Vec::new() }
    }

    /// Drops the claims that no longer matter, once in a while.
    pub fn prune(&mut self, times: &Times, now: SinceBoot) {
        if now.saturating_sub(self.pruned) < PRUNE {
            return;
        }
        self.pruned = now;
        self.removed.retain(|_, at| now.saturating_sub(*at) < PRUNE);
        self.services.prune(times, now);
        self.endpoints.prune(times, now);
    }

    /// Returns the objects that record this service.
    #[must_use]
    pub fn recorders(&self, service: &ServiceId) -> Vec<ObjectName> {
        let key = IndexKey::ServiceLife(service.clone());
        let found = self.services.found(&key);
        found.map(|(_, names)| names.object.clone()).collect()
    }

    /// Returns an object.
    #[must_use]
    pub fn get(&self, sort: Sort, token: &Token) -> Option<&ObjectNames> {
        self.of(sort).all.get(token)
    }

    /// Returns the objects whose next decision may depend on a change of this one: the oldest of its rivals, the endpoints that refer to a
    /// service, and the service that an endpoint refers to.
    #[must_use]
    pub fn affected(&self, sort: Sort, token: &Token) -> Vec<(Sort, ObjectName)> {
        let Some(names) = self.of(sort).all.get(token) else { return Vec::new() };
        let mut found = Vec::new();
        let rivals = names.keys().into_iter().filter(|key| match key {
            IndexKey::Service(_) => sort == Sort::Service,
            IndexKey::Endpoint(_) => true,
            IndexKey::ServiceLife(_) | IndexKey::Object(_) => false,
        });
        for key in rivals {
            let others = self.of(sort).found(&key).filter(|(other, _)| *other != token);
            let oldest = others.min_by(|(_, one), (_, other)| one.age().cmp(&other.age()));
            found.extend(oldest.map(|(_, other)| (sort, other.object.clone())));
        }
        match (sort, &names.declares) {
            (Sort::Service, _) => {
                let key = IndexKey::Object(names.object.clone());
                let users = self.endpoints.found(&key);
                found.extend(users.map(|(_, user)| (Sort::Endpoint, user.object.clone())));
            }
            (Sort::Endpoint, Declares::Endpoint(ServiceName::Object(object), _)) => {
                found.push((Sort::Service, object.clone()));
            }
            (Sort::Endpoint, Declares::Endpoint(ServiceName::Key(key), _)) => {
                let key = IndexKey::Service(key.clone());
                let services = self.services.found(&key);
                found.extend(services.map(|(_, service)| (Sort::Service, service.object.clone())));
            }
            (Sort::Endpoint, _) => {}
        }
        found
    }

    /// Returns the key of the service that an endpoint of this namespace refers to, if it is allowed to.
    fn service_key(&self, names: &ObjectNames) -> Option<ServiceKey> {
        let Declares::Endpoint(service, _) = &names.declares else { return None };
        match service {
            ServiceName::Key(key) => Some(key.clone()),
            ServiceName::Object(object) => {
                let offer = self.offer(object)?;
                offer.allows(object, &names.object.namespace).then(|| offer.key.clone())
            }
        }
    }

    /// Returns what the object with this name offers.
    #[must_use]
    pub fn offer(&self, object: &ObjectName) -> Option<&Offer> {
        // An object that declares a service refers to none, so no other has its name here.
        let key = IndexKey::Object(object.clone());
        self.services.found(&key).find_map(|(_, names)| names.offer.as_ref())
    }

    /// Returns what other objects contribute to a decision about an object of this sort. `declared`: the endpoint that it declares, as
    /// far as it is resolved; `recorded`: the lives that it records.
    #[must_use]
    pub fn others(
        &self,
        sort: Sort,
        token: &Token,
        uid: &str,
        recorded: &[Life],
        (times, now): (&Times, SinceBoot),
    ) -> Others {
        let objects = self.of(sort);
        let own = objects.all.get(token).filter(|own| own.uid == uid);
        let claims = objects.claims_by_token.get(token).into_iter().flatten();
        let seen = claims.filter_map(|claim| Some((&claim.1, objects.claims.get(claim)?)));
        let attempts = seen.map(|(nonce, seen)| SeenAttempt {
            nonce: nonce.clone(),
            target: seen.target.clone(),
            since: seen.since,
            is_own: seen.uid == uid,
        });
        let attempts = attempts.collect();
        let Some(own) = own else { return Others { attempts, ..Others::default() } };
        Others {
            declared: self.declared_rivalry(sort, token, own, (times, now)),
            recorded: recorded
                .iter()
                .map(|life| (life.clone(), self.recorded_rivalry(sort, token, own, life, (times, now))))
                .collect(),
            users: if sort == Sort::Service { self.users(own) } else { Vec::new() },
            attempts,
            is_current: true,
            version: own.version,
            claim: own.claim.as_ref().map(|(nonce, ..)| nonce.clone()),
            is_deleting: own.is_deleting,
        }
    }

    /// Returns who else names what the object declares.
    fn declared_rivalry(
        &self,
        sort: Sort,
        token: &Token,
        own: &ObjectNames,
        (times, now): (&Times, SinceBoot),
    ) -> Rivalry {
        let key = match &own.declares {
            Declares::Service(key) => IndexKey::Service(key.clone()),
            Declares::Endpoint(_, Some(id)) => IndexKey::Endpoint(id.clone()),
            Declares::Nothing | Declares::Endpoint(_, None) => return Rivalry::default(),
        };
        let objects = self.of(sort);
        let is_rival = |other: &ObjectNames| match (&own.declares, &other.declares) {
            (Declares::Endpoint(_, id), Declares::Endpoint(_, theirs)) => {
                let (service, other_service) = (self.service_key(own), self.service_key(other));
                let declares = id == theirs && service.is_some() && service == other_service;
                let same = |life: &Life| life.endpoint == *id;
                declares || other.records.iter().any(same) && self.may_be_at_one_service(own, other)
            }
            _ => true,
        };
        let rivals = objects.found(&key).filter(|(other, names)| *other != token && is_rival(names));
        let older = rivals
            .map(|(_, names)| names)
            .filter(|names| names.counts_for(own) && !names.is_observing && names.age() < own.age())
            .min_by(|one, other| one.age().cmp(&other.age()));
        let older = older.map(|names| (names.described(sort), names.is_deleting));
        Rivalry { older, busy: objects.busy(&key, (token, own), (times, now)), heir: None }
    }

    /// Returns `true` unless both refer to services that are known to differ.
    fn may_be_at_one_service(&self, own: &ObjectNames, other: &ObjectNames) -> bool {
        match (self.service_key(own), self.service_key(other)) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        }
    }

    /// Returns who else names a life that the object records.
    fn recorded_rivalry(
        &self,
        sort: Sort,
        token: &Token,
        own: &ObjectNames,
        life: &Life,
        (times, now): (&Times, SinceBoot),
    ) -> Rivalry {
        let key = match (&life.endpoint, &own.declares) {
            (Some(endpoint), _) => IndexKey::Endpoint(endpoint.clone()),
            (None, Declares::Service(key)) => IndexKey::Service(key.clone()),
            (None, _) => IndexKey::ServiceLife(life.service.clone()),
        };
        let objects = self.of(sort);
        let declares = |other: &ObjectNames| match &other.declares {
            Declares::Endpoint(_, id) => *id == life.endpoint && self.may_be_at_one_service(own, other),
            Declares::Service(_) => true,
            Declares::Nothing => false,
        };
        let others = || objects.found(&key).filter(|(other, _)| *other != token).map(|(_, names)| names);
        let older = others()
            .filter(|names| names.counts_for(own) && (names.records(life) || declares(names)))
            .filter(|names| names.is_deleting && !names.is_observing && names.age() < own.age())
            .min_by(|one, other| one.age().cmp(&other.age()));
        // Whoever names it, nothing is deleted that a living object names.
        let heir = others().find(|names| !names.is_deleting && declares(names));
        Rivalry {
            older: older.map(|names| (names.described(sort), true)),
            busy: objects
                .busy(&key, (token, own), (times, now))
                .or_else(|| life.endpoint.as_ref().and_then(|_| self.unresolved(token, own))),
            heir: heir.map(|names| names.described(sort)),
        }
    }

    /// Returns when to look again, if a living object at the same service may name any endpoint: its reference was not resolved since it
    /// is known.
    fn unresolved(&self, token: &Token, own: &ObjectNames) -> Option<Duration> {
        let key = IndexKey::Service(self.service_key(own)?);
        let by_object =
            self.services.found(&key).map(|(_, service)| IndexKey::Object(service.object.clone()));
        let keys: Vec<_> = by_object.chain([key.clone()]).collect();
        let mut others = keys.iter().flat_map(|key| self.endpoints.found(key));
        let is_unresolved = |(other, names): (&Token, &ObjectNames)| {
            *other != *token
                && !names.is_deleting
                // No reference of those that no watch shows is resolved.
                && !self.endpoints.unwatched.contains(other)
                && matches!(names.declares, Declares::Endpoint(_, None))
                && self.resolved.get(other) != Some(&names.uid)
        };
        others.any(is_unresolved).then_some(UNRESOLVED)
    }

    /// Returns the endpoints that refer to the service of this object or name it.
    fn users(&self, own: &ObjectNames) -> Vec<String> {
        let mut keys = vec![IndexKey::Object(own.object.clone())];
        if let Declares::Service(key) = &own.declares {
            keys.push(IndexKey::Service(key.clone()));
        }
        keys.extend(own.records.iter().map(|life| IndexKey::ServiceLife(life.service.clone())));
        let users = keys.iter().flat_map(|key| self.endpoints.found(key)).map(|(_, names)| names);
        let allowed = |names: &&ObjectNames| match &names.declares {
            Declares::Endpoint(ServiceName::Object(object), _) if *object == own.object => {
                own.offer.as_ref().is_none_or(|offer| offer.allows(object, &names.object.namespace))
                    || names.counts_for(own)
            }
            _ => names.counts_for(own),
        };
        described(users.filter(allowed), Sort::Endpoint)
    }
}
