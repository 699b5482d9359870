//! What trustees say about kinds of jobs.

use docket_test_support::on_both_databases;
use serde_json::json;

use crate::{
    control::{get, post, start},
    served::{EFFECT, json as body_of, problem},
};

on_both_databases! {
    /// A paused kind waits and says who wanted it so; once it is resumed it runs.
    async fn a_kind_is_paused_and_resumed(db: TestDb) {
        let served = start(db).await;
        assert_eq!(get(&served, "/api/v1/job-kinds").await, json!([]));
        let paused = body_of(post(&served, "/api/v1/job-kinds/publish/pause", &json!({})).await).await;
        assert_eq!((&paused["kind"], &paused["queued"], &paused["running"]), (&json!("publish"), &json!(0), &json!(0)));
        assert_eq!(paused["pausedBy"], "trustee by the registry's token");
        served.work(|_| async { Ok(()) });
        let id = served.publish(EFFECT).await;
        let why = get(&served, &format!("/api/v1/jobs/{id}/why")).await;
        let reason = json!({"kind": "paused", "jobKind": "publish", "since": paused["pausedSince"], "by": paused["pausedBy"]});
        assert_eq!((&why["reason"], &why["state"]), (&reason, &json!("queued")));
        let kinds = get(&served, "/api/v1/job-kinds").await;
        assert_eq!((&kinds[0]["queued"], &kinds[0]["pausedSince"]), (&json!(1), &paused["pausedSince"]));
        let resumed = body_of(post(&served, "/api/v1/job-kinds/publish/resume", &json!({})).await).await;
        assert_eq!(resumed.get("pausedSince"), None);
        served.finished(id).await;
        assert_eq!(get(&served, "/api/v1/job-kinds").await, json!([]));
    }

    /// A limit is set and taken away; it must be said which, and none is not a limit.
    async fn a_kind_is_limited(db: TestDb) {
        let served = start(db).await;
        served.publish(EFFECT).await;
        assert_eq!(get(&served, "/api/v1/job-kinds").await, json!([{"kind": "publish", "queued": 1, "running": 0}]));
        let path = "/api/v1/job-kinds/publish/limit";
        for body in [json!({}), json!({"maxRunning": 0}), json!({"maxRunning": -1}), json!({"maxRunning": "2"}), json!({"max_running": 2}), json!({"maxRunning": 5_000_000_000_i64})] {
            let refused = problem(post(&served, path, &body).await, 400).await;
            assert_eq!(refused["type"], "/docs/problems#invalid-body", "{body}");
        }
        let limited = body_of(post(&served, path, &json!({"maxRunning": 2})).await).await;
        assert_eq!(limited, json!({"kind": "publish", "queued": 1, "running": 0, "maxRunning": 2}));
        let free = body_of(post(&served, path, &json!({"maxRunning": null})).await).await;
        assert_eq!(free, json!({"kind": "publish", "queued": 1, "running": 0}));
    }

    /// A kind that there is not is refused with those that there are, and nothing is remembered of it.
    async fn an_unknown_kind_is_refused(db: TestDb) {
        let served = start(db).await;
        for (path, body) in [("pause", json!({})), ("resume", json!({})), ("limit", json!({"maxRunning": 1}))] {
            for kind in ["nonsense", "Publish", "publish%00", "publish%20"] {
                let refused = problem(post(&served, &format!("/api/v1/job-kinds/{kind}/{path}"), &body).await, 404).await;
                assert!(refused["detail"].as_str().unwrap().contains("there are publish, publish-check, unpublish"), "{refused}");
            }
        }
        assert_eq!(get(&served, "/api/v1/job-kinds").await, json!([]));
    }
}
