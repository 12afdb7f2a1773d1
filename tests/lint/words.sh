#!/bin/sh
# No notes to oneself and no paths of one person's machine in what we publish.
cd "$(dirname "$0")/../.." || exit 1

files=$(find CMakeLists.txt CMakePresets.json cmake src include tests migrations scripts docs examples README.md \
    -type f ! -path tests/lint/words.sh ! -path '*/fuzz/corpus/*' ! -path '*/node_modules/*' 2>/dev/null)
bad=0
# shellcheck disable=SC2086
grep -InwE 'TODO|FIXME|XXX|HACK' $files | grep -v '"XXX"' && bad=1      # "XXX" is the code of no currency
# shellcheck disable=SC2086
grep -InE '(^|[^A-Za-z0-9_.$}>*-])/(work|root|Users)/[A-Za-z0-9._]' $files && bad=1
exit $bad
