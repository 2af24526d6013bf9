//! In front of a real API server: clients, watches and rejections work as without the proxy, and watches end on
//! request.

use std::pin::pin;
use std::sync::Arc;

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use testbed::{Action, Exchange, Proxy, Recording, control_plane};
use tokio::time::timeout;

use crate::fixture::{BRIEFLY, PATIENCE};

struct KubernetesFixture {
    recording: Arc<Recording>,
    proxy: Proxy,
    maps: Api<ConfigMap>,
}

impl KubernetesFixture {
    /// Returns a client as a program has it: by the proxy's kubeconfig file.
    async fn new(name: &str) -> Self {
        let cluster = control_plane().await.unwrap();
        let namespace = cluster.create_namespace(name).await.unwrap();
        let recording = Arc::new(Recording::default());
        let proxy = Proxy::start(name, cluster.config().await.unwrap(), &recording).unwrap();
        let kubeconfig = Kubeconfig::read_from(proxy.kubeconfig_file().unwrap()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.unwrap();
        config.default_retry = false;
        config.proxy_url = None;
        let maps = Api::namespaced(kube::Client::try_from(config).unwrap(), &namespace);
        Self { recording, proxy, maps }
    }

    async fn create(&self, name: &str) -> Result<ConfigMap, kube::Error> {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        self.maps.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await
    }
}

type NextEvent = Result<Option<WatchEvent<ConfigMap>>, kube::Error>;

/// Returns the next event that names an object or an error; `None` at the end of the watch.
async fn next(
    watch: &mut (impl Stream<Item = Result<WatchEvent<ConfigMap>, kube::Error>> + Unpin),
) -> NextEvent {
    loop {
        match timeout(PATIENCE, watch.try_next()).await.expect("neither an event nor an end")? {
            Some(WatchEvent::Bookmark(_)) => {}
            event => return Ok(event),
        }
    }
}

fn is_added(event: Option<WatchEvent<ConfigMap>>, name: &str) -> bool {
    matches!(event, Some(WatchEvent::Added(map)) if map.metadata.name.as_deref() == Some(name))
}

#[tokio::test]
async fn a_client_works_through_the_proxy_and_is_recorded() {
    let fixture = KubernetesFixture::new("passes").await;
    fixture.create("one").await.unwrap();
    assert!(fixture.create("one").await.unwrap_err().to_string().contains("already exists"));
    assert_eq!(fixture.maps.list(&kube::api::ListParams::default()).await.unwrap().items.len(), 1);
    let statuses: Vec<_> =
        fixture.recording.exchanges().iter().map(|exchange| exchange.status.unwrap()).collect();
    assert_eq!(statuses, [201, 409, 200]);
}

#[tokio::test]
async fn a_refusal_is_understood_by_the_client() {
    let fixture = KubernetesFixture::new("refuses").await;
    fixture.recording.at_effect(1, Action::kubernetes(409, "Conflict"));
    match fixture.create("one").await.unwrap_err() {
        kube::Error::Api(status) => assert!(status.is_conflict(), "{status:?}"),
        other => panic!("{other}"),
    }
    fixture.create("one").await.unwrap();
}

#[tokio::test]
async fn watch_events_flow_and_a_closed_watch_ends_without_an_error() {
    let fixture = KubernetesFixture::new("closes").await;
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    fixture.create("one").await.unwrap();
    assert!(is_added(next(&mut watch).await.unwrap(), "one"));
    assert_eq!(fixture.recording.count(Exchange::is_watch), 1);
    fixture.proxy.close_watches();
    assert!(next(&mut watch).await.unwrap().is_none());
    // The next watch is not concerned.
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    assert!(is_added(next(&mut watch).await.unwrap(), "one"));
}

#[tokio::test]
async fn an_expired_watch_says_410_and_ends() {
    let fixture = KubernetesFixture::new("expires").await;
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    fixture.create("one").await.unwrap();
    assert!(is_added(next(&mut watch).await.unwrap(), "one"));
    fixture.proxy.expire_watches();
    match next(&mut watch).await.unwrap() {
        Some(WatchEvent::Error(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
        }
        other => panic!("{other:?}"),
    }
    assert!(next(&mut watch).await.unwrap().is_none());
}

#[tokio::test]
async fn watches_end_at_a_planned_request_the_one_among_them_that_it_begins() {
    let fixture = KubernetesFixture::new("ends").await;
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    fixture.recording.at_request(2, Action::CloseWatches);
    fixture.create("one").await.unwrap();
    // Events from before its end may still arrive.
    while next(&mut watch).await.unwrap().is_some() {}
    fixture.recording.at_request(3, Action::CloseWatches);
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    while next(&mut watch).await.unwrap().is_some() {}
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    assert!(is_added(next(&mut watch).await.unwrap(), "one"));
    fixture.recording.at_request(5, Action::ExpireWatches);
    fixture.create("two").await.unwrap();
    let last = loop {
        match next(&mut watch).await.unwrap() {
            Some(WatchEvent::Error(status)) => break status.code,
            Some(_) => {}
            None => panic!("it ended without a word"),
        }
    };
    assert_eq!(last, 410);
}

#[tokio::test]
async fn a_held_watch_is_late_but_loses_nothing() {
    let fixture = KubernetesFixture::new("holds").await;
    let mut watch = pin!(fixture.maps.watch(&WatchParams::default(), "0").await.unwrap());
    fixture.proxy.hold_watches(true);
    fixture.create("one").await.unwrap();
    let early = timeout(BRIEFLY, next(&mut watch)).await;
    assert!(early.is_err(), "{early:?}");
    fixture.proxy.hold_watches(false);
    assert!(is_added(next(&mut watch).await.unwrap(), "one"));
}
