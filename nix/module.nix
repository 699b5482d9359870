# NixOS: services.docket runs a registry, alone or as several processes, with nginx before it.
#
#   imports = [ docket.nixosModules.default ];
#   services.docket.enable = true;
#   services.docket.nginx.hostName = "registry.example.org";
#   services.docket.settings.storage = { kind = "s3"; … };
#   services.docket.secrets.storage.secret_access_key_file = "/run/keys/s3";
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.docket;
  format = pkgs.formats.toml { };

  # Keys that are not set stay out of the file, so that the defaults of docketd hold.
  given = lib.filterAttrsRecursive (_: value: value != null) cfg.settings;
  file = format.generate "docket.toml" given;

  # Secrets, as a list of { section, key, path }.
  secrets = lib.concatLists (
    lib.mapAttrsToList (
      section: keys:
      lib.mapAttrsToList (key: path: { inherit section key path; }) (
        lib.filterAttrs (_: path: path != null) keys
      )
    ) cfg.secrets
  );
  credentials = map (secret: "${secret.section}.${secret.key}:${secret.path}") secrets;
  credentialVariables = lib.listToAttrs (
    map (secret: {
      name = "DOCKET__${lib.toUpper secret.section}__${lib.toUpper secret.key}";
      # systemd puts the directory of the credentials in place of %d.
      value = "%d/${secret.section}.${secret.key}";
    }) secrets
  );

  # What every process shares. `sandboxed` makes room for the namespaces of bubblewrap; see deploy/systemd/docketd.service.
  service =
    {
      name,
      description,
      arguments,
      sandboxed,
    }:
    {
      inherit description;
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ] ++ cfg.after;
      environment = credentialVariables // {
        DOCKET__DATA_DIR = "%S/${name}";
      };
      serviceConfig = {
        ExecStart = lib.escapeShellArgs (
          [
            (lib.getExe' cfg.package "docketd")
            "--config"
            "${file}"
          ]
          ++ arguments
        );
        LoadCredential = credentials;
        TimeoutStopSec = 60;
        Restart = "on-failure";
        RestartSec = 2;
        RestartPreventExitStatus = [
          2
          78
        ];
        DynamicUser = true;
        StateDirectory = name;
        StateDirectoryMode = "0700";
        UMask = "0077";
        NoNewPrivileges = true;
        CapabilityBoundingSet = "";
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        PrivateDevices = true;
        ProtectClock = true;
        ProtectKernelModules = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
          "AF_NETLINK"
        ];
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        LockPersonality = true;
        RemoveIPC = true;
        SystemCallArchitectures = "native";
        SystemCallErrorNumber = "EPERM";
        SystemCallFilter = if sandboxed then [ "@system-service" "@mount" ] else [ "@system-service" "~@privileged @resources" ];
      }
      // lib.optionalAttrs (!sandboxed) {
        PrivateUsers = true;
        ProtectControlGroups = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        RestrictNamespaces = true;
        MemoryDenyWriteExecute = true;
      };
    };

  isAlone = cfg.servers == 0 && cfg.workers == 0;
  alone = {
    docketd = service {
      name = "docket";
      description = "Docket, a package registry";
      arguments = [ ];
      sandboxed = true;
    };
  };
  numbers = count: lib.range 1 count;
  portOf = number: cfg.firstPort + number - 1;
  servers = lib.listToAttrs (
    map (number: {
      name = "docketd-serve-${toString number}";
      value = service {
        name = "docket-serve-${toString number}";
        description = "Docket, requests on port ${toString (portOf number)}";
        arguments = [
          "serve"
          "--listen"
          "127.0.0.1:${toString (portOf number)}"
        ];
        sandboxed = false;
      };
    }) (numbers cfg.servers)
  );
  workers = lib.listToAttrs (
    map (number: {
      name = "docketd-work-${toString number}";
      value = service {
        name = "docket-work-${toString number}";
        description = "Docket, worker ${toString number}";
        arguments = [ "work" ];
        sandboxed = true;
      };
    }) (numbers cfg.workers)
  );

  listen = if cfg.settings.api.listen == null then "127.0.0.1:8080" else cfg.settings.api.listen;
  addresses =
    if isAlone then [ listen ] else map (number: "127.0.0.1:${toString (portOf number)}") (numbers cfg.servers);

  secret = lib.mkOption {
    type = lib.types.nullOr lib.types.str;
    default = null;
    example = "/run/keys/docket";
    description = "A file on the machine, outside of the Nix store, that root can read; the service gets its contents as a credential.";
  };
