# A test in virtual machines, for `nix flake check`: one registry alone, and one of four processes on PostgreSQL behind nginx.
{ self }:
{
  name = "docket";

  nodes.alone = {
    imports = [ self.nixosModules.default ];
    services.docket.enable = true;
  };

  nodes.many =
    { pkgs, ... }:
    {
      imports = [ self.nixosModules.default ];
      services.postgresql = {
        enable = true;
        ensureDatabases = [ "docket" ];
        ensureUsers = [
          {
            name = "docket";
            ensureDBOwnership = true;
          }
        ];
        authentication = "host docket docket 127.0.0.1/32 trust";
      };
      environment.etc."docket-secrets/database-url".text = "postgres://docket@127.0.0.1/docket";
      environment.etc."docket-secrets/token".text = "a-token-of-a-test-machine";
      services.docket = {
        enable = true;
        servers = 2;
        workers = 2;
        after = [ "postgresql.service" ];
        nginx.hostName = "registry.test";
        settings.api.public_url = "http://registry.test";
        settings.worker.lease_secs = 10;
        secrets.database.url_file = "/etc/docket-secrets/database-url";
        secrets.trustees.token_file = "/etc/docket-secrets/token";
      };
      networking.hosts."127.0.0.1" = [ "registry.test" ];
      environment.systemPackages = [ pkgs.git ];
    };

  testScript = ''
    start_all()

    with subtest("one process does everything"):
        alone.wait_for_unit("docketd.service")
        alone.wait_until_succeeds("curl --fail http://127.0.0.1:8080/healthz/ready")
        alone.succeed("journalctl --unit docketd | grep 'Compilers run in bubblewrap'")

    with subtest("four processes share one registry"):
        for unit in ["docketd-serve-1", "docketd-serve-2", "docketd-work-1", "docketd-work-2"]:
            many.wait_for_unit(unit + ".service")
        for port in [8081, 8082]:
            many.wait_until_succeeds(f"curl --fail http://127.0.0.1:{port}/healthz/ready")

    with subtest("nginx leads there, and keeps the metrics to itself"):
        many.wait_for_unit("nginx.service")
        many.succeed("curl --fail http://registry.test/packages")
        many.succeed("git clone http://registry.test/git/registry-index.git")
        many.fail("curl --fail http://registry.test/metrics")
        many.succeed("curl --fail http://127.0.0.1:8081/metrics | grep docket_build_info")

    with subtest("a job runs: the token reached the servers as a credential"):
        many.succeed(
            "curl --fail --request POST --header 'Authorization: Bearer a-token-of-a-test-machine'"
            " http://registry.test/api/v1/schedules/clean-up/run"
        )
        many.wait_until_succeeds("curl --fail http://127.0.0.1:8081/metrics | grep 'state=\"succeeded\"'")

    with subtest("a server that goes away is not missed"):
        many.succeed("systemctl stop docketd-serve-1.service")
        for _ in range(10):
            many.succeed("curl --fail http://registry.test/packages")
  '';
}
