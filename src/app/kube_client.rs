//! The client of the API server, and the wait until it serves the custom resources.
//!
//! Waits for transient errors and logs them; any other error ends the program with one line. Writes nothing.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request as HttpRequest, Response, header};
use kube::api::{ListParams, WatchParams};
use kube::client::{Body, ClientBuilder};
use kube::config::{Kubeconfig, NamedContext};
use kube::core::Request;
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};
use tracing::{info, warn};

use super::error::ProgramError;
use super::readiness::Readiness;
use super::settings::UsageError;
use crate::metrics::Metrics;
use crate::runtime::error_chain::chain;
use crate::runtime::kind::Kind;

/// The connect timeout; a working network connects at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The write timeout: a connection that accepts no data for this long is dead. A read timeout would end every quiet watch;
/// each call has its own time limit instead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit of one check that the resource is served.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of concurrent checks.
const MAX_CHECKS: usize = 8;

/// The delay between two checks.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Creates a client for the cluster of the kubeconfig, as kubectl finds it, or for the cluster of this pod.
///
/// # Errors
/// If there is neither, or the configuration is unusable.
pub(super) async fn client(metrics: &Metrics) -> Result<Client, ProgramError> {
    let mut config = Config::infer().await.map_err(|error| {
        ProgramError::Run(format!("found no cluster, neither by a kubeconfig nor around this pod: {error}"))
    })?;
    // `infer` takes HTTPS_PROXY from the environment even where NO_PROXY names the API server.
    if !Kubeconfig::read().is_ok_and(|kubeconfig| has_proxy(&kubeconfig)) {
        config.proxy_url = None;
    }
    let name = header::HeaderValue::from_static(concat!("spe-operator/", env!("CARGO_PKG_VERSION")));
    config.headers.push((header::USER_AGENT, name));
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    // A call is retried by the caller that knows its meaning, or not at all.
    config.default_retry = false;
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let builder = ClientBuilder::try_from(config)
        .map_err(|error| ProgramError::Run(format!("failed to set up access to the cluster: {error}")))?;
    Ok(builder.with_layer(&CountRequests { metrics: metrics.clone(), host }).build())
}

/// Returns `true` if the cluster of the current context has a proxy of its own.
fn has_proxy(kubeconfig: &Kubeconfig) -> bool {
    let current = |named: &&NamedContext| Some(&named.name) == kubeconfig.current_context.as_ref();
    let context = kubeconfig.contexts.iter().find(current).and_then(|named| named.context.as_ref());
    let named = kubeconfig.clusters.iter().find(|named| context.is_some_and(|c| c.cluster == named.name));
    named.and_then(|named| named.cluster.as_ref()).is_some_and(|cluster| cluster.proxy_url.is_some())
}

/// A custom resource that the operator reconciles.
#[derive(Clone, Copy)]
pub(super) struct ServedResource {
    plural: fn() -> String,
    url_path: fn(Option<&str>) -> String,
}

impl ServedResource {
    pub(super) fn of<K: Kind>() -> Self {
        Self { plural: || K::plural(&()).into_owned(), url_path: |namespace| K::url_path(&(), namespace) }
    }

    /// Returns the plural name of the resource.
    pub(super) fn plural(self) -> String {
        (self.plural)()
    }
}

/// Waits until the API server serves the custom resources, and verifies the right to list and watch each in every
/// watched scope.
///
/// # Errors
/// If the API server forbids it, since waiting would not help.
pub(super) async fn wait_for_resources(
    client: &Client,
    resources: &[ServedResource],
    namespaces: &[String],
    selector: Option<&str>,
    readiness: &Readiness,
) -> Result<(), ProgramError> {
    let scopes: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        some => some.iter().map(|namespace| Some(namespace.as_str())).collect(),
    };
    let mut logged = String::new();
    for resource in resources {
        while let Some(waiting_for) = reason_to_wait_for(client, *resource, &scopes, selector).await? {
            if logged != waiting_for {
                warn!(waiting_for, "waiting");
                readiness.wait_for("crd", waiting_for.clone());
                logged = waiting_for;
            }
            tokio::time::sleep(RETRY_PERIOD).await;
        }
    }
    if !logged.is_empty() {
        info!("the custom resource is served");
    }
    readiness.met("crd");
    Ok(())
}

/// Returns the cause to wait for, unless a scope is served.
async fn reason_to_wait_for(
    client: &Client,
    resource: ServedResource,
    scopes: &[Option<&str>],
    selector: Option<&str>,
) -> Result<Option<String>, ProgramError> {
    let checks = stream::iter(scopes).map(|scope| check(client, resource, *scope, selector));
    let checks: Vec<Option<String>> = checks.buffer_unordered(MAX_CHECKS).try_collect().await?;
    // A namespace that is not served yet does not block the others: its own watch keeps waiting and reports that.
    let is_served = checks.iter().any(Option::is_none);
    Ok(checks.into_iter().flatten().next().filter(|_| !is_served))
}

