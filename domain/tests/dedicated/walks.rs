//! Random walks: two replicas, users and others do anything in any order, and the world panics at whatever breaks a property.

use std::time::Duration;

use domain::dedicated::life::Life;
use domain::dedicated::observed::Deletion;
use invariants::fixtures::Draw;

use crate::objects::{DeclaredSpec, KindAndName};
use crate::properties::bytes;
use crate::world::*;

/// How long a listing may lag.
const LAG: Duration = Duration::from_secs(95);

/// What happens in a walk.
#[derive(Debug, Clone, Copy, PartialEq)]
enum WalkKind {
    /// One object of each kind; others only remove. In the end nothing may be left.
    Clean,
    /// Two objects of each kind, wiped and copied status; others also create.
    Wild,
    /// Finalizers are removed by force, and no process restarts.
    Forced,
}

struct Walk<'a> {
    world: DedicatedWorld,
    kind: WalkKind,
    draw: Draw<'a>,
    running: Vec<ReconcileUnderWay>,
    frozen: Option<Duration>,
}

impl Walk<'_> {
    fn keys(&self) -> Vec<KindAndName> {
        match self.kind {
            WalkKind::Clean => vec![pes("s"), pe("e")],
            WalkKind::Wild | WalkKind::Forced => vec![pes("s"), pe("e"), pes("s2"), pe("e2")],
        }
    }

    fn key(&mut self) -> KindAndName {
        let keys = self.keys();
        self.draw.one_of(&keys)
    }

    fn pass(&mut self, seconds: u64) {
        if self.frozen.is_some_and(|since| self.world.now + Duration::from_secs(seconds) > since + LAG) {
            self.frozen = None;
            self.world.atlas.thaw();
        }
        self.world.land_late(seconds);
        self.world.sleep(seconds);
    }

    fn reconcile(&mut self) {
        let (replica, key) = (self.draw.one_of(&[A, B]), self.key());
        // A process reconciles an object once at a time.
        if self.running.iter().any(|running| running.is_of(replica, &key)) || !self.world.knows(replica, &key)
        {
            return;
        }
        self.world.fate = self.draw.one_of(&[
            RequestFate::Arrives,
            RequestFate::Arrives,
            RequestFate::ResponseLost,
            RequestFate::Travels,
        ]);
        let mut running = self.world.begin(replica, &key);
        self.world.fate = RequestFate::Arrives;
        let effects = self.draw.one_of(&[3, 8, 10, 12, 14, 16, 18, 20, 24, 200, 200, 200, 200]);
        if (0..effects).all(|_| self.world.step_late(&mut running)) {
            self.running.push(running);
        }
    }

    fn go_on(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let index = usize::from(self.draw.byte()) % self.running.len();
        let mut running = self.running.remove(index);
        match self.draw.byte() % 4 {
            0 => drop(running),
            1 => {
                if (0..4).all(|_| self.world.step_late(&mut running)) {
                    self.running.push(running);
                }
            }
            _ => self.world.finish_late(running),
        }
    }

    fn user(&mut self) {
        let key = self.key();
        let number = self.draw.one_of(&[1, 2]);
        let is_service = key.sort() == pes("s").sort();
        let output = self.draw.one_of(&["a", "a", "b"]);
        let spec = if is_service {
            DeclaredSpec { output: Some(output), ..service_spec() }
        } else {
            with_strings(endpoint_spec(number), output)
        };
        let action = self.draw.byte() % 11;
        let world = &mut self.world;
        let Some(object) = world.api.objects.get(&key).cloned() else {
            world.api.create(&key, spec);
            let deletion = match self.kind {
                WalkKind::Clean => Some(Deletion::Delete),
                _ => self.draw.one_of(&[None, None, Some(Deletion::Delete), Some(Deletion::Retain)]),
            };
            world.api.edit(&key, |object| object.spec.rules.deletion = deletion);
            return;
        };
        match action {
            0 | 1 => world.api.delete(&key),
            2 | 3 if !is_service => world.declare(&key, number),
            4 if self.kind == WalkKind::Wild => world.wipe_status(&key),
            5 if self.kind == WalkKind::Forced => world.api.delete_by_force(&key),
            6 if self.kind == WalkKind::Wild => {
                // A restore with the status of the other object.
                let other = KindAndName::new(key.sort(), "team-a", if is_service { "s2" } else { "e2" });
                if other != key && !world.api.objects.contains_key(&other) {
                    world.api.create(&other, object.spec.clone());
                    world.api.edit(&other, |copy| copy.status = object.status.clone());
                }
            }
            7 if self.kind != WalkKind::Clean => {
                let deletion = self.draw.one_of(&[None, Some(Deletion::Delete), Some(Deletion::Retain)]);
                world.api.edit(&key, |object| object.spec.rules.deletion = deletion);
            }
            8 => world.api.edit(&key, |object| object.spec.output = Some(output)),
            9 => world.api.edit(&key, |object| object.spec.output = None),
            10 => match world.api.maps.get("b") {
                Some(map) if map.owner.is_none() => drop(world.api.maps.remove("b")),
                Some(_) => {}
                None => world.api.create_foreign_map("b"),
            },
            _ => {}
        }
    }

    fn others(&mut self) {
        let creates = self.kind != WalkKind::Clean;
        let number = self.draw.one_of(&[1, 2]);
        let action = self.draw.byte() % 4;
        let Some(service) = self.world.atlas.service(&service_key()).cloned() else {
            if creates && action < 2 {
                self.world.atlas.create_by_hand(&service_key());
            }
            return;
        };
        let life = Life { service: service.id.clone(), endpoint: Some(cloud_id(number)) };
        match action {
            0 if service.endpoints.is_empty() => {
                self.world.atlas.remove_by_hand(&Life { endpoint: None, ..life });
            }
            1 => self.world.atlas.remove_by_hand(&life),
            2 if creates && self.world.atlas.endpoint(&life).is_none() => {
                self.world.atlas.register_by_hand(&life);
            }
            _ => {}
        }
    }

    fn step(&mut self) {
        let action = self.draw.byte() % 32;
        match action {
            0..=9 => self.reconcile(),
            10..=15 => self.go_on(),
            16..=18 => self.user(),
            19 => self.others(),
            20 if self.kind != WalkKind::Forced => {
                let replica = self.draw.one_of(&[A, B]);
                self.running.retain(|running| !running.is_in(replica));
                self.world.restart(replica);
            }
            21 => {
                let replica = self.draw.one_of(&[A, B]);
                self.world.replicas[replica].is_asleep ^= true;
            }
            22 if self.frozen.is_none() => {
                self.frozen = Some(self.world.now);
                self.world.atlas.freeze();
            }
            23 if !self.world.travelling.is_empty() => drop(self.world.land()),
            24..=26 => self.world.atlas.tick(),
            _ => {
                let pause = self.draw.one_of(&[1, 4, 11, 11, 30, 60, 130, 210]);
                self.pass(pause);
            }
        }
    }

    fn end(mut self) {
        for replica in &mut self.world.replicas {
            replica.is_asleep = false;
        }
        while let Some(running) = self.running.pop() {
            self.world.finish_late(running);
        }
        self.pass(100);
        self.world.come_to_rest_for(A, 2);
        for key in self.keys() {
            if self.world.api.objects.contains_key(&key) {
                self.world.api.delete(&key);
            }
        }
        self.world.come_to_rest_for(A, 2);
        if self.kind == WalkKind::Clean {
            assert!(self.world.api.objects.is_empty(), "{:?}", self.world.api.objects);
            self.world.assert_no_endpoint();
            self.world.assert_no_service();
        }
    }
}

