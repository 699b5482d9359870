//! Health, and stopping.

use docket_index::{
    Repository,
    git::{
        GitViews, git,
        remote::{Remote, Remotes},
    },
};
use docket_test_support::on_both_databases;

use crate::served::{DEADLINE, Served};

on_both_databases! {
    /// Prometheus reads how much waits, and nothing whose labels grow without end.
    async fn metrics_tell_how_much_waits(db: TestDb) {
        let served = Served::start(db).await;
        served.publish(crate::served::EFFECT).await;
        let response = served.get("/metrics").send().await.unwrap();
        assert!(crate::served::header(&response, "content-type").starts_with("text/plain; version=0.0.4"));
        let text = response.text().await.unwrap();
        assert!(text.contains("docket_jobs{kind=\"publish\",state=\"queued\"} 1\n"), "{text}");
        assert!(text.contains("docket_jobs_longest_wait_seconds{kind=\"publish\"} "), "{text}");
        assert!(text.contains("docket_packages 0\n"), "{text}");
        let told: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let listed: Vec<_> = docket_api::METRICS.iter().map(|metric| format!("{} gauge", metric.name)).collect();
        assert_eq!(told, listed, "every metric is listed");
        assert!(!text.contains("effect"), "{text}");
    }

    /// How far each remote lags behind, whether it failed last, and what others committed there.
    async fn metrics_tell_how_the_remotes_are(db: TestDb) {
        let served = Served::start(db).await;
        let empty = served.get("/metrics").send().await.unwrap().text().await.unwrap();
        assert!(!empty.contains("docket_push_changes_behind{"), "nothing was pushed yet: {empty}");
        let gone = served.folder.path().join("gone.git");
        let remote = Remote::new(format!("file://{}", gone.display()), None);
        let db = served.jobs.db().clone();
        let views = GitViews::new(served.folder.path().join("git"), db.clone(), served.storage.clone());
        let remotes = Remotes::new(views, db, served.folder.path().join("push"), [(Repository::Registry, remote)]);
        let push = async || remotes.push(Repository::Registry, served.jobs.clock().now()).await;
        let assert_values = async |behind: i64, failing: i64, foreign: i64| {
            let text = served.get("/metrics").send().await.unwrap().text().await.unwrap();
            for (name, value) in [("changes_behind", behind), ("failing", failing), ("foreign_commits", foreign)] {
                let line = format!("docket_push_{name}{{repository=\"registry\"}} {value}\n");
                assert!(text.contains(&line), "no {line} in {text}");
            }
        };

        push().await.unwrap_err();
        let first = remotes.state(Repository::Registry).await.unwrap().1;
        assert!(first > 0);
        assert_values(first, 1, 0).await;

        std::fs::create_dir(&gone).unwrap();
        git(&gone, &["init", "--quiet", "--bare", "-b", "main"]).await.unwrap();
        push().await.unwrap();
        assert_values(0, 0, 0).await;

        let by_hand = served.folder.path().join("by-hand");
        std::fs::create_dir(&by_hand).unwrap();
        git(&by_hand, &["clone", "--quiet", gone.to_str().unwrap(), "."]).await.unwrap();
        git(&by_hand, &["-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "--quiet", "--allow-empty", "-m", "By hand"]).await.unwrap();
        git(&by_hand, &["push", "--quiet"]).await.unwrap();
        push().await.unwrap();
        assert_values(0, 0, 1).await;
    }

    /// Ready while the database answers, 503 once it is gone; alive all the time.
    async fn health_tells_when_the_database_is_gone(db: TestDb) {
        let served = Served::start(db).await;
        for path in ["/healthz/live", "/healthz/ready"] {
            assert_eq!(served.get(path).send().await.unwrap().status(), 200, "{path}");
        }
        served.jobs.db().close().await;
        assert_eq!(served.get("/healthz/live").send().await.unwrap().status(), 200);
        let response = served.get("/healthz/ready").send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.text().await.unwrap(), "not ready: the database does not answer\n");
    }

    /// Without its tables a server is not ready either.
    async fn health_tells_when_the_tables_are_gone(db: TestDb) {
        let served = Served::start(db).await;
        let mut tx = served.jobs.db().write().await.unwrap();
        docket_db::execute!(&mut tx, docket_db::sqlx::query("ALTER TABLE change RENAME TO elsewhere")).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(served.get("/healthz/ready").send().await.unwrap().status(), 503);
    }

    /// Every answer has a request's name to look for in the log.
    async fn every_answer_names_its_request(db: TestDb) {
        let served = Served::start(db).await;
        let response = served.get("/healthz/live").send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"].len(), 36);
    }

    /// An error inside tells a client nothing of our insides.
    async fn an_inner_error_is_not_shown(db: TestDb) {
        let served = Served::start(db).await;
        served.jobs.db().close().await;
        for path in ["/index/ef/fe/effect", "/effect/4.0.0.tar.gz", "/git/registry.git/info/refs?service=git-upload-pack"] {
            let problem = crate::served::problem(served.get(path).send().await.unwrap(), 503).await;
            let text = problem.to_string().to_lowercase();
            assert!(!text.contains("pool") && !text.contains("sql"), "{text}");
        }
    }

    /// A server that is told to stop ends, even while a log is followed.
    async fn a_stopping_server_sends_watchers_away(db: TestDb) {
        let served = Served::start(db).await;
        let id = served.publish(crate::served::EFFECT).await;
        let watcher = served.get(&format!("/logs/{id}")).send().await.unwrap();
        let events = served.get(&format!("/api/v1/jobs/{id}/logs/events")).send().await.unwrap();
        served.stopping.cancel();
        tokio::time::timeout(DEADLINE, served.server).await.expect("the server ends").unwrap();
        assert_eq!(watcher.text().await.unwrap(), "");
        assert_eq!(events.text().await.unwrap(), "");
    }
}