/// Checks that the objects there can be listed and watched. Returns the cause to wait for if not.
async fn check(
    client: &Client,
    resource: ServedResource,
    namespace: Option<&str>,
    selector: Option<&str>,
) -> Result<Option<String>, ProgramError> {
    let objects = Request::new((resource.url_path)(namespace));
    let list = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default().limit(1) };
    let mut watch = WatchParams::default().timeout(1);
    watch.label_selector = selector.map(str::to_owned);
    for (verb, request) in [("list", objects.list(&list)), ("watch", objects.watch(&watch, "0"))] {
        let request = request.map_err(|error| failed(&resource.plural(), &error))?;
        // The status code suffices; the body may contain anything.
        match tokio::time::timeout(CHECK_TIMEOUT, client.request_stream(request)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return reason_to_wait(error, (verb, &resource.plural()), selector).map(Some),
            Err(_) => return Ok(Some(format!("the API server did not respond within {CHECK_TIMEOUT:?}"))),
        }
    }
    Ok(None)
}

fn failed(plural: &str, error: &dyn std::error::Error) -> ProgramError {
    ProgramError::Run(format!("failed to request {plural}: {}", chain(error)))
}

/// Returns the cause to wait for after this error of a request with this verb, for this resource.
fn reason_to_wait(
    error: kube::Error,
    (verb, plural): (&str, &str),
    selector: Option<&str>,
) -> Result<String, ProgramError> {
    let status = match error {
        kube::Error::Api(status) => status,
        other => return Ok(format!("the API server cannot be reached: {}", chain(&other))),
    };
    match (status.code, selector) {
        (401, _) => Err(ProgramError::Run(format!(
            "the API server does not accept the operator's credentials ({}); check the service account or kubeconfig",
            status.message
        ))),
        (403, _) => Err(ProgramError::Run(format!(
            "the API server refuses to {verb} {plural} ({}); grant the rights of the chart's role",
            status.message
        ))),
        (400, Some(selector)) => {
            let problem = format!("expected a label selector, found {selector:?}: {}", status.message);
            Err(UsageError::value("watch-selector", &problem).into())
        }
        (404, _) => {
            Ok("the CustomResourceDefinition is not installed; `spe-operator crd | kubectl apply -f -` \
                        installs it"
                .to_owned())
        }
        (code, _) => Ok(format!("the API server responds {code}: {}", status.message)),
    }
}

/// Counts every request to the API server.
struct CountRequests {
    metrics: Metrics,
    host: String,
}

struct CountedService<S> {
    inner: S,
    metrics: Metrics,
    host: String,
}

impl<S> Layer<S> for CountRequests {
    type Service = CountedService<S>;

    fn layer(&self, inner: S) -> CountedService<S> {
        CountedService { inner, metrics: self.metrics.clone(), host: self.host.clone() }
    }
}

impl<S, B> Service<HttpRequest<Body>> for CountedService<S>
where
    S: Service<HttpRequest<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let (metrics, host, method) = (self.metrics.clone(), self.host.clone(), request.method().clone());
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await;
            let status = response.as_ref().ok().map(|response| response.status().as_u16());
            metrics.cluster_request(method.as_str(), &host, status);
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api_error(code: u16) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, message: "no such luck".to_owned(), ..Status::default() }))
    }

    #[test]
    fn transient_errors_are_waited_for_and_others_end_the_program() {
        for code in [404, 408, 429, 500, 503] {
            assert!(reason_to_wait(api_error(code), ("watch", "examples"), None).is_ok(), "{code}");
        }
        for code in [401, 403] {
            let error = reason_to_wait(api_error(code), ("watch", "examples"), None).unwrap_err();
            assert!(matches!(&error, ProgramError::Run(line) if line.contains("no such luck")), "{error}");
            assert!(code == 401 || error.to_string().contains("refuses to watch examples"), "{error}");
        }
        let error = reason_to_wait(api_error(400), ("list", "examples"), Some("a in")).unwrap_err();
        assert!(matches!(&error, ProgramError::Settings(_)), "{error}");
        assert!(
            error.to_string().contains("--watch-selector") && error.to_string().contains("a in"),
            "{error}"
        );
    }

    #[test]
    fn only_a_proxy_of_the_current_cluster_counts() {
        let with = |current: &str| {
            let text = format!(
                "{{current-context: {current}, contexts: [{{name: direct, context: {{cluster: a}}}}, \
                 {{name: proxied, context: {{cluster: b}}}}], clusters: [{{name: a, cluster: {{server: 'https://a'}}}}, \
                 {{name: b, cluster: {{server: 'https://b', proxy-url: 'http://proxy'}}}}]}}"
            );
            has_proxy(&Kubeconfig::from_yaml(&text).unwrap())
        };
        assert!(with("proxied"));
        assert!(!with("direct"));
        assert!(!with("unknown"));
    }
}