fn walk(kind: WalkKind, seed: u64) {
    let drawn = bytes(seed, 800);
    let mut world = DedicatedWorld::new();
    (world.has_foreigners, world.has_two_leaders) = (true, true);
    let draw = Draw::from(&drawn);
    let mut walk = Walk { world, kind, draw, running: Vec::new(), frozen: None };
    for key in walk.keys().into_iter().take(2) {
        let spec = if key == pes("s") { service_spec() } else { with_strings(endpoint_spec(1), "a") };
        walk.world.api.create(&key, spec);
        if kind == WalkKind::Clean {
            walk.world.api.edit(&key, |object| object.spec.rules.deletion = Some(Deletion::Delete));
        }
    }
    while !walk.draw.is_empty() {
        walk.step();
    }
    walk.end();
}

fn walks(kind: WalkKind) {
    let number = std::env::var("WALKS").map_or(60, |number| number.parse().unwrap());
    for seed in 1..=number {
        let found = std::panic::catch_unwind(|| walk(kind, seed));
        assert!(found.is_ok(), "walk {seed} of {kind:?}");
    }
}

#[test]
fn nothing_breaks_and_nothing_is_left_of_one_object_of_each_kind() {
    walks(WalkKind::Clean);
}

#[test]
fn nothing_breaks_beside_rivals_and_others() {
    walks(WalkKind::Wild);
}

#[test]
fn nothing_breaks_when_finalizers_are_removed_by_force() {
    walks(WalkKind::Forced);
}
