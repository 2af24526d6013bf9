//! Decodes the fields of an object that the operator uses, and skips the rest of its JSON.
//!
//! Users who may write an object also control fields that the operator never reads: managed fields, labels, foreign annotations.
//! These may be nested deeper, dated later or be larger than a decoder accepts. They are skipped and never decoded, so that no
//! object can stop another from being read. No error of this file repeats a value of a Secret.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use domain::token::condensed;

use super::kind::Kind;

/// Maximum size of one annotation that is kept, in bytes: that of the largest claim. It names an endpoint by up to 512 bytes, each
/// encoded by up to three; its other parts have less than 350. Larger values would only use memory.
const MAX_ANNOTATION: usize = 2048;

/// Maximum size of all finalizers together, in bytes.
const MAX_FINALIZERS: usize = 4096;

/// Maximum length of the text that says why an object cannot be decoded, in bytes.
const MAX_REASON: usize = 256;

/// An object that cannot be decoded: its identifying metadata, and why.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    /// Name, namespace, uid, resourceVersion and creation time, where present.
    pub(crate) metadata: ObjectMeta,
    pub(crate) why: String,
}

/// The used fields of a Secret. It has no `Debug`, so that no value can be logged.
pub(crate) struct Secret {
    pub(crate) resource_version: String,
    data: Data,
}

/// The used fields of a `ConfigMap`.
#[derive(Debug, Clone)]
pub(crate) struct ConfigMap {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    /// The uid of its controller owner.
    pub(crate) controller: Option<String>,
    pub(crate) data: BTreeMap<String, String>,
}

/// The top-level fields of an object, not decoded.
#[derive(Clone, Copy, Deserialize, Serialize, Default)]
struct Parts<'a> {
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    status: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing)]
    data: Option<&'a RawValue>,
}

/// The identifying metadata of an object. Only the API server writes these fields.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct IdentityFields {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<String>,
}

/// A page of a listing.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

impl Page<'_> {
    /// Returns the continue token of the next page, if there is one.
    fn next(&self) -> Option<String> {
        self.metadata.continue_.clone().filter(|next| !next.is_empty())
    }
}

#[derive(Deserialize)]
struct Finalizers {
    finalizers: Option<Vec<String>>,
}

/// The other used fields of an object's metadata.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadFields<A> {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finalizers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<A>,
}

/// Annotations that are not decoded.
type Annotations<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Data {
    public_api_key: Option<ByteString>,
    private_api_key: Option<ByteString>,
    client_id: Option<ByteString>,
    client_secret: Option<ByteString>,
}

#[derive(Deserialize)]
struct OwnerReferences {
    #[serde(rename = "ownerReferences")]
    owners: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
struct OwnerReference {
    uid: String,
    controller: Option<bool>,
}

/// Decodes one of our own objects.
///
/// # Errors
/// If the object cannot be decoded; the error holds its identifying metadata, where present.
pub(crate) fn object<K: Kind>(json: &str) -> Result<K, Box<Unreadable>> {
    let parts = parts(json);
    let names = names(&parts);
    whole(&parts, names.clone()).map_err(|why| unreadable(names, why))
}

/// Decodes one of our own objects. Returns with it its identifying metadata, and the JSON from which [`restored`] decodes the same
/// object again: without the fields that no decoder here reads.
///
/// # Errors
/// If the object cannot be decoded; the error holds its identifying metadata, where present.
pub(crate) fn stripped<K: Kind>(json: &str) -> Result<(K, ObjectMeta, String), Box<Unreadable>> {
    let parts = parts(json);
    let names = names(&parts);
    let decoded = fields::<K>(&parts).and_then(|fields| {
        let json = to_raw_value(&fields)
            .and_then(|fields| serde_json::to_string(&Parts { metadata: Some(&fields), data: None, ..parts }))
            .map_err(|error| error.to_string())?;
        Ok((decode_parts(&parts, names.clone(), fields)?, json))
    });
    match decoded {
        Ok((object, json)) => Ok((object, names, json)),
        Err(why) => Err(unreadable(names, why)),
    }
}

/// Decodes an object again, from what [`stripped`] returned.
pub(crate) fn restored<K: Kind>(names: ObjectMeta, json: &str) -> Option<K> {
    whole(&parts(json), names).ok()
}

fn unreadable(metadata: ObjectMeta, why: String) -> Box<Unreadable> {
    Box::new(Unreadable { metadata, why: cut(why) })
}

fn whole<K: Kind>(parts: &Parts<'_>, names: ObjectMeta) -> Result<K, String> {
    decode_parts(parts, names, fields::<K>(parts)?)
}

fn fields<K: Kind>(parts: &Parts<'_>) -> Result<ReadFields<BTreeMap<String, String>>, String> {
    let metadata = parts.metadata.ok_or("it has no metadata")?;
    let ReadFields { generation, deletion_timestamp, finalizers, annotations }: ReadFields<Annotations<'_>> =
        decode("metadata", metadata)?;
    let finalizers = finalizers.filter(|finalizers| !finalizers.is_empty());
    if finalizers.iter().flatten().map(String::len).sum::<usize>() > MAX_FINALIZERS {
        return Err(format!("metadata: the finalizers have more than {MAX_FINALIZERS} bytes"));
    }
    let annotations = annotations.map(self::annotations::<K>).transpose()?;
    Ok(ReadFields { generation, deletion_timestamp, finalizers, annotations })
}

fn decode_parts<K: Kind>(
    parts: &Parts<'_>,
    names: ObjectMeta,
    fields: ReadFields<BTreeMap<String, String>>,
) -> Result<K, String> {
    let spec = parts.spec.ok_or("it has no spec")?;
    // Only whether it is set matters to the rules; the time itself is used by metrics alone.
    let deleted = |text: String| Time(text.parse().unwrap_or(Timestamp::MAX));
    let metadata = ObjectMeta {
        generation: fields.generation,
        deletion_timestamp: fields.deletion_timestamp.map(deleted),
        finalizers: fields.finalizers,
        annotations: fields.annotations,
        ..names
    };
    let status = parts.status.map(|status| decode("status", status)).transpose()?;
    Ok(K::from_parts(metadata, decode("spec", spec)?, status))
}

/// Returns the annotations that the operator reads.
fn annotations<K: Kind>(all: Annotations<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut read = BTreeMap::new();
    for (key, json) in all.into_iter().filter(|(key, _)| K::ANNOTATIONS.contains(&key.as_str())) {
        let mut value: String = decode("metadata", json)?;
        if value.len() > MAX_ANNOTATION && key == K::CLAIM {
            // An attempt must not be lost because a user overwrote its claim with a long text.
            value = condensed(&value);
        }
        if value.len() > MAX_ANNOTATION {
            return Err(format!("metadata: the annotation {key} has more than {MAX_ANNOTATION} bytes"));
        }
        read.insert(key, value);
    }
    Ok(read)
}

/// Decodes the identifying metadata of an object; empty where the object has none.
pub(crate) fn named(json: &str) -> ObjectMeta {
    names(&parts(json))
}

/// Decodes a page of a listing: the identifying metadata of the objects with this finalizer, and the continue token of the next
/// page. Returns `None` if the page cannot be decoded.
pub(crate) fn with_finalizer(json: &str, finalizer: &str) -> Option<(Vec<ObjectMeta>, Option<String>)> {
    let page: Page<'_> = serde_json::from_str(json).ok()?;
    let has_ours = |parts: &&Parts<'_>| {
        let found =
            parts.metadata.and_then(|metadata| serde_json::from_str::<Finalizers>(metadata.get()).ok());
        found.and_then(|found| found.finalizers).is_some_and(|all| all.iter().any(|one| one == finalizer))
    };
    let parts: Vec<_> = page.items.iter().map(|item| parts(item.get())).collect();
    let found = parts.iter().filter(has_ours).map(names).collect();
    Some((found, page.next()))
}

