//! What a store in a bucket promises, with a real S3 server that checks signatures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    error::Error as _,
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use docket_core::digest::Sha256;
use docket_storage::{Error, S3Failure, S3Limits, S3Settings, Storage};
use docket_test_support::S3Server;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn settings(server: &S3Server) -> S3Settings {
    S3Settings {
        endpoint: server.endpoint(),
        bucket: S3Server::BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        access_key_id: S3Server::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3Server::SECRET_ACCESS_KEY.to_owned(),
        path_style: true,
        allow_http: true,
        public_url: None,
        limits: S3Limits {
            retry_pauses: vec![Duration::from_millis(10); 2],
            ..S3Limits::default()
        },
    }
}

fn store() -> (S3Server, Storage) {
    let server = S3Server::start();
    let storage = Storage::s3(&settings(&server)).unwrap();
    (server, storage)
}

/// Where the object of a blob is: where a local store has its file.
fn key(digest: Sha256) -> String {
    let hex = digest.hex();
    format!("{}/{}/{hex}", &hex[0..2], &hex[2..4])
}

/// The error and its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What was stored comes back under its digest, is where a local store has it, and can be removed, twice.
#[tokio::test]
async fn a_blob_is_stored_found_and_removed() {
    let (server, storage) = store();
    storage.reach().await.unwrap();
    let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(digest, Sha256::of(b"hello"));
    assert_eq!(storage.find(digest).await.unwrap().unwrap(), "hello");
    assert!(storage.contains(digest).await.unwrap());
    assert_eq!(server.object(&key(digest)).unwrap(), "hello");

    let other = Sha256::of(b"other");
    assert!(storage.find(other).await.unwrap().is_none());
    assert!(!storage.contains(other).await.unwrap());

    storage.remove(digest).await.unwrap();
    storage.remove(digest).await.unwrap();
    assert!(!storage.contains(digest).await.unwrap());
}

/// A folder within a bucket is a store of its own: neither has, lists or removes the blobs of the other, also where there are several pages.
#[tokio::test]
async fn a_folder_within_a_bucket_is_another_store() {
    let (server, storage) = store();
    let within = storage.within("logs");
    let (ours, theirs) = (
        storage.put("ours".into()).await.unwrap(),
        within.put("theirs".into()).await.unwrap(),
    );
    assert_eq!(server.object(&format!("logs/{}", key(theirs))).unwrap(), "theirs");
    for (store, has, has_not) in [(&storage, ours, theirs), (&within, theirs, ours)] {
        assert!(store.contains(has).await.unwrap() && store.find(has_not).await.unwrap().is_none());
        let listed = store.list(None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|blob| blob.digest).collect::<Vec<_>>(), [has]);
        store.remove(has_not).await.unwrap();
    }
    assert!(storage.contains(ours).await.unwrap() && within.contains(theirs).await.unwrap());
    let more = (0..1_500).map(|number| format!("logs/{}", key(Sha256::of(format!("{number}").as_bytes()))));
    server.fill(more);
    let first = within.list(None, 1_400).await.unwrap();
    let rest = within.list(Some(first[1_399].digest), 1_400).await.unwrap();
    assert_eq!((first.len(), rest.len()), (1_400, 101));
    assert!(first.iter().chain(&rest).map(|blob| blob.digest).is_sorted());
    assert_eq!(storage.list(None, 2_000).await.unwrap().len(), 1);
}

/// Empty and large blobs are copied to a file as they are; of what is not here nothing is made.
#[tokio::test]
async fn a_blob_is_copied_to_a_file() {
    let (_server, storage) = store();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    for bytes in [vec![], vec![1; 3_000_000]] {
        let digest = storage.put(bytes.clone().into()).await.unwrap();
        assert!(storage.copy_to(digest, &copy).await.unwrap());
        assert!(fs::read(&copy).unwrap() == bytes);
        assert!(storage.find(digest).await.unwrap().unwrap() == bytes);
    }
    let nothing = folder.path().join("nothing");
    assert!(!storage.copy_to(Sha256::of(b"other"), &nothing).await.unwrap());
    assert!(!nothing.exists());
}

/// Storing the same bytes again writes nothing.
#[tokio::test]
async fn a_second_put_changes_nothing() {
    let (server, storage) = store();
    let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
    assert!(!server.is_untouched(&key(digest)), "a write leaves a trace");
    server.overwrite(&key(digest), "hello");
    assert_eq!(storage.put(Bytes::from_static(b"hello")).await.unwrap(), digest);
    assert!(server.is_untouched(&key(digest)));
}

