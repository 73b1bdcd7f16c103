use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use hyper::Request;
use hyper::body::Incoming;
use metrics::label::ThreadKind;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Api, ROOT};
use crate::pages;
use crate::threads::Threads;

/// The thread that serves `/v1`, so that requests take up at most one core.
pub(crate) struct ApiThread {
    handle: Handle,
    /// Ends the thread when dropped.
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ApiThread {
    pub(crate) fn start(threads: &Threads) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the HTTP runtime")?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let body = move || {
            // Returns when the sender is dropped.
            let _end = runtime.block_on(ended);
            Ok::<_, Infallible>(())
        };
        let thread = threads
            .spawn(ThreadKind::Http, "http", body)
            .context("cannot start the HTTP thread")?;
        Ok(Self {
            handle,
            end,
            thread,
        })
    }

    /// What shards serve: the page directly, `/v1` through this thread.
    pub(crate) fn pages(&self, api: Arc<Api>) -> fanout::Pages {
        let handle = self.handle.clone();
        Arc::new(move |request: Request<Incoming>| {
            let (request, _body) = request.into_parts();
            if !request.uri.path().starts_with(ROOT) {
                let page = pages::answer(&request.method, request.uri.path());
                return Box::pin(std::future::ready(fanout::Served::Page(page)));
            }
            let api = Arc::clone(&api);
            let answer = handle.spawn(async move { api.answer(&request).await });
            Box::pin(async move {
                let stopping = |_| fanout::Served::Page(pages::stopping());
                answer.await.unwrap_or_else(stopping)
            })
        })
    }

    /// Stops the thread; pending requests are dropped.
    pub(crate) fn stop(self) {
        drop(self.end);
        let _ended = self.thread.join();
    }
}
