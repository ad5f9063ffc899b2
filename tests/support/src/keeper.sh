# Runs one throwaway PostgreSQL for as long as the other end of standard input is open, then removes it. A process
# that ends in whatever way, also by SIGKILL, closes its pipes: that is the signal.
#
# Usage: sh keeper.sh PROGRAMS DIRECTORY PORT   (the settings stand in DIRECTORY/settings; see cluster.rs)
# With a PORT it is a replica of the server there.

programs=$1
directory=$2
origin=$3
data=$directory/data

remove() {
    # A test may have moved the data, and may have ended while the server was frozen: then it cannot stop.
    for held in "$directory"/data*/postmaster.pid; do
        [ -f "$held" ] || continue
        kill -CONT "$(head -n 1 "$held")" 2>/dev/null
        "$programs/pg_ctl" --pgdata="${held%/postmaster.pid}" --mode=immediate --wait stop
    done
    rm -rf "$directory"
}
trap remove EXIT
trap 'exit 1' HUP INT TERM
# The tests may be gone before they could be told that the server is ready.
trap '' PIPE

make() {
    if [ -n "$origin" ]; then
        "$programs/pg_basebackup" --pgdata="$data" --host=127.0.0.1 --port="$origin" --username=parsec \
            --checkpoint=fast --write-recovery-conf --no-sync
    else
        "$programs/initdb" --pgdata="$data" --username=parsec --auth=trust --encoding=UTF8 --locale=C --no-sync
    fi
}

start() {
    make &&
        cat "$directory/settings" >>"$data/postgresql.conf" &&
        "$programs/pg_ctl" --pgdata="$data" --log="$directory/log" --timeout=60 --wait start
}

exec 3>&1 >"$directory/log" 2>&1
if start 3>&-; then
    echo ready >&3
else
    echo failed >&3
fi
exec 3>&-

# Ends with the file: nobody ever writes.
cat >/dev/null