/// Of many who store the same bytes at once each succeeds, and there is one object.
#[tokio::test(flavor = "multi_thread")]
async fn writers_of_the_same_bytes_do_not_disturb_each_other() {
    let (server, storage) = store();
    let bytes = Bytes::from(vec![b'x'; 300_000]);
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (storage, bytes) = (storage.clone(), bytes.clone());
            tokio::spawn(async move { storage.put(bytes).await })
        })
        .collect();
    let digest = Sha256::of(&bytes);
    for writer in writers {
        assert_eq!(writer.await.unwrap().unwrap(), digest);
    }
    assert_eq!(storage.find(digest).await.unwrap().unwrap(), bytes);
    assert_eq!(storage.list(None, 10).await.unwrap().len(), 1);
    assert_eq!(server.object(&key(digest)).unwrap().len(), bytes.len());
}

/// An object whose bytes changed is refused: not served, not copied, not taken for what is being stored, and not written over.
#[tokio::test]
async fn a_damaged_object_is_refused() {
    let (server, storage) = store();
    let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
    server.overwrite(&key(digest), "hullo");
    let found = Sha256::of(b"hullo");
    let is_damage = |error: &Error| matches!(error, Error::Damaged { found: other, .. } if *other == found);
    assert!(is_damage(&storage.find(digest).await.unwrap_err()));
    let folder = tempfile::tempdir().unwrap();
    let copied = storage.copy_to(digest, folder.path().join("copy")).await;
    assert!(is_damage(&copied.unwrap_err()));
    let put = storage.put(Bytes::from_static(b"hello")).await;
    assert!(is_damage(&put.unwrap_err()));
    assert_eq!(server.object(&key(digest)).unwrap(), "hullo");
}

/// Pages follow each other without a gap, in the order of digests, whatever else is in the bucket.
#[tokio::test]
async fn blobs_are_listed_page_by_page() {
    let (server, storage) = store();
    assert!(storage.list(None, 10).await.unwrap().is_empty());
    let mut digests = Vec::new();
    for number in 0..7_u8 {
        digests.push(storage.put(vec![number; 3].into()).await.unwrap());
    }
    digests.sort_unstable_by_key(Sha256::hex);
    // Not ours: a full page of them makes the store ask for the next one.
    for name in ["00-1", "00-2", "00-3", "zz"] {
        server.overwrite(name, "not a blob");
    }
    for page in [1, 2, 3, 7, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let listed = storage.list(after, page).await.unwrap();
            assert!(listed.len() <= page && listed.iter().all(|blob| blob.bytes == 3));
            found.extend(listed.iter().map(|blob| blob.digest));
            if listed.len() < page {
                break;
            }
            after = listed.last().map(|last| last.digest);
        }
        assert_eq!(found, digests, "{page} at a time");
    }
}

/// A server gives at most a thousand keys at once; a longer page is put together from several of its.
#[tokio::test]
async fn a_page_longer_than_those_of_the_server_is_put_together() {
    let (server, storage) = store();
    let mut digests: Vec<_> = (0..1_001_u32)
        .map(|number| Sha256::of(&number.to_le_bytes()))
        .collect();
    digests.sort_unstable_by_key(Sha256::hex);
    server.fill(digests[..1_000].iter().map(|digest| key(*digest)));
    let list = async |limit| {
        let listed = storage.list(None, limit).await.unwrap();
        listed.iter().map(|blob| blob.digest).collect::<Vec<_>>()
    };
    assert!(
        list(1_001).await == digests[..1_000],
        "all of them, and no more is asked for"
    );
    server.overwrite(&key(digests[1_000]), "");
    for limit in [999, 1_000, 1_001, 1_002] {
        assert!(list(limit).await == digests[..limit.min(1_001)], "{limit}");
    }
}

/// A listed blob says when it was stored, so that a clean-up can spare what is new.
#[tokio::test]
async fn a_listed_blob_says_when_it_was_stored() {
    let (_server, storage) = store();
    storage.put(Bytes::from_static(b"hello")).await.unwrap();
    let listed = storage.list(None, 1).await.unwrap()[0];
    let age = chrono::Utc::now() - listed.stored_at;
    assert!((-2..60).contains(&age.num_seconds()), "{age}");
}

/// A wrong key is refused at once, and no text repeats the key, its secret or a signature.
#[tokio::test]
async fn a_wrong_key_is_named_but_not_shown() {
    let server = S3Server::start();
    let wrong = |change: fn(&mut S3Settings)| {
        let mut settings = settings(&server);
        change(&mut settings);
        Storage::s3(&settings).unwrap()
    };
    let secret = "another-secret";
    let bad_secret = wrong(|settings| settings.secret_access_key = "another-secret".to_owned());
    let bad_name = wrong(|settings| settings.access_key_id = "another-name".to_owned());
    for (storage, key) in [
        (bad_secret, "storage.secret_access_key_file"),
        (bad_name, "storage.access_key_id"),
    ] {
        let unreachable = storage.reach().await.unwrap_err();
        assert!(matches!(unreachable, Error::Bucket { .. }));
        assert!(chain(&unreachable).contains(key), "{}", chain(&unreachable));
        let refused = storage.put(Bytes::from_static(b"hello")).await.unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        for error in [unreachable, refused] {
            let all = format!("{} {error:?} {storage:?}", chain(&error));
            for hidden in [
                secret,
                S3Server::SECRET_ACCESS_KEY,
                "another-name",
                "X-Amz",
                "Signature=",
            ] {
                assert!(!all.contains(hidden), "{hidden} in {all}");
            }
        }
    }
    assert_eq!(server.object(&key(Sha256::of(b"hello"))), None);
}

