//! One serverless instance and the five operations on its endpoints, plus the instance itself with its connection
//! strings.
//!
//! Pure: time is a parameter, results are returned. Authentication, faults and HTTP are elsewhere.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    attributes::{attributes, is_vpc_endpoint_id, text},
    endpoint::{Deviation, Endpoint, Status},
    errors::{self, ErrorResponse},
    response::Success,
    settings::{Pace, Settings},
    timeline::{ChangeCause, Timeline},
    variants::{RequestPolicy, Variants},
};

/// The present and past endpoints of an instance, and how long the instance is busy.
#[derive(Debug, Default)]
pub(crate) struct InstanceState {
    pub(crate) timelines: Vec<Timeline>,
    busy_until: Duration,
}

/// The body of a PATCH.
struct EndpointPatch {
    vpc_endpoint_id: Option<String>,
    comment: Option<String>,
}

impl InstanceState {
    /// Takes every step that Atlas has taken by itself until `now`.
    pub(crate) fn advance(&mut self, now: Duration, pace: &Pace) {
        for timeline in &mut self.timelines {
            timeline.advance(now, pace);
        }
    }

    /// Returns the endpoints as they were at `time`, in the order of their creation.
    pub(crate) fn list(&self, time: Duration) -> Vec<Endpoint> {
        self.timelines.iter().filter_map(|timeline| timeline.at(time)).cloned().collect()
    }

    /// GET of one, as it was at `time`.
    pub(crate) fn get(
        &self,
        time: Duration,
        id: &str,
        variants: &Variants,
    ) -> Result<Success, ErrorResponse> {
        let found =
            self.timelines.iter().find(|timeline| timeline.id == id).and_then(|timeline| timeline.at(time));
        found.cloned().map(Success::Found).ok_or_else(|| gone(variants, id))
    }

    /// POST.
    pub(crate) fn create(
        &mut self,
        (project, instance): (&str, &str),
        now: Duration,
        settings: &Settings,
        body: &[u8],
        deviations: Vec<Deviation>,
    ) -> Result<Success, ErrorResponse> {
        let attributes = attributes(body, &["comment"])?;
        let endpoint = Endpoint::requested(comment(&attributes, &settings.variants)?);
        let mut timeline = Timeline::begin(project, instance, endpoint.clone(), ChangeCause::Created, now);
        timeline.deviations = deviations;
        self.timelines.push(timeline);
        Ok(Success::Created(endpoint))
    }

    /// PATCH.
    pub(crate) fn update(
        &mut self,
        now: Duration,
        settings: &Settings,
        id: &str,
        body: &[u8],
        deviations: Vec<Deviation>,
    ) -> Result<Success, ErrorResponse> {
        let variants = &settings.variants;
        let timeline = find(&mut self.timelines, id, variants)?;
        let attributes = attributes(body, &["cloudProviderEndpointId", "comment", "providerName"])?;
        match text(&attributes, "providerName")?.as_deref() {
            None => return Err(errors::missing_attribute("providerName")),
            Some("AWS") => {}
            Some("AZURE") => return Err(errors::invalid_attribute("providerName")),
            Some(_) => return Err(errors::invalid_enum_value("providerName")),
        }
        let vpc_endpoint_id = text(&attributes, "cloudProviderEndpointId")?;
        if vpc_endpoint_id.as_deref().is_some_and(|id| !is_vpc_endpoint_id(id)) {
            return Err(errors::invalid_attribute("cloudProviderEndpointId"));
        }
        let patch = EndpointPatch { vpc_endpoint_id, comment: comment(&attributes, variants)? };
        let Some(present) = timeline.now() else { return Err(gone(variants, id)) };
        let next = apply(present, patch, variants)?;
        if next.status == Status::Initiating && present.status != Status::Initiating {
            self.busy_until = now + settings.pace.updating;
        }
        timeline.deviations.extend(deviations);
        timeline.change(now, ChangeCause::Updated, Some(next.clone()));
        Ok(Success::Found(next))
    }

