use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

struct Bench {
    dir: tempfile::TempDir,
    workshop: Workshop,
}

fn compiler(version: &str) -> Compiler {
    Compiler {
        version: version.parse().unwrap(),
        path: "purs".into(),
        is_stand_in: false,
    }
}

fn members(list: &[(&str, &str)]) -> BTreeMap<PackageName, Version> {
    list.iter()
        .map(|(name, version)| (name.parse().unwrap(), version.parse().unwrap()))
        .collect()
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        let workshop = Workshop::open(&dir.path().join("sets"), &dir.path().join("elsewhere")).unwrap();
        Self { dir, workshop }
    }

    /// Unpacks `name` at `version`, whose one module holds its version.
    fn install(&self, name: &str, version: &str) {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(version.len() as u64);
        header.set_mode(0o644);
        let path = format!("{name}-{version}/src/Module.purs");
        archive
            .append_data(&mut header, path, version.as_bytes())
            .unwrap();
        let bytes = archive.into_inner().unwrap().finish().unwrap();
        let (name, version) = (name.parse().unwrap(), version.parse().unwrap());
        let digest = Sha256::of(b"tarball");
        self.workshop
            .install(&bytes, &name, version, digest, &SizeRules::default())
            .unwrap();
    }

    fn laid_out(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.workshop.packages())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn output(&self) -> PathBuf {
        self.workshop.build_dir().join("output")
    }
}

#[test]
fn the_compiler_sees_exactly_the_packages_of_each_attempt() {
    let bench = Bench::new();
    for (name, version) in [("a", "1.0.0"), ("a", "2.0.0"), ("b", "1.0.0")] {
        bench.install(name, version);
    }
    for attempt in [
        &[("a", "1.0.0"), ("b", "1.0.0")][..],
        &[("a", "2.0.0")],
        &[],
        &[("a", "1.0.0")],
    ] {
        bench.workshop.lay_out(&members(attempt)).unwrap();
        let expected: Vec<_> = attempt
            .iter()
            .map(|(name, version)| format!("{name}@{version}"))
            .collect();
        assert_eq!(bench.laid_out(), expected);
        for name in &expected {
            assert!(
                bench
                    .workshop
                    .packages()
                    .join(name)
                    .join("src/Module.purs")
                    .exists()
            );
        }
    }
}

#[test]
fn an_attempt_begins_with_the_good_output_and_cannot_spoil_it() {
    let (bench, purs) = (Bench::new(), compiler("0.15.15"));
    bench.workshop.lay_out(&members(&[])).unwrap();
    let old = SystemTime::now() - Duration::from_secs(1000);
    fs::create_dir(bench.output().join("A")).unwrap();
    fs::write(bench.output().join("A/externs.cbor"), "good").unwrap();
    File::options()
        .write(true)
        .open(bench.output().join("A/externs.cbor"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    bench.workshop.keep_output(&purs).unwrap();
    for _ in 0..2 {
        bench.workshop.lay_out(&members(&[])).unwrap();
        let file = bench.output().join("A/externs.cbor");
        assert_eq!(fs::read_to_string(&file).unwrap(), "good");
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), old);
        fs::write(file, "spoilt").unwrap();
    }
}

#[test]
fn what_no_longer_serves_is_cleared_away() {
    let (bench, purs) = (Bench::new(), compiler("0.15.15"));
    for (name, version) in [("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0")] {
        bench.install(name, version);
    }
    bench.workshop.lay_out(&members(&[("a", "1.0.0")])).unwrap();
    bench.workshop.keep_output(&purs).unwrap();
    let digest = Sha256::of(b"tarball");
    let wanted = |names: &[(&str, Sha256)]| -> BTreeMap<(PackageName, Version), Sha256> {
        let version = Version::new(1, 0, 0);
        names
            .iter()
            .map(|(name, digest)| ((name.parse().unwrap(), version), *digest))
            .collect()
    };
    let other = Sha256::of(b"another tarball");
    let in_place = bench
        .workshop
        .tidy(&wanted(&[("a", digest), ("b", other), ("d", digest)]), &purs)
        .unwrap();
    assert_eq!(in_place.len(), 1, "{in_place:?}");
    assert_eq!(bench.laid_out(), ["a@1.0.0"]);
    assert_eq!(fs::read_dir(bench.workshop.store()).unwrap().count(), 0);
    let good = bench.workshop.dir.join("good");
    assert!(good.exists(), "the output of the same compiler stays");
    bench.workshop.tidy(&wanted(&[]), &compiler("0.15.16")).unwrap();
    assert!(!good.exists());
}

/// A worker that is killed while it exchanges outputs leaves one of these behind.
#[test]
fn an_output_without_its_voucher_is_thrown_away() {
    let (bench, purs) = (Bench::new(), compiler("0.15.15"));
    bench.workshop.lay_out(&members(&[])).unwrap();
    bench.workshop.keep_output(&purs).unwrap();
    let dir = &bench.workshop.dir;
    fs::remove_file(dir.join("output.json")).unwrap();
    fs::create_dir(dir.join("old")).unwrap();
    bench.workshop.tidy(&BTreeMap::new(), &purs).unwrap();
    assert!(!dir.join("good").exists() && !dir.join("old").exists());
}

#[test]
fn the_directory_has_one_user_at_a_time() {
    let bench = Bench::new();
    let (kept, elsewhere) = (bench.dir.path().join("sets"), bench.dir.path().join("elsewhere"));
    let clone = bench.workshop.clone();
    let second = Workshop::open(&kept, &elsewhere).unwrap();
    assert!(bench.workshop.is_kept() && !second.is_kept());
    assert!(second.build_dir().starts_with(&elsewhere));
    drop(second);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    drop(bench.workshop);
    assert!(!Workshop::open(&kept, &elsewhere).unwrap().is_kept());
    drop(clone);
    assert!(Workshop::open(&kept, &elsewhere).unwrap().is_kept());
}

/// Who prunes clears the directory only while nobody works there, and the next job makes it again.
#[test]
fn the_directory_is_cleared_while_nobody_works_there() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, elsewhere) = (dir.path().join("sets"), dir.path().join("elsewhere"));
    assert!(clear(&kept).unwrap(), "there is nothing yet");
    let workshop = Workshop::open(&kept, &elsewhere).unwrap();
    assert!(!clear(&kept).unwrap());
    assert!(workshop.store().exists());
    drop(workshop);
    assert!(clear(&kept).unwrap());
    assert!(!kept.join("store").exists() && !kept.join("build").exists());
    assert!(Workshop::open(&kept, &elsewhere).unwrap().is_kept());
}