/// Decodes a page of a listing: the objects that can be decoded, and the continue token of the next page. Returns `None` if the page
/// cannot be decoded.
pub(crate) fn page<K: Kind>(json: &str) -> Option<(Vec<K>, Option<String>)> {
    let page: Page<'_> = serde_json::from_str(json).ok()?;
    let objects = page.items.iter().filter_map(|item| object(item.get()).ok()).collect();
    Some((objects, page.next()))
}

/// Decodes a Secret. Returns `None` if it cannot be decoded.
pub(crate) fn secret(json: &str) -> Option<Secret> {
    let parts = parts(json);
    let data = parts.data.map_or(Ok(Data::default()), |data| serde_json::from_str(data.get()));
    Some(Secret { resource_version: names(&parts).resource_version?, data: data.ok()? })
}

/// Decodes a `ConfigMap`. Returns `None` if it cannot be decoded.
pub(crate) fn config_map(json: &str) -> Option<ConfigMap> {
    let parts = parts(json);
    let owners: OwnerReferences = serde_json::from_str(parts.metadata?.get()).ok()?;
    let controller = owners.owners.into_iter().flatten().find(|owner| owner.controller == Some(true));
    let ObjectMeta { uid: Some(uid), resource_version: Some(resource_version), .. } = names(&parts) else {
        return None;
    };
    let data = parts.data.map_or(Ok(BTreeMap::new()), |data| serde_json::from_str(data.get()));
    Some(ConfigMap { uid, resource_version, controller: controller.map(|owner| owner.uid), data: data.ok()? })
}

impl Secret {
    /// Returns the value of an entry, if it is one of the four that the operator reads.
    pub(crate) fn entry(&self, key: &str) -> Option<&[u8]> {
        let Data { public_api_key, private_api_key, client_id, client_secret } = &self.data;
        let value = match key {
            "publicApiKey" => public_api_key,
            "privateApiKey" => private_api_key,
            "clientId" => client_id,
            "clientSecret" => client_secret,
            _ => return None,
        };
        value.as_ref().map(|value| value.0.as_slice())
    }
}

fn parts(json: &str) -> Parts<'_> {
    serde_json::from_str(json).unwrap_or_default()
}

fn names(parts: &Parts<'_>) -> ObjectMeta {
    let names: Option<IdentityFields> =
        parts.metadata.and_then(|metadata| serde_json::from_str(metadata.get()).ok());
    let IdentityFields { name, namespace, uid, resource_version, creation_timestamp } =
        names.unwrap_or_default();
    let creation_timestamp = creation_timestamp.and_then(|text| text.parse().ok()).map(Time);
    ObjectMeta { name, namespace, uid, resource_version, creation_timestamp, ..ObjectMeta::default() }
}

fn decode<'a, T: Deserialize<'a>>(part: &str, json: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|error| {
        let text = error.to_string();
        // The position changes with each edit of the text before it.
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        format!("{part}: {what}")
    })
}

/// Cuts the text of an error, which may repeat a value of any length.
pub(crate) fn cut(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(MAX_REASON));
    why
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
