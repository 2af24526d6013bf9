//! Whose mark is whose: the living objects that this process watches, by token.
//!
//! Never names an object to one of another namespace.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::observed::Owner;
use domain::ownership::Token;

/// The objects.
pub(super) struct Owners(Mutex<Known>);

struct Known {
    /// Each as namespace and name.
    objects: HashMap<Token, (Box<str>, Box<str>)>,
    /// How many watches have not listed all of theirs yet.
    unlisted: usize,
}

impl Owners {
    /// Of the objects of this many watches.
    pub(super) fn new(watches: usize) -> Self {
        Self(Mutex::new(Known { objects: HashMap::new(), unlisted: watches }))
    }

    /// There is such an object.
    pub(super) fn appeared(&self, token: Token, namespace: &str, name: &str) {
        self.known().objects.entry(token).or_insert_with(|| (namespace.into(), name.into()));
    }

    /// It is gone.
    pub(super) fn gone(&self, token: &Token) {
        self.known().objects.remove(token);
    }

    /// A watch has listed all of its objects.
    pub(super) fn listed(&self) {
        let mut known = self.known();
        known.unlisted = known.unlisted.saturating_sub(1);
    }

    /// Whose token it is, for an object of `namespace`; `None` while that cannot be known.
    pub(super) fn of(&self, token: &Token, namespace: &str) -> Option<Owner> {
        let known = self.known();
        match known.objects.get(token) {
            Some((place, name)) if **place == *namespace => Some(Owner::Neighbor(name.to_string())),
            Some(_) => Some(Owner::Elsewhere),
            None => (known.unlisted == 0).then_some(Owner::Nobody),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while the lock was held left at worst one object that is not entered, or no longer.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(namespace: &str, name: &str) -> Token {
        Token::of(&"test".parse().unwrap(), namespace, name)
    }

    #[test]
    fn a_neighbor_is_called_by_its_name_and_nobody_else_is() {
        let owners = Owners::new(0);
        let orders = token("shop", "orders");
        owners.appeared(orders.clone(), "shop", "orders");
        assert_eq!(owners.of(&orders, "shop"), Some(Owner::Neighbor("orders".to_owned())));
        assert_eq!(owners.of(&orders, "other"), Some(Owner::Elsewhere));
        owners.gone(&orders);
        assert_eq!(owners.of(&orders, "other"), Some(Owner::Nobody));
    }

    #[test]
    fn nobody_is_the_owner_only_once_every_watch_has_listed() {
        let owners = Owners::new(2);
        let orders = token("shop", "orders");
        assert_eq!(owners.of(&orders, "other"), None);
        owners.listed();
        assert_eq!(owners.of(&orders, "other"), None);
        owners.listed();
        assert_eq!(owners.of(&orders, "other"), Some(Owner::Nobody));
    }
}
