//! `POST unpublish`, `transfer` and `package-sets` (registry.md §1.5, §1.6 and §4): who gets a job, and who does not.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use docket_api::{Authority, TrustedToken};
use docket_core::{
    location::Location,
    metadata::Metadata,
    owner::Owner,
    signature::{Claims, PrivateKey, PublicKey},
    time::Timestamp,
};
use docket_db::sqlx;
use docket_jobs::Failure;
use docket_test_support::{
    TestDb,
    github_stand_in::{Fault, GitHubStandIn, STAND_IN_TOKEN},
    on_both_databases, ssh_key,
};
use reqwest::Response;
use serde_json::{Value, json};

use crate::served::{Served, json as body_of};

/// The operation and the owner of registry.md §4.1, with the raw signature that released clients send.
const DEMO_KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIHSHS7cso+UhBFkjlgnkCDiCvliCQiLoaSMB3G4zn4s";
const DEMO_TRANSFER: &str =
    r#"{"name":"demo","newLocation":{"githubOwner":"lab","githubRepo":"purescript-demo"}}"#;
const DEMO_SIGNATURE: &str = "1d69c407219cda02591ee2d37cf4ed89768a457999258627dbb9c35c1ce46fba895a815294c8541e8f7ee2717e97c61a152aefa4d95f99f6a96235529ee18407";

/// A bot whose key has the seed 7, 7, …; what it signed as released clients do was made with `openssl pkeyutl -sign -rawin`.
const SEVEN_KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
const SEVEN_UNPUBLISH: &str = r#"{"name":"demo","version":"1.0.0","reason":"wrong"}"#;
const SEVEN_UNPUBLISH_SIGNATURE: &str = "f6db21b02ac1008e0723ce256cbd503ba7e62ff65b3585ccc1ed2d32fa28bd88151273c94d3e2afb3c07de8961d3269ba2fab41ac3f0bbb5209a2473c0158402";
const SEVEN_REMOVAL_SIGNATURE: &str = "3c0831541f33de501c2fef5abaed64fa83611afe7639b726a878efe3345f41b8ff33dc5c8bcc33fdbb520fe015751a48b76721c64fa547c21cff7a2485b62506";

const TOKEN: &str = "the-token-of-a-test-0001";

const REMOVAL: &str = r#"{"packages":{"argonaut":null}}"#;
const ADDITION: &str = r#"{"packages":{"aff":"8.0.0"}}"#;

/// A registry with the package `demo`, its two owners (one of them broken), a bot and a token.
struct Trusting {
    served: Served,
    bot: PrivateKey,
    owner: PrivateKey,
}

impl Trusting {
    async fn start(db: TestDb) -> Self {
        Self::start_with(db, true).await
    }

    async fn start_with(db: TestDb, raw_signatures: bool) -> Self {
        Self::start_all(db, raw_signatures, None).await
    }

    /// The same with a bot whose raw signatures are known.
    async fn start_with_seven(db: TestDb) -> Self {
        Self::start_all(
            db,
            true,
            Some(format!("ssh-ed25519 {SEVEN_KEY}").parse().unwrap()),
        )
        .await
    }

    async fn start_all(db: TestDb, raw_signatures: bool, seven: Option<PublicKey>) -> Self {
        let bot = PrivateKey::from_openssh(&ssh_key("ed25519", "bot@example.org").private).unwrap();
        let owner = ssh_key("ed25519", "me@example.org");
        let authority = Authority {
            bot: Some(seven.unwrap_or_else(|| bot.public_key().unwrap())),
            token: Some(TrustedToken::new(TOKEN)),
            trustees: None,
            raw_signatures,
        };
        let served = Served::start_with(db, authority).await;
        let new_owner = |key: &str| Owner {
            id: Some("me@example.org".to_owned()),
            keytype: "ssh-ed25519".to_owned(),
            public: key.to_owned(),
        };
        let metadata = Metadata {
            owners: Some(vec![
                new_owner("AAAAbroken"),
                new_owner(DEMO_KEY),
                new_owner(owner.public.split(' ').nth(1).unwrap()),
            ]),
            ..Metadata::new(Location::github("old", "purescript-demo", None).unwrap())
        };
        let owner = PrivateKey::from_openssh(&owner.private).unwrap();
        let trusting = Self { served, bot, owner };
        trusting.store(&metadata).await;
        trusting
    }

