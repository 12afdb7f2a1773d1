#!/bin/sh
# How a URL compares with a bare node:http server on this machine.
set -eu
usage() {
    cat <<'END'
usage: compare.sh [options] URL
  URL          http://127.0.0.1:PORT/...
  -X METHOD    of the request (GET)
  -H HEADER    "Name: value"; may be repeated
  -b FILE      request body
  -c LIST      connections, as in 1,8,64
  -s SECONDS   of each measurement (2)
  -n ROUNDS    (5)
  -p PID       of our server: shows its CPU microseconds a request as well
Both sides are measured in turns, who goes first changes every round. Shown are medians, and the median, least and most of
the rounds' ratios. Anything under 10 % is noise. Needs wrk and node.
END
}
die() {
    echo "compare.sh: $*" >&2
    exit 2
}
method=GET body=- connections=1,8,64 seconds=2 rounds=5 pid=
scratch=$(mktemp -d)
baseline=
finish() {
    [ -z "$baseline" ] || kill "$baseline" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT INT TERM
: >"$scratch/headers"
while getopts X:H:b:c:s:n:p:h option; do
    case $option in
    X) method=$OPTARG ;;
    H) printf '%s\n' "$OPTARG" >>"$scratch/headers" ;;
    b) body=$(realpath "$OPTARG") ;;
    c) connections=$OPTARG ;;
    s) seconds=$OPTARG ;;
    n) rounds=$OPTARG ;;
    p) pid=$OPTARG ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || { usage >&2 && exit 2; }
url=$1
case $url in http://127.0.0.1:[0-9]*) ;; *) die "only http://127.0.0.1:PORT/ is measured" ;; esac
command -v wrk >/dev/null || die "wrk is not installed"
command -v node >/dev/null || die "node is not installed"
here=$(cd "$(dirname "$0")" && pwd)

unset NODE_EXTRA_CA_CERTS
node_port=$(node -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
PORT=$node_port node "$here/echo_http.js" &
baseline=$!
tries=0
until curl -so /dev/null "http://127.0.0.1:$node_port/"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || die "the baseline does not start"
    sleep 0.05
done

# User and system time of a process, in clock ticks.
ticks() {
    if [ -n "$1" ]; then sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; else echo 0; fi
}
measure() { # WHO URL PID
    threads=2
    [ "$current" -ge 8 ] || threads=1
    before=$(ticks "$3")
    numbers=$(
        target=$2
        set -- "$method" "$body"
        while IFS= read -r header; do set -- "$@" "$header"; done <"$scratch/headers"
        wrk -t $threads -c "$current" -d "${seconds}s" --timeout 30s -s "$here/request.lua" "$target" -- "$@" |
            sed -n 's/^NUMBERS //p'
    )
    echo "$1 $current $numbers $(($(ticks "$3") - before))" >>"$scratch/rows"
}
run() { # WHO
    if [ "$1" = ours ]; then measure ours "$url" "$pid"; else measure node "http://127.0.0.1:$node_port/" "$baseline"; fi
}
round=0
while [ $round -lt "$rounds" ]; do
    for current in $(echo "$connections" | tr ',' ' '); do
        if [ $((round % 2)) -eq 0 ]; then run ours && run node; else run node && run ours; fi
    done
    round=$((round + 1))
done

# rows: who connections requests microseconds p50 p99 failures ticks
awk -v hertz="$(getconf CLK_TCK)" '
    function median(list, n,    i, j, swap) {
        for (i = 1; i < n; i++)
            for (j = i; j > 0 && list[j - 1] > list[j]; j--) { swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap }
        return n % 2 ? list[int(n / 2)] : (list[n / 2 - 1] + list[n / 2]) / 2
    }
    function of(who, what, c,    i, list) {
        for (i = 0; i < count[who, c]; i++) list[i] = value[who, what, c, i]
        return median(list, count[who, c])
    }
    {
        i = count[$1, $2]++
        if (!($2 in seen)) { seen[$2] = 1; order[n++] = $2 }
        value[$1, "rate", $2, i] = $3 * 1e6 / $4
        value[$1, "p50", $2, i] = $5
        value[$1, "p99", $2, i] = $6
        value[$1, "cpu", $2, i] = $3 ? $8 * 1e6 / hertz / $3 : 0
        if ($1 == "ours") failures[$2] += $7
    }
    END {
        printf "%5s %10s %10s %7s %13s %9s %9s %9s %9s %9s %9s %8s\n", "conns", "ours/s", "node/s", "ratio", "(least-most)",
            "ours p50", "node p50", "ours p99", "node p99", "ours cpu", "node cpu", "failures"
        for (k = 0; k < n; k++) {
            c = order[k]
            least = 1e9; most = 0
            for (i = 0; i < count["ours", c]; i++) {
                ratio[i] = value["ours", "rate", c, i] / value["node", "rate", c, i]
                if (ratio[i] < least) least = ratio[i]
                if (ratio[i] > most) most = ratio[i]
            }
            printf "%5d %10d %10d %7.2f %13s %9d %9d %9d %9d %9.1f %9.1f %8d\n", c, of("ours", "rate", c),
                of("node", "rate", c), median(ratio, count["ours", c]), sprintf("%.2f-%.2f", least, most),
                of("ours", "p50", c), of("node", "p50", c), of("ours", "p99", c), of("node", "p99", c),
                of("ours", "cpu", c), of("node", "cpu", c), failures[c]
        }
    }
' "$scratch/rows"
