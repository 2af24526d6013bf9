//! Tests responses that never start or never end, and listings that always fail.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use http_body_util::Full;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, WatchParams};

use super::*;
use crate::runtime::watch_health::WatchHealth;

/// How an API server responds to the request of this number, from 0.
type Responses = fn(usize) -> Option<Response<UnsyncBoxBody<Bytes, Infallible>>>;

/// Returns a client that reaches it, and the number of requests.
fn client(responses: Responses) -> (Client, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let server = tower::service_fn(move |_: Request<Body>| {
        let response = responses(counted.fetch_add(1, Ordering::SeqCst));
        async move {
            match response {
                Some(response) => Ok::<_, BoxError>(response),
                None => std::future::pending().await,
            }
        }
    });
    (Client::new(server, "shop"), count)
}

fn whole(status: u16, text: &'static str) -> Option<Response<UnsyncBoxBody<Bytes, Infallible>>> {
    Response::builder().status(status).body(Full::from(text).boxed_unsync()).ok()
}

/// A body that starts with this text and never ends.
fn endless(text: &'static str) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let begun = stream::iter([Ok(Frame::data(Bytes::from_static(text.as_bytes())))]);
    Response::new(StreamBody::new(begun.chain(stream::pending())).boxed_unsync())
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::all(bounded(client, WatchReporter::default(), Pages::Own))
}

#[tokio::test(start_paused = true)]
async fn a_response_that_never_starts_times_out_after_half_a_minute() {
    let (client, _) = client(|_| None);
    let begun = Instant::now();
    assert!(maps(&client).list(&ListParams::default()).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
    assert!(maps(&client).watch(&WatchParams::default(), "0").await.is_err());
    assert!(begun.elapsed() < 2 * HEAD_TIMEOUT + MIN_OPEN_INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_never_ends_times_out_and_blocks_no_other() {
    let (client, _) =
        client(|number| if number == 0 { Some(endless("{")) } else { whole(200, "{\"items\":[]}") });
    let begun = Instant::now();
    assert!(maps(&client).list(&ListParams::default()).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), BODY_TIMEOUT.as_secs());
    maps(&client).list(&ListParams::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_page_of_a_referenced_kind_does_not_delay_our_own() {
    let (client, _) =
        client(|number| if number == 0 { Some(endless("{")) } else { whole(200, "{\"items\":[]}") });
    let referenced: Api<ConfigMap> = Api::all(bounded(&client, WatchReporter::default(), Pages::Referenced));
    let parameters = ListParams::default();
    let mut slow = Box::pin(referenced.list(&parameters));
    assert!(timeout(Duration::from_secs(1), slow.as_mut()).await.is_err());
    let begun = Instant::now();
    maps(&client).list(&parameters).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_left_open() {
    let (client, _) = client(|_| Some(endless("\n")));
    let health = WatchHealth::default();
    health.expect("configmaps", &[], Duration::from_mins(6));
    let api: Api<ConfigMap> = Api::all(bounded(&client, health.reporter("configmaps", None), Pages::Own));
    let watch = api.watch(&WatchParams::default(), "0").await.unwrap();
    let mut watch = std::pin::pin!(watch.into_stream());
    assert!(timeout(Duration::from_mins(4), watch.next()).await.is_err(), "it stays open");
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_body_is_silent_however_often_it_is_opened() {
    let (client, _) = client(|number| if number % 2 == 0 { Some(endless("")) } else { whole(200, "") });
    let health = WatchHealth::default();
    health.expect("configmaps", &[], Duration::from_mins(6));
    let api: Api<ConfigMap> = Api::all(bounded(&client, health.reporter("configmaps", None), Pages::Own));
    let silence = Duration::from_millis(20);
    std::thread::sleep(silence);
    for _ in 0..2 {
        let watch = api.watch(&WatchParams::default(), "0").await.unwrap();
        let mut watch = std::pin::pin!(watch.into_stream());
        let event = timeout(Duration::from_mins(4), watch.next()).await;
        assert!(event.is_err() || event.is_ok_and(|event| event.is_none()));
        assert!(health.silence().is_some_and(|passed| passed >= silence));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_always_ends_at_once_is_opened_once_a_second() {
    fn ends(number: usize) -> Option<Response<UnsyncBoxBody<Bytes, Infallible>>> {
        whole(200, if number == 0 { "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}" } else { "" })
    }
    let (client, count) = client(ends);
    let watching = events(maps(&client), watcher::Config::default()).for_each(|_| std::future::ready(()));
    assert!(timeout(Duration::from_mins(1), watching).await.is_err());
    assert!(count.load(Ordering::SeqCst) <= 62, "{count:?}");
}

#[tokio::test(start_paused = true)]
async fn the_backoff_grows_while_every_listing_fails() {
    let (client, count) = client(|_| whole(503, "{\"kind\":\"Status\",\"code\":503,\"status\":\"Failure\"}"));
    let watching = events(maps(&client), watcher::Config::default()).for_each(|_| std::future::ready(()));
    assert!(timeout(Duration::from_mins(2), watching).await.is_err());
    let listings = count.load(Ordering::SeqCst);
    assert!((4..=10).contains(&listings), "{listings}");
}

#[tokio::test(start_paused = true)]
async fn the_backoff_grows_while_the_second_page_or_the_watch_fails() {
    let page: fn() -> watcher::Result<Event<()>> = || Ok(Event::InitApply(()));
    let fails = || Err(watcher::Error::NoResourceVersion);
    for second in [page, || Ok(Event::InitDone)] {
        let round = move || [Ok(Event::Init), second(), fails()];
        let always = stream::repeat_with(round).flat_map(stream::iter);
        let begun = Instant::now();
        backing_off(always).take(3 * 8).count().await;
        assert!(begun.elapsed() > Duration::from_mins(1), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_progresses_after_an_error_resets_its_backoff() {
    let round = || [Ok(Event::Apply(())), Err(watcher::Error::NoResourceVersion)];
    let begun = Instant::now();
    backing_off(stream::repeat_with(round).flat_map(stream::iter)).take(2 * 8).count().await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