    async fn store(&self, metadata: &Metadata) {
        const SQL: &str = "
            INSERT INTO package (name, location, owners) VALUES ('demo', $1, $2)
            ON CONFLICT (name) DO UPDATE SET location = excluded.location, owners = excluded.owners";
        let owners = metadata
            .owners
            .as_ref()
            .map(|owners| serde_json::to_string(owners).unwrap());
        let mut tx = self.served.jobs.db().write().await.unwrap();
        docket_db::execute!(
            &mut tx,
            sqlx::query(SQL)
                .bind(serde_json::to_string(&metadata.location).unwrap())
                .bind(&owners)
        )
        .unwrap();
        tx.commit().await.unwrap();
    }

    async fn post(&self, route: &str, body: Value, token: Option<&str>) -> Response {
        let mut request = self
            .served
            .request("POST", &format!("/api/v1/{route}"))
            .body(body.to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.send().await.unwrap()
    }

    fn now(&self) -> Timestamp {
        self.served.jobs.clock().now()
    }

    /// A body signed by `key` as our client signs it, with claims that `change` may spoil.
    fn signed(&self, key: &PrivateKey, operation: &Value, change: impl FnOnce(&mut Claims)) -> Value {
        let mut claims = Claims::new(&self.served.url, [7; 16], self.now());
        change(&mut claims);
        let payload = claims.payload(operation);
        let signature = key.sign(&payload).unwrap();
        json!({ "payload": payload, "signature": signature })
    }

    async fn job(&self, response: Response) -> Value {
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let reply = body_of(response).await;
        let id = reply["jobId"].as_str().unwrap();
        body_of(
            self.served
                .get(&format!("/api/v1/jobs/{id}"))
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    async fn jobs(&self) -> usize {
        let path = "/api/v1/jobs?include_completed=true";
        let jobs = body_of(self.served.get(path).send().await.unwrap()).await;
        jobs.as_array().unwrap().len()
    }

    /// Asserts that the request was refused with this status and these words, and that no job exists.
    async fn assert_refused(&self, response: Response, status: u16, words: &str) {
        let found = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(found, status, "{text}");
        assert!(text.contains(words), "expected \"{words}\" in: {text}");
        assert!(!text.contains(TOKEN), "{text}");
        assert_eq!(self.jobs().await, 0);
    }
}

fn envelope(payload: &str, signature: &str) -> Value {
    json!({ "payload": payload, "signature": signature })
}

fn unpublish_of(version: &str) -> Value {
    json!({ "name": "demo", "version": version, "reason": "wrong" })
}

fn transfer_to(repo: &str) -> Value {
    json!({ "name": "demo", "newLocation": { "githubOwner": "lab", "githubRepo": repo } })
}

on_both_databases! {
    /// What spago sends becomes a job that shows the envelope as it came, and who signed it.
    async fn a_raw_signature_of_an_owner_makes_a_job(db: TestDb) {
        let registry = Trusting::start(db).await;
        let body = envelope(DEMO_TRANSFER, DEMO_SIGNATURE);
        let job = registry.job(registry.post("transfer", body.clone(), None).await).await;
        assert_eq!(job["jobType"], "transfer");
        assert_eq!(job["packageName"], "demo");
        assert_eq!(job["payload"], body);
        assert_eq!(job["actor"]["role"], "owner");
        assert_eq!(job["actor"]["name"], "me@example.org");
        assert!(job["actor"]["key"].as_str().unwrap().starts_with("SHA256:"));
        let again = registry.job(registry.post("transfer", body, None).await).await;
        assert_eq!(again["jobId"], job["jobId"], "sent twice within seconds, it is one job");
    }

    /// Nothing but the exact text that was signed counts, and what is refused leaves no trace.
    async fn a_signature_over_another_text_creates_nothing(db: TestDb) {
        let registry = Trusting::start(db).await;
        for payload in [
            DEMO_TRANSFER.replace("\":", "\": "),
            DEMO_TRANSFER.replace("lab", "lap"),
            format!("{DEMO_TRANSFER} "),
            r#"{"newLocation":{"githubOwner":"lab","githubRepo":"purescript-demo"},"name":"demo"}"#.to_owned(),
        ] {
            let response = registry.post("transfer", envelope(&payload, DEMO_SIGNATURE), None).await;
            registry.assert_refused(response, 403, "fits none of the keys").await;
        }
        let response = registry.post("transfer", envelope(DEMO_TRANSFER, "00"), None).await;
        registry.assert_refused(response, 403, "").await;
        let twice = DEMO_TRANSFER.replacen('{', r#"{"name":"other","#, 1);
        let response = registry.post("transfer", envelope(&twice, DEMO_SIGNATURE), None).await;
        registry.assert_refused(response, 400, "duplicate field").await;
    }

    /// The payload of one operation does nothing on the route of the other, nor does what is neither.
    async fn each_route_takes_its_own_operation(db: TestDb) {
        let registry = Trusting::start(db).await;
        let transfer = envelope(DEMO_TRANSFER, DEMO_SIGNATURE);
        let response = registry.post("unpublish", transfer, None).await;
        registry.assert_refused(response, 400, "Expected unpublish operation.").await;
        let unpublish = envelope(&unpublish_of("1.0.0").to_string(), "00");
        let response = registry.post("transfer", unpublish, None).await;
        registry.assert_refused(response, 400, "Expected transfer operation.").await;
        let response = registry.post("transfer", envelope("{}", "00"), None).await;
        registry.assert_refused(response, 400, "missing field").await;
        let response = registry.post("transfer", json!({ "payload": DEMO_TRANSFER }), None).await;
        registry.assert_refused(response, 400, "signature").await;
        let unknown = envelope(&DEMO_TRANSFER.replace("demo\",", "nothing\","), DEMO_SIGNATURE);
        let response = registry.post("transfer", unknown, None).await;
        registry.assert_refused(response, 400, "no package nothing").await;
    }

    /// What our client signs says for which registry and until when, and is used once.
    async fn a_signature_with_claims_is_used_once(db: TestDb) {
        let registry = Trusting::start(db).await;
        registry.served.work(|_| async { Err(Failure::Rejected { code: "test", detail: "No.".to_owned() }) });
        let body = registry.signed(&registry.owner, &unpublish_of("1.0.0"), |_| {});
        let job = registry.job(registry.post("unpublish", body.clone(), None).await).await;
        assert_eq!(job["actor"]["role"], "owner");
        assert_eq!(job["packageVersion"], "1.0.0");
        registry.served.finished(job["jobId"].as_str().unwrap().parse().unwrap()).await;
        let replayed = registry.job(registry.post("unpublish", body, None).await).await;
        assert_eq!(replayed["jobId"], job["jobId"], "even a job that failed is not run again by a replay");
        let fresh = registry.signed(&registry.owner, &unpublish_of("1.0.0"), |claims| claims.nonce = "n".repeat(16));
        let fresh = registry.job(registry.post("unpublish", fresh, None).await).await;
        assert_ne!(fresh["jobId"], job["jobId"]);
    }

    /// Claims that do not hold here and now are refused, each with what to do.
    async fn a_signature_for_another_place_or_time_is_refused(db: TestDb) {
        let registry = Trusting::start(db).await;
        let now = registry.now();
        let minute = 60_000;
        let good = Claims::new(&registry.served.url, [7; 16], now);
        for (claims, words) in [
            (Claims { audience: "https://other.example.org".to_owned(), ..good.clone() }, "signed for"),
            (Claims { expires: now.plus_millis(-2 * minute), ..good.clone() }, "expired"),
            (Claims { expires: now.plus_millis(70 * minute), ..good.clone() }, "more than an hour"),
            (Claims { nonce: "short".to_owned(), ..good.clone() }, "16 to 128"),
        ] {
            let body = registry.signed(&registry.owner, &transfer_to("new"), |signed| *signed = claims);
            let response = registry.post("transfer", body, None).await;
            registry.assert_refused(response, 403, words).await;
        }
        let payload = transfer_to("new").to_string();
        let bare = envelope(&payload, &registry.owner.sign(&payload).unwrap());
        let response = registry.post("transfer", bare, None).await;
        registry.assert_refused(response, 403, "add `audience`").await;
        let stranger = PrivateKey::from_openssh(&ssh_key("ed25519", "x").private).unwrap();
        let body = registry.signed(&stranger, &transfer_to("new"), |_| {});
        let response = registry.post("transfer", body, None).await;
        registry.assert_refused(response, 403, "may not sign for this").await;
    }

    /// An operator can switch the old form off.
    async fn raw_signatures_can_be_switched_off(db: TestDb) {
        let registry = Trusting::start_with(db, false).await;
        let response = registry.post("transfer", envelope(DEMO_TRANSFER, DEMO_SIGNATURE), None).await;
        registry.assert_refused(response, 403, "does not accept raw signatures").await;
        let body = registry.signed(&registry.owner, &transfer_to("new"), |_| {});
        registry.job(registry.post("transfer", body, None).await).await;
    }

    /// The bot acts for every package, with owners or without; without owners nobody else can, and the answer says what to do.
    async fn the_bot_acts_for_every_package(db: TestDb) {
        let registry = Trusting::start(db).await;
        registry.store(&Metadata::new(Location::github("old", "demo", None).unwrap())).await;
        let response = registry.post("transfer", envelope(DEMO_TRANSFER, DEMO_SIGNATURE), None).await;
        registry.assert_refused(response, 403, "publish a version with owners first").await;
        let body = registry.signed(&registry.bot, &transfer_to("new"), |_| {});
        let job = registry.job(registry.post("transfer", body, None).await).await;
        assert_eq!(job["actor"]["role"], "bot");
    }

    /// A raw signature says not until when it holds: once it has moved a package, it cannot move it back there later.
    async fn a_raw_transfer_cannot_be_replayed_after_another_one(db: TestDb) {
        let registry = Trusting::start(db).await;
        registry.served.work(|_| async { Ok(()) });
        let body = envelope(DEMO_TRANSFER, DEMO_SIGNATURE);
        let job = registry.job(registry.post("transfer", body.clone(), None).await).await;
        registry.served.finished(job["jobId"].as_str().unwrap().parse().unwrap()).await;
        let mut metadata = Metadata::new(Location::github("lab", "purescript-demo", None).unwrap());
        let key = Owner { id: None, keytype: "ssh-ed25519".to_owned(), public: DEMO_KEY.to_owned() };
        metadata.owners = Some(vec![key]);
        registry.store(&metadata).await;
        let again = registry.job(registry.post("transfer", body.clone(), None).await).await;
        assert_eq!(again["jobId"], job["jobId"], "while it is in place, the same job is the answer");
        metadata.location = Location::github("lab", "elsewhere", None).unwrap();
        registry.store(&metadata).await;
        let response = registry.post("transfer", body, None).await;
        assert_eq!(response.status(), 403);
        assert!(response.text().await.unwrap().contains("carried out by job"));
        assert_eq!(registry.jobs().await, 1);
    }

    /// Taking a version back is for good: the raw request that did it names its job for ever, and one that failed may be sent again.
    async fn a_raw_unpublish_is_carried_out_once(db: TestDb) {
        let registry = Trusting::start_with_seven(db).await;
        let fails = Arc::new(AtomicBool::new(true));
        registry.served.work({
            let fails = fails.clone();
            move |_| {
                let rejected = fails.load(Ordering::SeqCst).then(|| Failure::Rejected { code: "test", detail: "No.".to_owned() });
                async move { rejected.map_or(Ok(()), Err) }
            }
        });
        let body = envelope(SEVEN_UNPUBLISH, SEVEN_UNPUBLISH_SIGNATURE);
        let send = async || {
            let job = registry.job(registry.post("unpublish", body.clone(), None).await).await;
            registry.served.finished(job["jobId"].as_str().unwrap().parse().unwrap()).await;
            job
        };
        let failed = send().await;
        assert_eq!(failed["jobType"], "unpublish");
        assert_eq!(failed["actor"]["role"], "bot");
        assert_eq!(failed["payload"], body, "the envelope as it came");
        fails.store(false, Ordering::SeqCst);
        let done = send().await;
        assert_ne!(done["jobId"], failed["jobId"]);
        assert_eq!(send().await["jobId"], done["jobId"]);
        assert_eq!(registry.jobs().await, 2);
    }

    /// A raw signature over a removal does not say until when it holds: it is refused once the removal was carried out.
    async fn a_raw_removal_cannot_be_replayed(db: TestDb) {
        let registry = Trusting::start_with_seven(db).await;
        registry.served.work(|_| async { Ok(()) });
        let raw = envelope(REMOVAL, SEVEN_REMOVAL_SIGNATURE);
        let job = registry.job(registry.post("package-sets", raw.clone(), None).await).await;
        assert_eq!(job["actor"]["role"], "bot");
        registry.served.finished(job["jobId"].as_str().unwrap().parse().unwrap()).await;
        let response = registry.post("package-sets", raw, None).await;
        assert_eq!(response.status(), 403);
        assert!(response.text().await.unwrap().contains("carried out by job"));
        assert_eq!(registry.jobs().await, 1);
    }

    /// The claims that our client signs tell a second wish from a copy.
    async fn a_removal_signed_with_claims_is_done_once(db: TestDb) {
        let registry = Trusting::start(db).await;
        registry.served.work(|_| async { Ok(()) });
        let operation: Value = serde_json::from_str(REMOVAL).unwrap();
        let body = registry.signed(&registry.bot, &operation, |_| {});
        let job = registry.job(registry.post("package-sets", body.clone(), None).await).await;
        registry.served.finished(job["jobId"].as_str().unwrap().parse().unwrap()).await;
        let replayed = registry.job(registry.post("package-sets", body, None).await).await;
        assert_eq!(replayed["jobId"], job["jobId"]);
        let fresh = registry.signed(&registry.bot, &operation, |claims| claims.nonce = "n".repeat(16));
        let fresh = registry.job(registry.post("package-sets", fresh, None).await).await;
        assert_ne!(fresh["jobId"], job["jobId"], "the same wish, signed anew");
    }

    /// The registry's token stands for a signature, and is kept nowhere.
    async fn the_token_makes_a_trustee(db: TestDb) {
        let registry = Trusting::start(db).await;
        for body in [json!({ "payload": transfer_to("a").to_string() }), envelope(&transfer_to("b").to_string(), "any text")] {
            let job = registry.job(registry.post("transfer", body, Some(TOKEN)).await).await;
            assert_eq!(job["actor"]["role"], "trustee");
            assert_eq!(job["payload"]["signature"], "", "registry.md §1.10 wants one");
            assert!(!job.to_string().contains(TOKEN));
        }
    }

    /// Whoever bears the registry's token may say which trustee it stands for; nobody else may.
    async fn a_trustee_is_named_beside_the_registrys_token_only(db: TestDb) {
        let registry = Trusting::start(db).await;
        let ask = async |route: &str, body: &Value, headers: &[(&str, &str)]| {
            let mut request = registry.served.request("POST", &format!("/api/v1/{route}")).body(body.to_string());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.send().await.unwrap()
        };
        let bearer = format!("Bearer {TOKEN}");
        let own = ("authorization", bearer.as_str());
        let alice = ("docket-on-behalf-of", "alice");
        let body = json!({ "payload": transfer_to("a").to_string() });
        let signed = envelope(DEMO_TRANSFER, DEMO_SIGNATURE);
        let addition = json!({ "payload": ADDITION });
        let theirs = ("authorization", "Bearer token-of-a-trustee-00001");
        let long = "a".repeat(101);
        for (route, body, headers, words) in [
            ("transfer", &signed, &[alice][..], "only beside the registry's own token"),
            ("package-sets", &addition, &[alice], "only beside the registry's own token"),
            ("transfer", &signed, &[theirs, alice], "only beside the registry's own token"),
            ("transfer", &body, &[own, ("docket-on-behalf-of", "")], "not the login of one GitHub account"),
            ("transfer", &body, &[own, ("docket-on-behalf-of", "alice, trustee bob")], "not the login of one GitHub account"),
            ("transfer", &body, &[own, ("docket-on-behalf-of", &long)], "not the login of one GitHub account"),
            ("transfer", &body, &[own, alice, ("docket-on-behalf-of", "bob")], "not the login of one GitHub account"),
        ] {
            let response = ask(route, body, headers).await;
            registry.assert_refused(response, 400, words).await;
        }

        let job = registry.job(ask("transfer", &body, &[own, alice]).await).await;
        assert_eq!(job["actor"], json!({ "role": "trustee", "name": "alice (through the registry's token)" }));
        let page = registry.served.get(&format!("/logs/{}", job["jobId"].as_str().unwrap())).header("accept", "text/html");
        let page = page.send().await.unwrap().text().await.unwrap();
        assert!(page.contains("trustee alice (through the registry"), "{page}");
    }

    /// A wrong token is refused even where the signature would do, and the answer does not repeat it.
    async fn a_wrong_token_is_refused(db: TestDb) {
        let registry = Trusting::start(db).await;
        let body = envelope(DEMO_TRANSFER, DEMO_SIGNATURE);
        let long = "t".repeat(1025);
        for (token, words) in [
            (&TOKEN[1..], "does not know the bearer token"),
            ("", "not `Bearer` and one token"),
            ("two words", "not `Bearer` and one token"),
            (long.as_str(), "not `Bearer` and one token"),
        ] {
            let response = registry.post("transfer", body.clone(), Some(token)).await;
            registry.assert_refused(response, 401, words).await;
        }
        let request = registry.served.request("POST", "/api/v1/transfer").body(body.to_string());
        let response = request.header("authorization", TOKEN).send().await.unwrap();
        registry.assert_refused(response, 401, "not `Bearer` and one token").await;
    }

    /// Anybody may add and raise versions; the job shows the update, not the envelope.
    async fn an_addition_to_the_set_needs_no_signature(db: TestDb) {
        let registry = Trusting::start(db).await;
        let body = json!({ "payload": r#"{"packages": {"aff": "8.0.0"}}"# });
        let job = registry.job(registry.post("package-sets", body, None).await).await;
        assert_eq!(job["jobType"], "packageset");
        assert_eq!(job["payload"], json!({ "packages": { "aff": "8.0.0" } }));
        assert_eq!(job.get("actor"), None);
        let again = registry.job(registry.post("package-sets", json!({ "payload": ADDITION }), None).await).await;
        assert_eq!(again["jobId"], job["jobId"], "the same update in other words is the same job while it is active");
    }

    /// A removal, or a compiler, needs the registry's key or a trustee; an owner's key is not enough.
    async fn a_removal_from_the_set_is_for_those_we_trust(db: TestDb) {
        let registry = Trusting::start(db).await;
        let restricted = [REMOVAL, r#"{"compiler":"0.15.16","packages":{}}"#];
        for payload in restricted {
            let response = registry.post("package-sets", json!({ "payload": payload }), None).await;
            registry.assert_refused(response, 400, "A signature is required").await;
            let response = registry.post("package-sets", envelope(payload, DEMO_SIGNATURE), None).await;
            registry.assert_refused(response, 400, "fits none of the keys").await;
        }
        let operation: Value = serde_json::from_str(REMOVAL).unwrap();
        let response = registry.post("package-sets", registry.signed(&registry.owner, &operation, |_| {}), None).await;
        registry.assert_refused(response, 400, "may not sign for this").await;
        let signed = registry.signed(&registry.bot, &operation, |_| {});
        let job = registry.job(registry.post("package-sets", signed, None).await).await;
        assert_eq!(job["payload"], operation);
        assert_eq!(job["actor"]["role"], "bot");
        let job = registry.job(registry.post("package-sets", json!({ "payload": restricted[1] }), Some(TOKEN)).await).await;
        assert_eq!(job["actor"]["role"], "trustee");
    }

    /// What is no update is told so.
    async fn an_undecodable_update_is_a_400_that_helps(db: TestDb) {
        let registry = Trusting::start(db).await;
        for (payload, words) in [
            ("{}", "missing field `packages`"),
            (r#"{"packages":{"Aff":"1.0.0"}}"#, "packages"),
            (r#"{"packages":{"aff":"1"}}"#, "packages.aff"),
            (r#"{"packages":{"aff":"1.0.0","aff":"2.0.0"}}"#, "aff"),
            (r#"{"packages":{},"compiler":null}"#, "compiler"),
        ] {
            let response = registry.post("package-sets", json!({ "payload": payload }), None).await;
            registry.assert_refused(response, 400, words).await;
        }
    }

    /// A member of the team acts as a trustee, under the login GitHub knows; others do not, and GitHub's troubles are told apart.
    async fn a_member_of_the_github_team_is_a_trustee(db: TestDb) {
        let github = GitHubStandIn::start().await;
        github.team("lab", "packaging", &["ada"]);
        github.account("ada", "token-of-ada-0000000001");
        github.account("eve", "token-of-eve-0000000001");
        let config = docket_github::Config {
            api_url: github.url().to_owned(),
            team: Some(docket_github::Team::new("lab", "packaging").unwrap()),
            token: Some(STAND_IN_TOKEN.parse().unwrap()),
            limits: docket_github::Limits { retry_pauses: Vec::new(), ..Default::default() },
            ..Default::default()
        };
        let clock = docket_github::Clock::system();
        let client = docket_github::Client::new(&config, clock.clone()).unwrap();
        let authority = Authority {
            trustees: Some(docket_github::Trustees::new(client, &config, clock)),
            ..Authority::default()
        };
        let served = Served::start_with(db, authority).await;
        let owner = ssh_key("ed25519", "x");
        let key = PrivateKey::from_openssh(&owner.private).unwrap();
        let registry = Trusting { served, bot: key.clone(), owner: key };
        registry.store(&Metadata::new(Location::github("old", "demo", None).unwrap())).await;
        let body = json!({ "payload": transfer_to("new").to_string() });
        for (token, status, words) in [
            ("token-of-eve-0000000001", 403, "eve is not a trustee"),
            ("token-of-nobody-00000001", 401, "does not know the bearer token"),
        ] {
            let response = registry.post("transfer", body.clone(), Some(token)).await;
            registry.assert_refused(response, status, words).await;
        }
        github.fail_next(Fault::Status(500));
        let response = registry.post("transfer", body.clone(), Some("token-of-ada-0000000001")).await;
        registry.assert_refused(response, 503, "Try again").await;
        let job = registry.job(registry.post("transfer", body, Some("token-of-ada-0000000001")).await).await;
        assert_eq!((job["actor"]["role"].as_str(), job["actor"]["name"].as_str()), (Some("trustee"), Some("ada of GitHub")));
        assert!(!job.to_string().contains("token-of-ada"));
    }
}
