//! Tells whether a request was sent on a connection that had served before.
//!
//! hyper does not report it, but it calls the connector for each new connection, in the task of the request that waits
//! for it. If a connection comes free while another is being made, the request counts as sent on a new one, and so is
//! not repeated.

use std::cell::Cell;
use std::task::{Context, Poll};

use tower_service::Service;

tokio::task_local! {
    static IS_NEW: Cell<bool>;
}

/// Runs `sending`; the first value is whether it needed no new connection.
pub(crate) async fn watch<F: Future>(sending: F) -> (bool, F::Output) {
    let noting = async {
        let output = sending.await;
        (IS_NEW.with(|is_new| !is_new.get()), output)
    };
    IS_NEW.scope(Cell::new(false), noting).await
}

/// A layer that records each new connection.
#[derive(Clone, Copy)]
pub(crate) struct Layer;

impl<S> tower_layer::Layer<S> for Layer {
    type Service = ConnectCounter<S>;

    fn layer(&self, inner: S) -> ConnectCounter<S> {
        ConnectCounter(inner)
    }
}

/// A connector that records that it was called.
#[derive(Clone)]
pub(crate) struct ConnectCounter<S>(S);

impl<S: Service<R>, R> Service<R> for ConnectCounter<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        // Outside of a request there is nothing to record.
        let _ = IS_NEW.try_with(|is_new| is_new.set(true));
        self.0.call(request)
    }
}
