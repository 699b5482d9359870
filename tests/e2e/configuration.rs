//! The configuration as operators write and read it, and the health check of containers.

use std::fs;

use crate::harness::{Registry, run};

#[test]
fn a_written_configuration_is_shown_with_the_origin_of_each_value() {
    let registry = Registry::prepare("", |_| {});
    let file = registry.path("new.toml");
    let init = || {
        let mut docketd = registry.docketd();
        docketd.args(["config", "init"]).arg(&file);
        docketd
    };
    run(&mut init()).expect_code(0);
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("#lease_secs = 60", "lease_secs = 45");
    fs::write(&file, &text).unwrap();
    run(&mut init()).expect_code(1).expect("is there already");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        text,
        "nothing was written over"
    );

    fs::rename(&file, registry.path("docket.toml")).unwrap();
    let file = registry.path("docket.toml");
    let mut show = registry.docketd();
    show.args(["config", "show", "--listen", "127.0.0.1:1"])
        .env("DOCKET__WORKER__DRAIN_SECS", "5")
        .env("DOCKET__DATABASE__URL", "postgres://docket:geheim@db/docket");
    let said = run(&mut show).expect_code(0);
    let line = 1 + text.lines().position(|line| line == "lease_secs = 45").unwrap();
    for shown in [
        "listen = \"127.0.0.1:1\"  # switch --listen".to_owned(),
        format!("lease_secs = 45  # {}:{line}", file.display()),
        "drain_secs = 5  # environment, DOCKET__WORKER__DRAIN_SECS".to_owned(),
        "sandbox = \"auto\"  # default".to_owned(),
    ] {
        assert!(
            said.out.lines().any(|line| line == shown),
            "{shown} in:\n{}",
            said.out
        );
    }
    assert!(!said.all().contains("geheim"), "{}", said.all());
}

#[test]
fn the_health_check_ends_with_0_while_the_server_answers_and_with_1_when_it_does_not() {
    let mut registry = Registry::start();
    let check = |registry: &Registry, url: &str| {
        let mut docketd = registry.docketd();
        docketd.args(["health", url]);
        run(&mut docketd)
    };
    let url = registry.url("");
    check(&registry, &url).expect_code(0).expect("is ready");
    registry.kill();
    check(&registry, &url).expect_code(1).expect("did not answer");
}
