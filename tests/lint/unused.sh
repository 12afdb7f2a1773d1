#!/bin/sh
# A function that a header declares is called, or named in a table, somewhere in src/ besides its definition, and in a
# file other than that of its definition: else it is static there. Names are counted as words in the .c, .h and .def files
# of src/ and include/ without comments: its prototype and its definition are two. `allowed` lists those that only tests
# and programs of tests/ call, with the reason; what tests name need not be static.
set -eu
cd "$(dirname "$0")/../.."

allowed='
store_fail_after                 faults on purpose
sandbox_memory                   what limits are measured by
fd_remove_tree                   scratch directories
http_body_data                   the echo server
http_body_size                   the echo server
lanes_waiting                    waiting without a clock
store_backlog                    waiting without a clock
store_execution_each_scheduled   what is due is looked at
run_cancel                       calls that are given up
variable_release                 by way of auto_variable; a macro defines it
'

find src include tests \( -name '*.c' -o -name '*.h' -o -name '*.def' \) -print | sort | xargs awk -v allowed="$allowed" '
BEGIN {
    count = split(allowed, lines, "\n")
    for (i = 1; i <= count; i++) { split(lines[i], words, " "); if (words[1] != "") is_allowed[words[1]] = 1 }
}
FNR == 1 { in_comment = 0; is_test = FILENAME ~ /^tests\//; is_header = !is_test && FILENAME ~ /\.h$/ }
{
    line = $0
    if (in_comment) { if (!sub(/^.*\*\//, "", line)) next; in_comment = 0 }
    gsub(/\047"\047/, " ", line)
    gsub(/"([^"\\]|\\.)*"/, " ", line) # before comments: a text may look like the beginning of one
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ", line)
    if (sub(/\/\*.*/, "", line)) in_comment = 1
    if (is_header && line ~ /^[a-z].*[ *][a-z_0-9]+\(/ && line !~ /^(typedef|static|struct [a-z_]+ \{|return)/) {
        name = line; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); declared[name] = FILENAME
    }
    while (match(line, /[A-Za-z_][A-Za-z_0-9]*/)) {
        word = substr(line, RSTART, RLENGTH)
        if (is_test) in_tests[word] = 1
        else { seen[word]++; if (last_file[word] != FILENAME) files[word]++; last_file[word] = FILENAME }
        if (is_header) in_headers[word]++
        line = substr(line, RSTART + RLENGTH)
    }
}
END {
    for (name in declared) {
        is_alone = files[name] == 2 && in_headers[name] == 1 && !(name in in_tests)
        if (name in is_allowed) continue
        if (seen[name] <= 2) why = "is used nowhere"
        else if (!is_alone) continue
        else why = "is used in its own file alone: make it static"
        print declared[name] ": " name " " why
        bad = 1
    }
    for (name in is_allowed)
        if (!(name in declared) || seen[name] > 2) { print "tests/lint/unused.sh: " name " needs no exception"; bad = 1 }
    exit bad
}'
