use super::*;

const PUBLISH: &str = r#"{"name":"effect","ref":"v4.0.0","version":"4.0.0"}"#;

fn bot() -> Login {
    "docket-bot".parse().unwrap()
}

fn read_it(text: &str) -> Reading {
    read(text, Some(&bot()))
}

/// What a text asks for.
fn asks(text: &str) -> Request {
    match read_it(text) {
        Reading::Request(request) => request,
        other => panic!("{text:?} gives {other:?}"),
    }
}

fn malformed(text: &str) -> Malformed {
    match read_it(text) {
        Reading::Malformed(malformed) => malformed,
        other => panic!("{text:?} gives {other:?}"),
    }
}

fn json_of(request: &Request) -> String {
    match request {
        Request::Publish(it) => json::to_compact(it),
        Request::PackageSet(it) => json::to_compact(it),
        Request::Unsigned(it) => json::to_compact(it),
        Request::Signed { signed, .. } => json::to_compact(signed),
    }
}

#[test]
fn json_is_found_in_prose_and_in_fences() {
    for text in [
        PUBLISH.to_owned(),
        format!("Please publish this: {PUBLISH} Thanks!"),
        format!("Please (see {{the docs}}) publish {PUBLISH}; it's {{great}}"),
        format!("Hi\n\n```json\n{PUBLISH}\n```\n\nThanks"),
        format!("```\n{PUBLISH}\n```"),
        format!("~~~~ json\n{PUBLISH}\n~~~~"),
        format!("````\n```\n{PUBLISH}\n```\n````"),
        format!("  ```JSON\n{PUBLISH}"),
        format!("a stray {{ and then\n\n{PUBLISH}"),
        format!("Hi\r\n```json\r\n{PUBLISH}\r\n```\r\n"),
        format!("<!-- Put your {{JSON}} below -->\n{PUBLISH}"),
        format!("<!--\n{{\"name\":\"x\",\"ref\":\"r\",\"version\":\"1.0.0\"}}\n-->\n{PUBLISH}"),
        format!("{PUBLISH}\n\nand once more\n\n```json\n{PUBLISH}\n```"),
    ] {
        assert_eq!(json_of(&asks(&text)), PUBLISH, "{text}");
    }
}

#[test]
fn sloppy_json_is_read() {
    for text in [
        r#"{"name":"effect","ref":"v4.0.0","version":"4.0.0",}"#,
        "{'name':'effect','ref':'v4.0.0','version':'4.0.0'}",
        "{name: 'effect', ref: \"v4.0.0\", version: '4.0.0'}",
        "{name: effect, ref: v4.0.0, version: 4.0.0}",
        "{\n  \"name\": effect,\n  \"ref\": v4.0.0,\n  \"version\": 4.0.0\n}",
        "{“name”: “effect”, “ref”: “v4.0.0”, “version”: “4.0.0”}",
        "{ name: effect, // the package\n ref: v4.0.0, version: 4.0.0, }",
    ] {
        assert_eq!(json_of(&asks(text)), PUBLISH, "{text}");
    }
}

