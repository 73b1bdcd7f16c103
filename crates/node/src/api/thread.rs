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

/// The thread that answers `/v1`: however many ask for however much, it is one core's work at most.
pub(crate) struct ApiThread {
    handle: Handle,
    /// Ends the thread when dropped.
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ApiThread {
    /// Starts it, with nothing to do.
    pub(crate) fn start(threads: &Threads) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of HTTP")?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let body = move || {
            // What comes is the end, however it comes.
            let _end = runtime.block_on(ended);
            Ok::<_, Infallible>(())
        };
        let thread = threads
            .spawn(ThreadKind::Http, "http", body)
            .context("cannot start the thread of HTTP")?;
        Ok(Self {
            handle,
            end,
            thread,
        })
    }

    /// What shards serve: the page at once, and `/v1` from here.
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

    /// Ends it; what was asked and not answered is not any more.
    pub(crate) fn stop(self) {
        drop(self.end);
        let _ended = self.thread.join();
    }
}
