//! What clients are promised over HTTP: the real router on a loopback port, over a real database of either kind and a small worker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/compression.rs"]
mod compression;
#[path = "http/control.rs"]
mod control;
#[path = "http/feeds.rs"]
mod feeds;
#[path = "http/git.rs"]
mod git;
#[path = "http/health.rs"]
mod health;
#[path = "http/job_kinds.rs"]
mod job_kinds;
#[path = "http/job_list.rs"]
mod job_list;
#[path = "http/jobs.rs"]
mod jobs;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/log_archive.rs"]
mod log_archive;
#[path = "http/log_reading.rs"]
mod log_reading;
#[path = "http/logs.rs"]
mod logs;
#[path = "http/openapi.rs"]
mod openapi;
#[path = "http/operations.rs"]
mod operations;
#[path = "http/packages.rs"]
mod packages;
#[path = "http/page.rs"]
mod page;
#[path = "http/pages_of_jobs.rs"]
mod pages_of_jobs;
#[path = "http/pages_of_packages.rs"]
mod pages_of_packages;
#[path = "http/pages_of_sets.rs"]
mod pages_of_sets;
#[path = "http/publish.rs"]
mod publish;
#[path = "http/routing.rs"]
mod routing;
#[path = "http/schedules.rs"]
mod schedules;
#[path = "http/served.rs"]
mod served;
#[path = "http/slow_watcher.rs"]
mod slow_watcher;
#[path = "http/takedown.rs"]
mod takedown;
#[path = "http/tarballs.rs"]
mod tarballs;
#[path = "http/webhook.rs"]
mod webhook;
