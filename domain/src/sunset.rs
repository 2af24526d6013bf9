//! The announcements that Atlas will switch this API off, and which of them count.
//!
//! A gateway may add the headers to any response, so nothing ever follows from one response: an announcement counts for all
//! objects alike once two responses at least G apart have made it, until none has made it for a day. Not every server of Atlas
//! makes it, so a response without one ends nothing.

use std::time::Duration;

use crate::instant::SinceBoot;

/// How long an announcement counts after the last response that made it.
const ANNOUNCEMENT_TTL: Duration = Duration::from_hours(24);

/// The most announcements that are kept; the one that was made least recently is dropped first.
const MAX_ANNOUNCEMENTS: usize = 8;

/// The announcement by Atlas that it will switch this API off.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sunset {
    /// The day, as in `2026-01-15`, if Atlas names one.
    pub day: Option<String>,
    /// That day is past.
    pub is_over: bool,
    /// Two responses at least G apart have made the announcement. One alone changes nothing.
    pub is_confirmed: bool,
}

/// What the responses of a day have announced.
#[derive(Debug, Default)]
pub struct Announcements(Vec<Announcement>);

#[derive(Debug)]
struct Announcement {
    day: Option<String>,
    /// When the requests were sent whose responses made it first and last.
    first: SinceBoot,
    last: SinceBoot,
}

impl Announcements {
    /// Records that the response to a request that was sent at `sent` announces the end, for `day` if it names one.
    pub fn announced(&mut self, day: Option<&str>, sent: SinceBoot) {
        self.0.retain(|known| known.is_current(sent));
        if let Some(known) = self.0.iter_mut().find(|known| known.day.as_deref() == day) {
            known.last = known.last.max(sent);
            return;
        }
        self.0.push(Announcement { day: day.map(str::to_owned), first: sent, last: sent });
        if self.0.len() > MAX_ANNOUNCEMENTS {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, known)| known.last);
            if let Some((at, _)) = oldest {
                self.0.remove(at);
            }
        }
    }

    /// Returns the announcement that counts at `now`: the one of the latest day among those made twice at least `confirm_gap` apart,
    /// so that a gateway with an earlier date has no effect; else one that is not confirmed.
    #[must_use]
    pub fn current(&self, confirm_gap: Duration, now: SinceBoot) -> Option<Sunset> {
        let current = || self.0.iter().filter(|known| known.is_current(now));
        let confirmed = current().filter(|known| known.last.saturating_sub(known.first) >= confirm_gap);
        match confirmed.max_by_key(|known| &known.day) {
            Some(known) => Some(Sunset { day: known.day.clone(), is_over: false, is_confirmed: true }),
            None => current().next().map(|_| Sunset { day: None, is_over: false, is_confirmed: false }),
        }
    }
}

impl Announcement {
    fn is_current(&self, now: SinceBoot) -> bool {
        now.saturating_sub(self.last) < ANNOUNCEMENT_TTL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: Duration = Duration::from_secs(10);

    /// Returns the day that counts at `now`; `Err` while an announcement is not confirmed.
    fn day(all: &Announcements, now: SinceBoot) -> Option<Result<Option<String>, ()>> {
        let sunset = all.current(G, now)?;
        Some(if sunset.is_confirmed { Ok(sunset.day) } else { Err(()) })
    }

    #[test]
    fn two_responses_a_gap_apart_confirm_an_announcement_for_a_day() {
        for named in [None, Some("2026-01-15")] {
            let mut all = Announcements::default();
            let begun = Duration::from_hours(1);
            assert_eq!(day(&all, begun), None);
            // Many objects receive one response, or several at once.
            for sent in [begun, begun, begun + Duration::from_millis(9_999)] {
                all.announced(named, sent);
                assert_eq!(day(&all, sent), Some(Err(())), "{sent:?}");
            }
            let last = begun + G;
            all.announced(named, last);
            assert_eq!(day(&all, last), Some(Ok(named.map(str::to_owned))));
            let end = last + ANNOUNCEMENT_TTL;
            assert!(day(&all, last + Duration::from_secs(86_399)).is_some_and(|day| day.is_ok()));
            assert_eq!(day(&all, end), None);
            all.announced(named, end);
            assert_eq!(day(&all, end), Some(Err(())), "a later one begins again");
        }
    }

    #[test]
    fn another_day_confirms_nothing_and_the_latest_confirmed_one_counts() {
        let mut all = Announcements::default();
        for (named, sent, expected) in [
            (Some("2026-01-15"), 0, Err(())),
            (Some("2020-01-01"), 10, Err(())),
            (None, 20, Err(())),
            (None, 30, Ok(None)),
            (Some("2020-01-01"), 40, Ok(Some("2020-01-01"))),
            (Some("2026-01-15"), 50, Ok(Some("2026-01-15"))),
            (Some("2020-01-01"), 60, Ok(Some("2026-01-15"))),
        ] {
            let sent = Duration::from_secs(sent);
            all.announced(named, sent);
            assert_eq!(day(&all, sent), Some(expected.map(|day| day.map(str::to_owned))), "{sent:?}");
        }
    }

    #[test]
    fn no_gateway_fills_the_memory() {
        let mut all = Announcements::default();
        for second in 0..100 {
            let sent = Duration::from_secs(second);
            all.announced(Some(&format!("day {second}")), sent);
            all.announced(Some("2026-01-15"), sent);
        }
        assert_eq!(all.0.len(), MAX_ANNOUNCEMENTS);
        assert_eq!(day(&all, Duration::from_secs(100)), Some(Ok(Some("2026-01-15".to_owned()))));
    }
}
