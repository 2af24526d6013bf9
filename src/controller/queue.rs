//! Which object is looked at next: the objects that wait, in lines, and those that are being looked at.
//!
//! Objects of one instance wait in one line, first come, first served; the lines of a project take turns, and so do
//! projects. A look may last as long as Atlas is silent, so each instance and each project has its own bound: neither an
//! instance nor a project that hangs holds up another, and ten thousand objects that are due at once are not all
//! in memory at once. There is a queue for each namespace that is watched alone. A queue knows neither time nor what a look is.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// The looks that may go on at once at the objects of one instance: as many as may call Atlas at once for its project.
const PER_INSTANCE: usize = 8;

/// The same for one project: that many calls, and as many again and more between two calls.
const PER_PROJECT: usize = 24;

/// The same in all, for each call to Atlas that may run at once: far more than a project that hangs can take.
const PER_CALL: usize = 4;

/// The line in which an object waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) project: String,
    pub(super) instance: String,
}

/// The queue. `K` names an object; `T` is kept while it waits.
#[derive(Debug)]
pub(super) struct Queue<K, T> {
    looks: HashMap<K, Look>,
    lines: HashMap<Arc<Place>, Line<K, T>>,
    projects: HashMap<String, Project>,
    /// Lines whose first object may be looked at. None stands here twice.
    open: VecDeque<Arc<Place>>,
    running: usize,
    most: usize,
}

#[derive(Debug)]
struct Look {
    place: Arc<Place>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running,
    /// Something happened since it began, so that it has to be looked at again.
    Overtaken,
}

#[derive(Debug)]
struct Line<K, T> {
    waiting: VecDeque<(K, T)>,
    running: usize,
    /// Stands among the open or the blocked lines.
    listed: bool,
}

#[derive(Debug, Default)]
struct Project {
    running: usize,
    /// Lines that only wait for the project's bound.
    blocked: VecDeque<Arc<Place>>,
}

impl<K: Clone + Eq + Hash, T> Queue<K, T> {
    /// A queue for so many calls to Atlas at once.
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            looks: HashMap::new(),
            lines: HashMap::new(),
            projects: HashMap::new(),
            open: VecDeque::new(),
            running: 0,
            most: concurrency.saturating_mul(PER_CALL),
        }
    }

    /// `key` has to be looked at. If it waits already that will do; if it is being looked at, it is looked at again.
    pub(super) fn offer(&mut self, key: &K, place: Place, ticket: impl FnOnce() -> T) {
        if let Some(look) = self.looks.get_mut(key) {
            if look.stage == Stage::Running {
                look.stage = Stage::Overtaken;
            }
            return;
        }
        let place = match self.lines.get_key_value(&place) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(place),
        };
        let line = self.lines.entry(Arc::clone(&place)).or_insert_with(|| Line {
            waiting: VecDeque::new(),
            running: 0,
            listed: false,
        });
        line.waiting.push_back((key.clone(), ticket()));
        self.list(&place);
        self.looks.insert(key.clone(), Look { place, stage: Stage::Waiting });
    }

    /// The object whose look begins now, if one may begin, and what was kept while it waited.
    pub(super) fn next(&mut self) -> Option<(K, T)> {
        while self.running < self.most {
            let place = self.open.pop_front()?;
            let project = self.projects.entry(place.project.clone()).or_default();
            if project.running >= PER_PROJECT {
                project.blocked.push_back(place);
                continue;
            }
            let Some(line) = self.lines.get_mut(&place) else { continue };
            line.listed = false;
            let Some((key, ticket)) = line.waiting.pop_front() else { continue };
            line.running += 1;
            project.running += 1;
            self.running += 1;
            self.list(&place);
            if let Some(look) = self.looks.get_mut(&key) {
                look.stage = Stage::Running;
            }
            return Some((key, ticket));
        }
        None
    }

    /// The look at `key` has ended. `true` if something happened since it began: then it is to be offered again.
    pub(super) fn ended(&mut self, key: &K) -> bool {
        let Some(Look { place, stage }) = self.looks.remove(key) else { return false };
        self.running -= 1;
        if let Some(project) = self.projects.get_mut(&place.project) {
            project.running -= 1;
            self.open.extend(project.blocked.pop_front());
            if project.running == 0 {
                self.open.extend(self.projects.remove(&place.project).into_iter().flat_map(|it| it.blocked));
            }
        }
        if let Some(line) = self.lines.get_mut(&place) {
            line.running -= 1;
            if line.running == 0 && line.waiting.is_empty() {
                self.lines.remove(&place);
            }
        }
        self.list(&place);
        stage == Stage::Overtaken
    }

    /// Puts a line among those that may go on, if it may.
    fn list(&mut self, place: &Arc<Place>) {
        if let Some(line) = self.lines.get_mut(place)
            && !line.listed
            && !line.waiting.is_empty()
            && line.running < PER_INSTANCE
        {
            line.listed = true;
            self.open.push_back(place.clone());
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
