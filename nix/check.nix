# Evaluates module.nix without nixpkgs: a stand-in for the few functions that it uses, and for what NixOS does with options. Shows that the module
# is sound in itself; only a NixOS can show that it fits there (test.nix).
#
#   nix-instantiate --eval --strict nix/check.nix
let
  inherit (builtins) attrNames concatLists concatMap concatStringsSep elem filter foldl' genList isAttrs length listToAttrs map replaceStrings;
  names = attrNames;
  mapAttrsToList = f: set: map (name: f name set.${name}) (names set);
  filterAttrs = keep: set: listToAttrs (filter (one: keep one.name one.value) (mapAttrsToList (name: value: { inherit name value; }) set));
  filterAttrsRecursive =
    keep: set:
    listToAttrs (
      map (one: one // { value = if isAttrs one.value then filterAttrsRecursive keep one.value else one.value; }) (
        filter (one: keep one.name one.value) (mapAttrsToList (name: value: { inherit name value; }) set)
      )
    );
  lower = [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ];
  upper = [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ];

  lib = {
    inherit concatLists filterAttrs filterAttrsRecursive listToAttrs mapAttrsToList;
    toUpper = replaceStrings lower upper;
    escapeShellArgs = concatStringsSep " ";
    getExe' = package: name: "${package}/bin/${name}";
    range = first: last: genList (n: first + n) (if last < first then 0 else last - first + 1);
    optionalAttrs = condition: set: if condition then set else { };
    genAttrs = list: f: listToAttrs (map (name: { inherit name; value = f name; }) list);
    mkIf = condition: value: if condition then value else null;
    mkDefault = value: value;
    mkOption = option: option // { isOption = true; };
    mkEnableOption = _: { isOption = true; default = false; };
    literalExpression = text: text;
    types = {
      nullOr = _: { };
      listOf = _: { };
      attrsOf = _: { };
      str = { };
      int = { };
      bool = { };
      package = { };
      port = { };
      ints.unsigned = { };
      submodule = module: { inherit (module) options; };
    };
  };

  # What options are when nobody sets them, with what is given put over it; what nobody knows is an error.
  fill =
    options: given:
    let
      unknown = filter (name: !(options ? ${name})) (names given);
    in
    if unknown != [ ] then
      throw "there is no option ${concatStringsSep ", " unknown}"
    else
      builtins.mapAttrs (
        name: option:
        if option ? isOption then
          if option ? type && option.type ? options then fill option.type.options (given.${name} or { }) else given.${name} or option.default
        else
          fill option (given.${name} or { })
      ) options;

  # What the module makes of what somebody says.
  evaluate =
    given:
    let
      pkgs = {
        formats.toml = _: { generate = name: value: "/nix/store/${name}"; };
        callPackage = _: _: "/nix/store/docket";
      };
      made = import ./module.nix {
        inherit lib pkgs;
        config.services.docket = fill made.options.services.docket given;
      };
    in
    made.config;

  alone = evaluate { enable = true; };
  many = evaluate {
    enable = true;
    servers = 2;
    workers = 3;
    settings.database.url = "postgres://docket@localhost/docket";
    secrets.trustees.token_file = "/run/keys/token";
    nginx.hostName = "registry.example.org";
  };
  unit = many.systemd.services."docketd-serve-2";
  holds = what: condition: if condition then true else throw "${what} does not hold";
in
concatMap (result: [ result ]) [
  (holds "one process is the default" (names alone.systemd.services == [ "docketd" ]))
  (holds "it may make namespaces" (elem "@mount" alone.systemd.services.docketd.serviceConfig.SystemCallFilter))
  (holds "there is no virtual host by default" (alone.services.nginx == null))
  (holds "nothing is off when the module is" (evaluate { } == null))
  (holds "five processes" (length (names many.systemd.services) == 5))
  (holds "each server has its port" (
    unit.serviceConfig.ExecStart
    == "/nix/store/docket/bin/docketd --config /nix/store/docket.toml serve --listen 127.0.0.1:8082"
  ))
  (holds "servers may not make namespaces" (unit.serviceConfig.RestrictNamespaces))
  (holds "secrets are credentials" (
    unit.serviceConfig.LoadCredential == [ "trustees.token_file:/run/keys/token" ]
    && unit.environment.DOCKET__TRUSTEES__TOKEN_FILE == "%d/trustees.token_file"
  ))
  (holds "nginx knows both servers" (names many.services.nginx.upstreams.docket.servers == [ "127.0.0.1:8081" "127.0.0.1:8082" ]))
  (holds "people find the virtual host" (many.services.docket.settings.api.public_url == "https://registry.example.org"))
  (holds "several processes need a database server" (
    foldl' (all: one: all && one.assertion) true many.assertions
    && !(foldl' (all: one: all && one.assertion) true (evaluate { enable = true; servers = 1; }).assertions)
  ))
]
