//! Values that many states share: each distinct one is kept once, and compared and hashed by its number.
//!
//! Nothing here knows what a value means, and none is ever dropped.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// A value of an `Interner`.
#[derive(Debug, Clone)]
pub struct Interned<T> {
    value: Arc<T>,
    number: u32,
}

impl<T> Interned<T> {
    /// Returns its number: each value has another.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl<T> Deref for Interned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Interned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Interned<T> {}

impl<T> Hash for Interned<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.number.hash(hasher);
    }
}

/// All distinct values of a type, in the order in which they appeared.
#[derive(Debug)]
pub(crate) struct Interner<T>(Mutex<HashMap<Arc<T>, u32>>);

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// Returns the value as it is shared.
    pub(crate) fn intern(&self, value: T) -> Interned<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, number)) = known.get_key_value(&value) {
            return Interned { value: Arc::clone(value), number: *number };
        }
        let (value, number) = (Arc::new(value), u32::try_from(known.len()).unwrap_or(u32::MAX));
        known.insert(Arc::clone(&value), number);
        Interned { value, number }
    }
}
