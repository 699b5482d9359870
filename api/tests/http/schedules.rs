//! The timetables over HTTP.

use docket_api::{Authority, TrustedToken};
use docket_test_support::on_both_databases;

use crate::served::{Served, json as body_of, problem};

const TOKEN: &str = "the-token-of-a-test-0001";

on_both_databases! {
    /// Anybody sees what the registry does by itself; only trustees can have it done now.
    async fn a_task_can_be_run_by_a_trustee(db: TestDb) {
        let authority = Authority { token: Some(TrustedToken::new(TOKEN)), ..Authority::default() };
        let served = Served::start_with(db, authority).await;
        let tasks = body_of(served.get("/api/v1/schedules").send().await.unwrap()).await;
        assert_eq!(tasks[0]["task"], "tidy");
        assert_eq!(tasks[0]["every"], "every 5 minutes");
        assert_eq!(tasks[0].get("lastTick"), None);

        let run = "/api/v1/schedules/tidy/run";
        problem(served.request("POST", run).send().await.unwrap(), 401).await;
        let bearer = format!("Bearer {TOKEN}");
        let response = served.request("POST", run).header("authorization", &bearer).send().await.unwrap();
        let id = body_of(response).await["jobId"].as_str().unwrap().to_owned();
        let job = body_of(served.get(&format!("/api/v1/jobs/{id}")).send().await.unwrap()).await;
        assert_eq!(job["actor"]["role"], "trustee");

        let unknown = served.request("POST", "/api/v1/schedules/none/run").header("authorization", &bearer);
        let problem = problem(unknown.send().await.unwrap(), 404).await;
        assert!(problem["detail"].as_str().unwrap().contains("There are: tidy"), "{problem}");
    }
}
