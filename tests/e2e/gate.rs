//! Gates in the middle of a publish: the first attempt that comes to one waits in it until the test opens it; later ones pass.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::asking::wait_for_line;
use crate::harness::{Registry, before_the_compiler, program, run, wait_for};
use crate::postgres::Psql;

/// A gate in a program or a file that the worker needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Fetch,
    Compile,
    Pack,
}

/// Whether nobody was in the gate yet.
const IS_FIRST: &str = "mkdir $dir/entered 2>/dev/null";

/// Ends with the test, whatever became of it.
const WAIT: &str = "while [ -d $dir ] && [ ! -e $dir/open ]; do /bin/sleep 0.05; done";

impl Gate {
    /// Builds the gate into the programs of the registry in `dir`; those of [`Gate::Fetch`] have to be on the path of its worker.
    pub(crate) fn prepare(self, dir: &Path) {
        match self {
            Self::Fetch => {
                let found = run(Command::new("sh").args(["-c", "command -v git"])).expect_code(0);
                let (dir_name, git) = (dir.display(), found.out.trim());
                let script = format!(
                    "dir={dir_name}\ncase \" $* \" in *\" fetch --quiet --depth=1 \"*) if {IS_FIRST}; then {WAIT}; fi;; esac\nexec {git} \"$@\""
                );
                program(&dir.join("bin/git"), &script);
            }
            Self::Compile => {
                let script = format!("if [ \"$1\" = compile ] && {IS_FIRST}; then {WAIT}; fi");
                before_the_compiler(dir, &script);
            }
            // A named pipe among the files of the package, which nobody writes to: packing cannot get past it.
            Self::Pack => {
                let script =
                    format!("if [ \"$1\" = compile ] && {IS_FIRST}; then mkfifo demo-1.0.0/pipe; fi");
                before_the_compiler(dir, &script);
            }
        }
    }

    /// Waits until the first attempt of this job is in the gate.
    pub(crate) fn wait(self, registry: &Registry, job: &str) {
        match self {
            Self::Fetch | Self::Compile => {
                wait_for("the gate", || registry.path("entered").exists().then_some(()));
            }
            Self::Pack => wait_for_line(registry, job, "Packaging and uploading demo@1.0.0"),
        }
    }

    /// Lets the attempt go.
    pub(crate) fn open(self, registry: &Registry) {
        match self {
            Self::Fetch | Self::Compile => fs::write(registry.path("open"), "").unwrap(),
            Self::Pack => {
                // A file takes the place of the pipe: who was stopped or killed at it finds that when it opens it again.
                let script = "find \"$1\" -name pipe | while read -r pipe; do : >\"$pipe.new\" && mv -f \"$pipe.new\" \"$pipe\"; done";
                run(Command::new("sh")
                    .args(["-c", script, "sh"])
                    .arg(registry.path("data/work")))
                .expect_code(0);
            }
        }
    }
}

/// A gate in a PostgreSQL database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Rows,
    End,
}

impl Hold {
    /// Builds the gate: a trigger waits for a lock that the test has.
    pub(crate) fn prepare(self, database: &mut Psql) {
        database.run(
            "CREATE FUNCTION wait_for_the_test() RETURNS trigger AS
             $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$ LANGUAGE plpgsql",
        );
        database.run(match self {
            Self::Rows => {
                "CREATE TRIGGER wait_for_the_test BEFORE INSERT ON package_version
                 FOR EACH ROW EXECUTE FUNCTION wait_for_the_test()"
            }
            Self::End => {
                "CREATE TRIGGER wait_for_the_test BEFORE UPDATE ON job
                 FOR EACH ROW WHEN (NEW.state = 'succeeded') EXECUTE FUNCTION wait_for_the_test()"
            }
        });
        database.run("SELECT pg_advisory_lock(4711)");
    }

    /// Waits until somebody is in the gate.
    pub(crate) fn wait(database: &mut Psql) {
        const WAITING: &str =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
        wait_for("the gate", || (database.number(WAITING) > 0).then_some(()));
    }

    /// Lets everybody go.
    pub(crate) fn open(database: &mut Psql) {
        database.run("SELECT pg_advisory_unlock(4711)");
    }
}
