# `docketd` and `docket`, with the programs that docketd calls on its path.
{
  lib,
  rustPlatform,
  makeWrapper,
  git,
  bubblewrap,
  util-linux,
}:
rustPlatform.buildRustPackage {
  pname = "docket";
  version = (lib.importTOML ../Cargo.toml).workspace.package.version;
  src = lib.cleanSource ../.;
  cargoLock.lockFile = ../Cargo.lock;
  nativeBuildInputs = [ makeWrapper ];
  # The tests need PostgreSQL, a browser and npm packages: they run in CI (`tests/run`), not in the build.
  doCheck = false;
  postInstall = ''
    wrapProgram $out/bin/docketd --prefix PATH : ${lib.makeBinPath [ git bubblewrap util-linux ]}
  '';
  meta = {
    description = "A package registry server that shows its work";
    license = lib.licenses.mit;
    mainProgram = "docketd";
  };
}
