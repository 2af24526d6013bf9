//! Runs several searches in parallel. Each has a thread of its own and is independent of the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// The maximum number of parallel searches: each takes one processor and up to a gigabyte.
const MAX_PARALLEL: usize = 2;

/// Searches all of `items`; the results are printed in their order.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    search: impl Fn(&T) -> R + Sync,
    mut show: impl FnMut(&T, R),
) {
    let next = AtomicUsize::new(0);
    let (send, found) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..MAX_PARALLEL {
            let (send, next, search) = (send.clone(), &next, &search);
            scope.spawn(move || {
                while let Some((n, item)) = take(items, next) {
                    // The printing thread waits for all of it.
                    let _ = send.send((n, search(item)));
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut left = items.iter().enumerate();
        let mut due = left.next();
        for (n, result) in found {
            waiting.insert(n, result);
            while let Some((item, result)) = due.and_then(|(n, item)| Some((item, waiting.remove(&n)?))) {
                show(item, result);
                due = left.next();
            }
        }
    });
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    Some((n, items.get(n)?))
}
