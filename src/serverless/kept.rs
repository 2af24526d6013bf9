//! What the process keeps of an object of this kind, as the runtime takes it. The rules about it are in `domain::serverless`.

use domain::instant::SinceBoot;
use domain::schedule::Schedule;
use domain::serverless::kept::KeptState;
use domain::serverless::memory;
use domain::serverless::observed::Times;

use crate::runtime::states::{Inheritance, Kept};

impl Kept for KeptState {
    type Remains = memory::Remains;

    fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    fn remains(self, times: &Times, now: SinceBoot) -> Option<memory::Remains> {
        self.memory.remains(times, now)
    }

    fn inherit(&mut self, remains: memory::Remains) {
        self.memory.inherit(remains);
    }
}

impl Inheritance for memory::Remains {
    type Times = Times;

    fn is_over(&self, times: &Times, now: SinceBoot) -> bool {
        memory::Remains::is_over(self, times, now)
    }

    fn unnamed(&self, others: Option<&Self>) -> Self {
        others.map_or_else(|| memory::Remains::unnamed(self), |others| others.or(self))
    }
}
