#!/bin/sh
# Size guard: 600 lines a file, 60 a function (from its { to its }, both in column one), 100 columns. Lists in .def
# files are exempt from the columns: a row is one sentence for a person, and breaking it would hide that it is a row.
# An exception is a line here, with its reason:  allowed_files="src/room/file.c".
cd "$(dirname "$0")/../.." || exit 1
allowed_files=""

find src include tests -name '*.[ch]' -type f | sort | LC_ALL=C xargs awk -v allowed=" $allowed_files " '
    function report(text) { print FILENAME ":" FNR ": " text; bad = 1 }
    function too_long() { if (name != "" && lines > 600 && !index(allowed, " " name " ")) {
        print name ": " lines " lines, more than 600"; bad = 1 } }
    FNR == 1 { too_long(); name = FILENAME; inside = 0; guarded = FILENAME ~ /^(src|include)\// }
    { lines = FNR }
    guarded {
        text = $0
        gsub(/[\200-\277]/, "", text)           # bytes that continue a UTF-8 character take no column
        if (length(text) > 100) report(length(text) " columns, more than 100")
    }
    /^\{/ { inside = 1; start = FNR }
    /^\}/ && inside { inside = 0; if (FNR - start + 1 > 60) report("a function of " FNR - start + 1 " lines, more than 60") }
    END { too_long(); exit bad }
'
