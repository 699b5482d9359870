//! One reading for all who ask at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use docket_http::{Effort, Problem};
use tokio::sync::Mutex;

use super::{PAGE_HEADERS, coded::Coded};
use crate::error::ApiError;

/// A page that many look at and that takes several queries. It is made by one at a time: who comes while it is being made waits for the next, which is for
/// all who came meanwhile. So nobody sees anything older than the question, and a crowd costs the database no more than one reader who asks again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Together(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many times making it has begun.
    begun: AtomicU64,
    last: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    number: u64,
    /// A failure is for all who waited, too: one after the other they would wait for a database that is away.
    page: Option<Result<Arc<Coded>, Problem>>,
}

impl Together {
    /// Answers with the page that `make` renders, or that somebody made after this was called.
    pub(super) async fn page(
        &self,
        asked: &HeaderMap,
        make: impl Future<Output = Result<String, ApiError>>,
    ) -> Result<Response, ApiError> {
        let page = self.get(make).await?;
        let mut answer = page.answer(asked).await;
        for (name, value) in PAGE_HEADERS {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(answer)
    }

    async fn get(
        &self,
        make: impl Future<Output = Result<String, ApiError>>,
    ) -> Result<Arc<Coded>, ApiError> {
        let begun = self.0.begun.load(Ordering::SeqCst);
        let mut last = self.0.last.lock().await;
        if last.number > begun
            && let Some(page) = &last.page
        {
            return page.clone().map_err(ApiError);
        }
        let number = self.0.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let page = match make.await {
            Ok(html) => Ok(Arc::new(Coded::new(Bytes::from(html), Effort::EachTime))),
            Err(ApiError(problem)) => Err(problem),
        };
        *last = Made {
            number,
            page: Some(page.clone()),
        };
        page.map_err(ApiError)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_comes_while_it_is_made_gets_the_next_one_and_nobody_an_older_one() {
        let together = Together::default();
        let made = Arc::new(AtomicU64::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let get = || {
            let (together, made, gate) = (together.clone(), made.clone(), gate.clone());
            async move {
                let make = async {
                    let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                    gate.acquire().await.unwrap().forget();
                    Ok(number.to_string())
                };
                together.get(make).await.unwrap().text().clone()
            }
        };
        let first = tokio::spawn(get());
        while made.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (0..20).map(|_| tokio::spawn(get())).collect();
        // All of them have come before the first is done: each runs once and then waits.
        tokio::task::yield_now().await;
        gate.add_permits(1);
        assert_eq!(first.await.unwrap(), "1");
        gate.add_permits(1);
        let seen = join_all(later).await;
        assert!(seen.iter().all(|page| page.as_ref().unwrap() == "2"));
        gate.add_permits(1);
        assert_eq!(get().await, "3");
    }

    #[tokio::test]
    async fn a_failure_is_told_and_does_not_stay() {
        let together = Together::default();
        let failed = together
            .get(async { Err(Problem::not_found("gone").into()) })
            .await;
        assert!(failed.is_err());
        let page = together.get(async { Ok("back".to_owned()) }).await;
        assert_eq!(page.unwrap().text(), "back");
    }

    #[tokio::test]
    async fn one_who_gives_up_holds_nobody_up() {
        let together = Together::default();
        let given_up = tokio::time::timeout(std::time::Duration::ZERO, together.get(std::future::pending()));
        assert!(given_up.await.is_err());
        let page = together.get(async { Ok("next".to_owned()) }).await;
        assert_eq!(page.unwrap().text(), "next");
    }
}