/// A bucket that is not there is named when the program starts, and is not a blob that is not there.
#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = S3Server::start();
    let bucket = "elsewhere".to_owned();
    let storage = Storage::s3(&S3Settings {
        bucket,
        ..settings(&server)
    })
    .unwrap();
    let error = storage.reach().await.unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("elsewhere at http://") && text.contains("NoSuchBucket"),
        "{text}"
    );
    assert!(matches!(
        storage.find(Sha256::of(b"hello")).await,
        Err(Error::Refused { .. })
    ));
}

/// While the server is away it is our turn, and nothing has to be restarted when it is back.
#[tokio::test]
async fn a_server_that_was_away_is_used_again() {
    let (mut server, storage) = store();
    let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
    server.stop();
    let away = |error: Error| matches!(error, Error::Unavailable { .. });
    assert!(away(storage.find(digest).await.unwrap_err()));
    assert!(away(storage.put(Bytes::from_static(b"later")).await.unwrap_err()));
    assert!(away(storage.contains(digest).await.unwrap_err()));
    assert!(away(storage.remove(digest).await.unwrap_err()));
    assert!(matches!(storage.list(None, 1).await, Err(Error::Bucket { .. })));
    server.resume();
    assert!(!storage.contains(digest).await.unwrap());
    let later = storage.put(Bytes::from_static(b"later")).await.unwrap();
    assert_eq!(storage.find(later).await.unwrap().unwrap(), "later");
}

/// Anybody reads blobs at the public URL, where there is one.
#[tokio::test]
async fn blobs_have_a_public_url_where_one_is_configured() {
    let (server, storage) = store();
    let digest = Sha256::of(b"hello");
    assert_eq!(storage.public_url(digest), None);
    let public_url = Some("https://blobs.example.org/files/".to_owned());
    let storage = Storage::s3(&S3Settings {
        public_url,
        ..settings(&server)
    })
    .unwrap();
    let hex = digest.hex();
    let expected = format!(
        "https://blobs.example.org/files/{}/{}/{hex}",
        &hex[0..2],
        &hex[2..4]
    );
    assert_eq!(storage.public_url(digest).unwrap(), expected);
}

/// A stand-in for a server in trouble: to every request it sends `answer` and then a byte now and then, or ends the connection.
async fn troubled_server(answer: &'static str, goes_on: bool) -> Storage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = connection.read(&mut [0; 4096]).await;
                let _ = connection.write_all(answer.as_bytes()).await;
                while goes_on && connection.write_all(&b"x"[..answer.len().min(1)]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
    });
    let limits = S3Limits {
        answer: Duration::from_millis(500),
        retry_pauses: vec![Duration::from_millis(10); 2],
        ..S3Limits::default()
    };
    Storage::s3(&S3Settings {
        endpoint: format!("http://{address}"),
        bucket: S3Server::BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        access_key_id: S3Server::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3Server::SECRET_ACCESS_KEY.to_owned(),
        path_style: true,
        allow_http: true,
        public_url: None,
        limits,
    })
    .unwrap()
}

/// A server that says nothing, or a byte now and then, or half of it, holds nobody for long, and what came is not taken for a blob.
#[tokio::test]
async fn a_slow_or_broken_answer_ends_in_time() {
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf of it";
    for (answer, goes_on, is_slow) in [("", true, true), (HALF, true, true), (HALF, false, false)] {
        let storage = troubled_server(answer, goes_on).await;
        let began = Instant::now();
        let digest = Sha256::of(b"hello");
        let folder = tempfile::tempdir().unwrap();
        for error in [
            storage.find(digest).await.unwrap_err(),
            storage
                .copy_to(digest, folder.path().join("copy"))
                .await
                .unwrap_err(),
        ] {
            let Error::Unavailable { cause, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(matches!(cause, S3Failure::TooSlow), is_slow, "{cause:?}");
        }
        let failed = storage.list(None, 1).await.unwrap_err();
        assert!(matches!(failed, Error::Bucket { .. }), "{failed:?}");
        // One try of each would take half a second, all tries three times that.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    let storage = troubled_server("", true).await;
    let put = storage.put(Bytes::from_static(b"hello")).await.unwrap_err();
    assert!(matches!(put, Error::Unavailable { .. }), "{put:?}");
    assert!(matches!(storage.reach().await, Err(Error::Bucket { .. })));
}
