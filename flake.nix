{
  description = "Docket, a package registry server that shows its work";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: { default = pkgs.callPackage ./nix/package.nix { }; });
      nixosModules.default = import ./nix/module.nix;
      # In virtual machines: `nix flake check` builds and runs it.
      checks = forEach (pkgs: {
        vm = pkgs.testers.runNixOSTest (import ./nix/test.nix { inherit self; });
      });
      devShells = forEach (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [ cargo rustc rustfmt clippy git bubblewrap postgresql nodejs openssh python3 ];
        };
      });
    };
}