#[test]
fn keys_decide_what_is_asked_in_a_fixed_order() {
    let set = asks(r#"{"packages":{"aff":"8.0.0","argonaut":null},"name":"a","ref":"b","version":"1.0.0"}"#);
    assert_eq!(json_of(&set), r#"{"packages":{"aff":"8.0.0","argonaut":null}}"#);
    assert!(set.needs_trustee(), "it removes a package");
    assert!(!asks(r#"{"packages":{"aff":"8.0.0"}}"#).needs_trustee());
    let signed =
        asks(r#"{"payload":"{\"name\":\"a\",\"version\":\"1.0.0\",\"reason\":\"{\"}","signature":"0b"}"#);
    assert_eq!(signed.title(), "unpublish a@1.0.0");
    let Request::Signed { signed, .. } = signed else {
        panic!("{signed:?}")
    };
    assert_eq!(
        signed.payload, r#"{"name":"a","version":"1.0.0","reason":"{"}"#,
        "byte for byte, a brace in it or not"
    );
}

#[test]
fn one_operation_among_other_json_is_taken() {
    let text = format!(
        "It failed with\n```json\n{{\"error\": {{\"code\": 1}}}}\n```\nfor\n```json\n{PUBLISH}\n```\nand my package.json is\n\
         ```\n{{\"name\": \"x\", \"dependencies\": {{}}}}\n```"
    );
    assert_eq!(json_of(&asks(&text)), PUBLISH);
}

#[test]
fn ten_operations_are_refused_and_named() {
    let text: String = (0..10)
        .map(|number| {
            format!("```json\n{{\"name\":\"effect\",\"ref\":\"v\",\"version\":\"{number}.0.0\"}}\n```\n")
        })
        .collect();
    let Malformed::Several { titles } = malformed(&text) else {
        panic!("{text}")
    };
    assert_eq!(titles.len(), 10);
    let answer = malformed(&text).answer();
    assert!(
        answer.contains("asks for 10 things, and nothing was done"),
        "{answer}"
    );
    assert!(answer.contains("publish effect@9.0.0"), "{answer}");
}

#[test]
fn a_text_that_wants_nothing_of_us_gets_no_answer() {
    for text in [
        "",
        "Thanks, works now!",
        "I think {this} is wrong, and {that: too}",
        "```purescript\nfoo { a } = { b: a, c: 1 }\n```",
        "an [array] of {\"unclosed\": \"strings",
        "see docket/publish and /docketx publish a@1.0.0",
        "the file is /docket",
        "> /docket publish effect@4.0.0\n\nWhat does this do?",
        "    prose\n> {\"name\":\"effect\",\"ref\":\"v4.0.0\",\"version\":\"4.0.0\"}\nWhy was this refused?",
        "<!-- /docket publish effect@4.0.0 -->",
        "```\n/docket publish effect@4.0.0\n```",
        "### Version\n\n1.2.3\n\n### What happened\n\nIt broke",
    ] {
        assert_eq!(read_it(text), Reading::Nothing, "{text:?}");
    }
}

#[test]
fn a_text_that_addresses_us_gets_an_answer() {
    assert_eq!(
        malformed("@docket-bot please publish effect"),
        Malformed::NothingAsked
    );
    assert!(matches!(
        malformed("Hey @Docket-Bot, {\"name\": }"),
        Malformed::NotJson { .. }
    ));
    assert_eq!(read_it("@docket-botany is nice"), Reading::Nothing);
    assert_eq!(
        read("@docket-bot hello", None),
        Reading::Nothing,
        "nobody is addressed by that name"
    );
}

#[test]
fn unknown_keys_are_listed_beside_the_expected_ones() {
    let answer = malformed(r#"{"name":"effect","email":"a@example.org"}"#).answer();
    for part in [
        "malformed",
        "email, name",
        "Publish: { name, ref, compiler?, version, location?, resolutions? }",
        "Package set update: { packages, compiler? }",
        "Authenticated (unpublish/transfer): { payload, signature }",
    ] {
        assert!(answer.contains(part), "{answer}");
    }
    assert!(matches!(
        malformed(r#"{"foo": 1}"#),
        Malformed::UnknownKeys { .. }
    ));
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let answer = malformed(r#"{"name":"Effect","ref":"v4.0.0","version":"4.0.0"}"#).answer();
    assert!(
        answer.contains("The publish in this text is malformed") && answer.contains("name: "),
        "{answer}"
    );
    let answer = malformed("{name: effect, ref: v, version: 4.0}").answer();
    assert!(answer.contains("version: "), "{answer}");
    let twice = malformed(r#"{"name":"a","name":"b","ref":"v","version":"1.0.0"}"#).answer();
    assert!(twice.contains("malformed"), "{twice}");
    let object = malformed(r#"{"payload":{"name":"a"},"signature":"x"}"#).answer();
    assert!(object.contains("must be a string"), "{object}");
    let neither = malformed(r#"{"payload":"{}","signature":"x"}"#).answer();
    assert!(neither.contains("neither an unpublish"), "{neither}");
}

#[test]
fn nothing_of_theirs_comes_to_life_in_our_answer() {
    let answer = malformed("{\"name\":1, \"@everyone ``` \\n# hi\": 2}").answer();
    let fence = answer.find("````").expect("a longer fence than theirs");
    assert!(answer.find("@everyone").unwrap() > fence, "{answer}");
}

#[test]
fn commands_are_read() {
    for (text, wanted) in [
        ("/docket publish effect@4.0.0", PUBLISH),
        (
            "Please:\n\n  /docket publish effect@4.0.0 --ref main --location purescript/purescript-effect\nThanks",
            r#"{"location":{"githubOwner":"purescript","githubRepo":"purescript-effect"},"name":"effect","ref":"main","version":"4.0.0"}"#,
        ),
        (
            "/docket unpublish effect@4.0.0 --reason it's broken, sorry",
            r#"{"name":"effect","reason":"it's broken, sorry","version":"4.0.0"}"#,
        ),
        (
            "/docket unpublish effect@4.0.0 --reason \"holds a --secret\"",
            r#"{"name":"effect","reason":"holds a --secret","version":"4.0.0"}"#,
        ),
        (
            "/docket transfer demo --to https://github.com/lab/purescript-demo.git",
            r#"{"name":"demo","newLocation":{"githubOwner":"lab","githubRepo":"purescript-demo"}}"#,
        ),
        (
            "/docket package-set aff@8.0.0 ha@1.0.0 --remove argonaut --remove b --compiler=0.15.16",
            r#"{"compiler":"0.15.16","packages":{"aff":"8.0.0","argonaut":null,"b":null,"ha":"1.0.0"}}"#,
        ),
    ] {
        assert_eq!(json_of(&asks(text)), wanted, "{text}");
    }
    assert!(asks("/docket transfer demo --to lab/purescript-demo").needs_trustee());
}

#[test]
fn a_wrong_command_is_answered_with_the_right_ones() {
    for (text, reason) in [
        ("/docket", "does not say what to do"),
        ("/docket help", "here is what there is"),
        ("/docket dance", "no command `dance`"),
        ("/docket publish", "needs NAME@VERSION"),
        ("/docket publish effect", "`effect` is not NAME@VERSION"),
        ("/docket publish Effect@4.0.0", "no package name"),
        ("/docket publish effect@v4", "no version"),
        ("/docket publish effect@4.0.0 now", "`now` is one word too many"),
        ("/docket publish effect@4.0.0 --force", "no `--force`"),
        ("/docket publish effect@4.0.0 --ref", "--ref needs a value"),
        ("/docket publish effect@4.0.0 --ref a --ref b", "twice"),
        ("/docket unpublish effect@4.0.0", "needs --reason TEXT"),
        (
            "/docket unpublish effect@4.0.0 --reason \"open",
            "quote is not closed",
        ),
        ("/docket transfer effect --to nowhere", "not OWNER/REPO"),
        ("/docket transfer effect --to ../..", "not OWNER/REPO"),
        ("/docket package-set", "no package and no compiler"),
        ("/docket package-set a@1.0.0 --remove a", "twice"),
    ] {
        let answer = malformed(text).answer();
        assert!(answer.contains(reason), "{text}: {answer}");
        assert!(
            answer.contains("/docket transfer NAME --to OWNER/REPO"),
            "{answer}"
        );
    }
    let long = format!("/docket unpublish a@1.0.0 --reason {}", "ä".repeat(301));
    assert!(malformed(&long).answer().contains("300"), "the limit is named");
}

#[test]
fn several_commands_are_refused_like_several_operations() {
    let text = format!("/docket publish effect@5.0.0\n\n{PUBLISH}");
    assert!(matches!(malformed(&text), Malformed::Several { .. }));
    assert_eq!(
        json_of(&asks(
            "/docket publish effect@4.0.0\n/docket publish effect@4.0.0"
        )),
        PUBLISH,
        "the same one twice is one"
    );
}

#[test]
fn forms_are_read() {
    let form = "### Package name\n\neffect\n\n### Version\n\n4.0.0\n\n### Git ref\n\n_No response_\n\n### Compiler\n\n_No response_";
    assert_eq!(json_of(&asks(form)), PUBLISH);
    let form = "### Operation\n\nTransfer a package\n\n### Package\n\n`demo`\n\n### New location\n\nlab/purescript-demo\n";
    assert_eq!(asks(form).title(), "transfer demo to lab/purescript-demo");
    let form = "### Package\n\ndemo\n\n### Version\n\n1.0.0\n\n### Reason\n\nwrong\nlicense";
    assert_eq!(asks(form).title(), "unpublish demo@1.0.0");
    let form = "### Packages\n\n```text\n- aff@8.0.0\n- ha@1.0.0\n```\n\n### Packages to remove\n\nargonaut";
    assert_eq!(
        json_of(&asks(form)),
        r#"{"packages":{"aff":"8.0.0","argonaut":null,"ha":"1.0.0"}}"#
    );
    let form = format!("### What should be done?\n\n```json\n{PUBLISH}\n```\n\n### Notes\n\n_No response_");
    assert_eq!(json_of(&asks(&form)), PUBLISH, "a form with JSON in it");
    let answer = malformed("### Package name\n\nEffect\n\n### Version\n\n4.0.0").answer();
    assert!(
        answer.contains("publish form") && answer.contains("name: "),
        "{answer}"
    );
}

#[test]
fn no_text_is_too_odd() {
    let brace = "{".repeat(100_000);
    let nested = "{\"a\":".repeat(20_000);
    for text in [
        brace.as_str(),
        nested.as_str(),
        "}{",
        "{}",
        "{\u{0}}",
        "```",
        "~~~\n```\n~~~",
        "<!--",
        "<!-- --> -->",
        "/docket publish \u{202e}@1.0.0",
        "{\"a\":\"\\ud800\"}",
        "### \n\n### ",
        "“",
        "{“",
        "é{ü:ß}",
    ] {
        let _ = read_it(text);
    }
    assert_eq!(read_it(&"x".repeat(300_000)), Reading::Nothing);
}
