# A PostgreSQL server for one run alone, for scripts that source this file (bash).
#
#   find_postgres          sets $postgres_bin to the programs of the newest PostgreSQL here; false without one
#   start_postgres         starts a server on a loopback port that the system picked, with default durability; sets $postgres_url and $postgres_data
#   stop_postgres          stops it and removes its files; harmless when none was started

find_postgres() {
  postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
  [ -x "$postgres_bin/initdb" ]
}

as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    setpriv --reuid=postgres --regid="$(id -g postgres)" --clear-groups "$@"
  else
    "$@"
  fi
}

start_postgres() {
  local port
  postgres_folder=$(mktemp -d)
  postgres_data=$postgres_folder/data
  if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || useradd --system postgres
    chown postgres "$postgres_folder"
  fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  say "starting PostgreSQL ($("$postgres_bin/postgres" --version)) on port $port"
  (
    cd /
    as_postgres "$postgres_bin/initdb" -D "$postgres_data" -A trust -U postgres -E UTF8 >"$postgres_folder/log" 2>&1
    as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -w -l "$postgres_data/log" \
      -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$postgres_folder -c max_connections=400" start >>"$postgres_folder/log" 2>&1
  ) || { cat "$postgres_folder/log" >&2; return 1; }
  postgres_url="postgres://postgres@127.0.0.1:$port/postgres"
}

stop_postgres() {
  [ -n "${postgres_folder:-}" ] || return 0
  as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$postgres_folder"
}