in
{
  options.services.docket = {
    enable = lib.mkEnableOption "Docket, a package registry";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package with docketd.";
    };

    settings = lib.mkOption {
      type = lib.types.submodule { options = import ./settings.nix { inherit lib; }; };
      default = { };
      description = "What stands in docket.toml. Secrets do not belong here: it is in the Nix store, which everybody can read.";
    };

    # The keys of settings that name files with secrets.
    secrets = {
      # Read when a service starts: a renewed key needs a restart.
      api.tls_key_file = secret;
      database.url_file = secret;
      storage.secret_access_key_file = secret;
      trustees.token_file = secret;
      github.token_file = secret;
      github.webhook_secret_file = secret;
      git.token_file = secret;
      documentation.token_file = secret;
      telemetry.token_file = secret;
    };

    servers = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 0;
      example = 2;
      description = "How many processes answer requests. Without servers and workers one process does everything.";
    };

    workers = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 0;
      example = 2;
      description = "How many processes run jobs, here. Other machines can have more of them.";
    };

    firstPort = lib.mkOption {
      type = lib.types.port;
      default = 8081;
      description = "The port of the first server; the others have the ports behind it.";
    };

    after = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "postgresql.service" ];
      description = "Units that must have been started before.";
    };

    nginx.hostName = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "registry.example.org";
      description = "The virtual host of nginx that leads to the registry. Certificates are set at services.nginx.virtualHosts, as for any other. Without it, there is none.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = isAlone || cfg.settings.database.url != null || cfg.settings.database.url_file != null || cfg.secrets.database.url_file != null;
        message = "services.docket: several processes need a database server; set settings.database.url or secrets.database.url_file.";
      }
    ];

    systemd.services = if isAlone then alone else servers // workers;

    services.docket.settings.api = lib.mkIf (cfg.nginx.hostName != null) {
      public_url = lib.mkDefault "https://${cfg.nginx.hostName}";
      trusted_proxies = lib.mkDefault [ "127.0.0.1" "::1" ];
    };

    services.nginx = lib.mkIf (cfg.nginx.hostName != null) {
      enable = true;
      recommendedProxySettings = lib.mkDefault true;
      upstreams.docket = {
        servers = lib.genAttrs addresses (_: {
          max_fails = 1;
          fail_timeout = "5s";
        });
        extraConfig = "keepalive 32;";
      };
      virtualHosts.${cfg.nginx.hostName} = {
        extraConfig = "client_max_body_size 2m;";
        locations = {
          "/".proxyPass = "http://docket";
          # A log as it is written: each line goes out at once.
          "~ ^/(logs/|api/v1/jobs/[^/]+/logs/events$)" = {
            proxyPass = "http://docket";
            extraConfig = ''
              proxy_buffering off;
              gzip off;
              proxy_read_timeout 1h;
            '';
          };
          "~ ^/api/v1/jobs/[^/]+/logs/ws$" = {
            proxyPass = "http://docket";
            proxyWebsockets = true;
            extraConfig = ''
              proxy_read_timeout 1h;
              proxy_send_timeout 1h;
            '';
          };
          "/git/" = {
            proxyPass = "http://docket";
            extraConfig = ''
              proxy_request_buffering off;
              proxy_buffering off;
              gzip off;
              client_max_body_size 32m;
              proxy_read_timeout 10m;
            '';
          };
          "= /api/v1/github/webhook" = {
            proxyPass = "http://docket";
            extraConfig = "client_max_body_size 25m;";
          };
          # For Prometheus, which asks docketd itself.
          "= /metrics".return = "404";
        };
      };
    };
  };
}
