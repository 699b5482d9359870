# The keys of docket.toml as options. Written from src/bin/docketd/config/keys.rs by
# `DOCKET_UPDATE_DOCS=1 cargo test --workspace --bins written`. Do not change it here.
{ lib }:
with lib.types;
let
  option = type: example: description: lib.mkOption {
    type = nullOr type;
    default = null;
    inherit example description;
  };
in
{
  data_dir = option str ("docket-data") "Where everything is kept that is in no database server and no bucket: the SQLite database, blobs, bare repositories, and what jobs need while they run. Default: `\"docket-data\"`.";

  api = {
    listen = option str ("127.0.0.1:8080") "Where to listen; port 0 picks a free one. Default: `\"127.0.0.1:8080\"`.";
    public_url = option str ("https://registry.example.org") "The address under which people reach the server. Links lead there, and signatures hold for it. Default: `http://` and the address that is listened on.";
    tls_certificate_file = option str ("/etc/docket/tls.pem") "The certificate with which the server speaks TLS itself, in PEM, with those behind it that lead to an authority. A renewed one is in force within seconds. Default: none: plain HTTP.";
    tls_key_file = option str ("/etc/docket/tls.key") "The key of the certificate, in PEM. Default: none.";
    trusted_proxies = option (listOf str) ([ ]) "Addresses or networks of proxies before the server, such as `10.0.0.0/8`. They are believed when they say in `X-Forwarded-For` for whom they ask; nobody else is. Default: `[]`.";
  };

  limits = {
    connections = option int (10000) "Connections at once; who comes then waits until another one goes. Default: `10000`.";
    watchers = option int (8000) "Logs that are followed at once, by all clients together. Fewer than `connections`, so that whoever does not watch finds a place. Default: `8000`.";
    requests_per_minute = option int (3000) "Requests of one address in a minute, or of one network of the size /64; 0 for no limit. This machine itself has none. Default: `3000`.";
    changes_per_minute = option int (60) "Of these, requests that ask for an operation or another change; 0 for no limit. Default: `60`.";
    changes_per_minute_by_key = option int (120) "Operations that one key or token asks for in a minute, from wherever; 0 for no limit. Default: `120`.";
    active_jobs_per_package = option int (100) "Jobs of one kind that wait or run for one package, when somebody asks for another one. Default: `100`.";
  };

  database = {
    url = option str ("postgres://docket@localhost/docket") "`sqlite:PATH`, for one process, or `postgres://user:password@host:port/name`, for any number. Default: `sqlite:` and `docket.db` in `data_dir`.";
    url_file = option str ("/etc/docket/database-url") "A file that holds the URL, for URLs with a password. Given instead of `url`, never beside it. Default: none.";
  };

  storage = {
    kind = option str ("s3") "`local` for the folder `blobs` of `data_dir`, or `s3` for a bucket, which takes the keys below. Default: `local`.";
    endpoint = option str ("https://s3.example.org") "The server of the bucket. Default: none.";
    bucket = option str ("docket") "The bucket. It must exist, and belong to one registry only. Default: none.";
    region = option str ("us-east-1") "The region that requests are signed for; most servers outside AWS want the default. Default: `\"us-east-1\"`.";
    access_key_id = option str ("docket") "The name of the access key. Default: none.";
    secret_access_key_file = option str ("/etc/docket/s3-secret") "A file that holds the secret of the access key. Default: none.";
    path_style = option bool (true) "Whether URLs name the bucket in their path rather than in their host. Default: `true`.";
    allow_http = option bool (false) "Whether the endpoint may be `http`: for servers on the same machine or network. Default: `false`.";
    public_url = option str ("https://blobs.example.org") "Where anybody can read the bucket; downloads are then sent there. Default: none: downloads pass through `docketd`.";
  };

  worker = {
    concurrency = option int (4) "How many jobs at once. Default: the number of CPUs.";
    background_concurrency = option int (1) "How many background jobs (matrix builds, chores) at once, beside the others; 0 leaves them to other workers. Default: `1`.";
    lease_secs = option int (60) "Seconds without a heartbeat after which another worker may take a job, from 3 to 3600. Default: `60`.";
    drain_secs = option int (30) "Seconds that running jobs get to end when the server stops; then they are given back to the queue. Default: `30`.";
    sandbox = option str ("auto") "What compilers are shut into: `bubblewrap`, `none`, or `auto`, which takes bubblewrap where it works and warns where it does not. Default: `\"auto\"`.";
    compile_timeout_secs = option int (600) "Seconds that one run of a compiler may take, from 1 to 600. Default: `600`.";
  };

  compilers = {
    path = option (listOf str) ([ ]) "Directories searched, before `PATH`, for executables `purs-X_Y_Z` or `purs`. In the environment they are separated by `:`. Default: `[]`.";
  };

  sources = {
    github_url = option str ("https://github.com") "What stands before `/OWNER/REPO` in the address of a package on GitHub; a `file://` URL works, too. Default: `\"https://github.com\"`.";
    allow_git_locations = option bool (false) "Whether plain git locations and packages in a folder of their repository are taken. Default: `false`.";
    git_hosts = option (listOf str) ([ ]) "Hosts that plain git locations may name; none means any. In the environment they are separated by `:`. Default: `[]`.";
    follow_redirects = option bool (false) "Whether a host may send git to another address, as GitHub does for renamed repositories. Default: `false`.";
    max_bytes = option int (200000000) "The largest checkout, in bytes. Default: `200000000`.";
    max_files = option int (20000) "The most files of a checkout. Default: `20000`.";
  };

  operations = {
    unpublish_hours = option int (48) "Hours after its publication for which owners can unpublish a version. Default: `48`.";
    trustee_unpublish_hours = option int (720) "The same for trustees. Default: trustees can at any time.";
    keep_checks_hours = option int (168) "Hours for which what `docket publish --dry-run` found is kept, so that publishing the same is done at once; 0 keeps nothing. Default: `168`.";
    raw_signatures = option bool (true) "Whether the signatures of released clients are taken, which do not say for which registry and until when they are meant. Default: `true`.";
  };

  trustees = {
    public_key_file = option str ("/etc/docket/bot.pub") "The registry's own public key, as in a `.pub` file: it may sign for every package and for the package sets. Default: none.";
    token_file = option str ("/etc/docket/token") "A file with the token that a trusted forwarder sends as `Authorization: Bearer`, of at least 20 characters. Default: none.";
  };

  github = {
    api_url = option str ("https://api.github.com") "The address of GitHub's API. Default: `\"https://api.github.com\"`.";
    org = option str ("my-org") "The organisation of the team of trustees. Given with `team`, or not at all. Default: none.";
    team = option str ("packaging") "The team of trustees, as it stands in addresses: the tokens of its members count beside the registry's own. Default: none.";
    bot = option str ("my-bot") "The account of the registry's bot, which is trusted, too. Default: none.";
    token_file = option str ("/etc/docket/github-token") "A file with our own token: to see the team, and for the tasks that ask GitHub, which run only with one. Default: none.";
    webhook_secret_file = option str ("/etc/docket/webhook-secret") "A file with the secret of a webhook that GitHub calls for issues and comments, of at least 16 characters. It needs `token_file` and `api.public_url`. Default: none.";
  };

  git = {
    registry_remote = option str ("https://github.com/my-org/registry.git") "Where the registry is pushed, an address without user and password. Default: nowhere.";
    index_remote = option str ("https://github.com/my-org/registry-index.git") "Where the manifest index is pushed, likewise. Default: nowhere.";
    package_sets_remote = option str ("https://github.com/my-org/package-sets.git") "Where the package sets for older clients are pushed with their tags, likewise; there are some with `package_sets.legacy_mirror`. Default: nowhere.";
    token_file = option str ("/etc/docket/git-token") "A file with the token that allows all of these. Default: none.";
  };

  package_sets = {
    legacy_mirror = option bool (false) "Whether each released set is also written in the form of older clients, to the repository `package-sets`. Default: `false`.";
  };

  schedules = {
    enabled = option bool (true) "Whether tasks run by themselves; `docket schedule run` works all the same. Default: `true`.";
  };

  documentation = {
    url = option str ("https://pursuit.purescript.org") "A Pursuit server. Default: nowhere.";
    token_file = option str ("/etc/docket/pursuit-token") "A file with the token with which Pursuit takes uploads: that of a GitHub account. Default: none.";
  };

  logs = {
    archive_after_days = option int (30) "Days after which a log moves from the database to the storage, where it is read as before; 0 leaves logs in the database. Default: `30`.";
    remove_after_days = option int (0) "Days after which an archived log is removed; 0 keeps it for ever. Default: `0`.";
  };

  log = {
    format = option str ("pretty") "`pretty` for people, or `json` for programs: one object on each line. Default: `\"pretty\"`.";
    level = option str ("info") "The least that is told: `error`, `warn`, `info`, `debug` or `trace`; or one for each part, such as `info,docket_worker=debug`. `RUST_LOG` wins. Default: `\"info\"`.";
  };

  telemetry = {
    url = option str ("http://collector.internal:4318") "A collector of OpenTelemetry, which takes OTLP over HTTP as JSON; traces go to `/v1/traces` there. Only for a `docketd` built with the feature `otel`. Default: nowhere.";
    token_file = option str ("/etc/docket/collector-token") "A file with the token that the collector wants as `Authorization: Bearer`. Default: none.";
  };

  health = {
    ping_url = option str ("https://hc-ping.com/worker") "The check of the worker loop, pinged while it makes progress. Default: none.";
    ping_secs = option int (300) "Seconds between two of its pings, from 10 to 86400. Default: `300`.";
    tasks = option (attrsOf str) ({ "package-set-update" = "https://hc-ping.com/package-set-update"; }) "The check of each scheduled task, by its name. Default: none.";
  };

  legal = {
    takedown_text_file = option str ("/etc/docket/takedown.md") "A file with what `/legal/takedown` says above its form, in Markdown, of at most 100,000 bytes. Default: a text that fits most registries.";
    contact = option str ("legal@registry.example.org") "A mail address for notices, shown beside the form. Default: none.";
  };
}