    /// DELETE.
    pub(crate) fn delete(
        &mut self,
        now: Duration,
        settings: &Settings,
        id: &str,
        deviations: Vec<Deviation>,
    ) -> Result<Success, ErrorResponse> {
        let variants = &settings.variants;
        let timeline = find(&mut self.timelines, id, variants)?;
        let Some(present) = timeline.now() else { return Err(gone(variants, id)) };
        match present.status {
            Status::Deleting => apply_policy(variants.delete_again, variants, id)?,
            Status::ReservationRequested => apply_policy(variants.delete_early, variants, id)?,
            _ => {}
        }
        let next = Endpoint { status: Status::Deleting, ..present.clone() };
        timeline.deviations.extend(deviations);
        timeline.change(now, ChangeCause::Deleted, Some(next));
        timeline.advance(now, &settings.pace);
        Ok(Success::Deleted)
    }

    /// Returns the instance with its connection strings: a private one for each `AVAILABLE` endpoint.
    pub(crate) fn describe(&self, (project, instance): (&str, &str), now: Duration, pace: &Pace) -> Value {
        let domain = format!("{}.mongodb.net", project.get(..5).unwrap_or_default());
        let connected = self.timelines.iter().enumerate().filter_map(|(number, timeline)| {
            let endpoint = timeline.now().filter(|endpoint| endpoint.status == Status::Available)?;
            (timeline.since() + pace.connection_string <= now).then(|| {
                json!({
                    "endpoints": [{"endpointId": endpoint.vpc_endpoint_id, "providerName": "AWS", "region": "US_EAST_1"}],
                    "srvConnectionString": format!("mongodb+srv://{instance}-pe-{number}.{domain}"),
                    "type": "MONGOS",
                })
            })
        });
        json!({
            "connectionStrings": {
                "privateEndpoint": connected.collect::<Vec<_>>(),
                "standardSrv": format!("mongodb+srv://{instance}.{domain}"),
            },
            "groupId": project,
            "links": [],
            "name": instance,
            "providerSettings": {
                "backingProviderName": "AWS",
                "providerName": "SERVERLESS",
                "regionName": "US_EAST_1",
            },
            "serverlessBackupOptions": {"serverlessContinuousBackupEnabled": true},
            "stateName": if now < self.busy_until { "UPDATING" } else { "IDLE" },
        })
    }
}

fn apply(present: &Endpoint, patch: EndpointPatch, variants: &Variants) -> Result<Endpoint, ErrorResponse> {
    let mut next = present.clone();
    let connects = match (&present.status, &patch.vpc_endpoint_id) {
        (Status::Deleting, _) => {
            apply_policy(variants.patch_deleting, variants, &present.id)?;
            false
        }
        (_, None) => false,
        (Status::Initiating | Status::Available, same) if *same == present.vpc_endpoint_id => false,
        (status, Some(_)) => {
            match status {
                Status::ReservationRequested => apply_policy(variants.patch_early, variants, &present.id)?,
                Status::Failed => apply_policy(variants.patch_failed, variants, &present.id)?,
                Status::Initiating | Status::Available => {
                    apply_policy(variants.patch_other, variants, &present.id)?;
                }
                _ => {}
            }
            true
        }
    };
    if connects {
        next.vpc_endpoint_id = patch.vpc_endpoint_id;
        next.error_message = None;
        next.status = Status::Initiating;
        next.service_name = next.service_name.or_else(|| Endpoint::reserved(None).service_name);
    }
    if patch.comment.is_some() {
        next.comment = patch.comment;
    }
    Ok(next)
}

fn apply_policy(policy: RequestPolicy, variants: &Variants, id: &str) -> Result<(), ErrorResponse> {
    policy.apply("cloudProviderEndpointId", gone(variants, id), errors::cannot_accept())
}

fn find<'a>(
    timelines: &'a mut [Timeline],
    id: &str,
    variants: &Variants,
) -> Result<&'a mut Timeline, ErrorResponse> {
    timelines.iter_mut().find(|timeline| timeline.id == id).ok_or_else(|| gone(variants, id))
}

fn gone(variants: &Variants, id: &str) -> ErrorResponse {
    errors::endpoint_not_found(variants.unknown_endpoint_status, id)
}

fn comment(attributes: &Map<String, Value>, variants: &Variants) -> Result<Option<String>, ErrorResponse> {
    let comment = text(attributes, "comment")?;
    let length = |text: &String| if variants.comment_in_bytes { text.len() } else { text.chars().count() };
    if comment.as_ref().is_some_and(|text| length(text) >= 80) {
        Err(errors::comment_too_long())
    } else {
        Ok(comment)
    }
}
