#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An include that goes where a folder of the launcher may not go is named with file and line, and so are
# includes that go in a circle.
#
# Usage: includes.sh CMAKE check_includes.cmake
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/launcher/vm"

check() { # prints what is wrong; its exit code
    "$1" -DROOT="$work" -DPART=vm -DUSES=base -P "$2" 2>&1
}
expect() { # EXPECTED-LINE CMAKE SCRIPT
    local said
    if said=$(check "$2" "$3"); then
        echo "passed, where it should have said: $1"
        exit 1
    fi
    grep -qxF -- "$1" <<<"$said" || { echo "it said: $said"; echo "and not: $1"; exit 1; }
}

printf '#include "launcher/vm/spec.h"\n' >"$work/launcher/vm/file.cc"
printf '#include <string>\n#include "common/names.h"\n#include "launcher/base/text.h"\n' \
    >"$work/launcher/vm/spec.h"
check "$@" || exit 1

printf '// Mine.\n\n#include "launcher/run/host.h"\n' >"$work/launcher/vm/file.h"
expect 'launcher/vm/file.h:3: launcher/vm may not include launcher/run/host.h; it may use base' "$@"
printf '#include "helper/tap.h"\n' >"$work/launcher/vm/file.h"
expect 'launcher/vm/file.h:1: launcher/vm may not include helper/tap.h; it may use base' "$@"
rm "$work/launcher/vm/file.h"

printf '#include "launcher/vm/file.h"\n' >"$work/launcher/vm/spec.cc"
expect 'launcher/vm: these include one another in a circle: launcher/vm/file, launcher/vm/spec' "$@"

# A folder in a folder: it stands in the table by itself, and who may use the outer one may use it.
printf '#include "launcher/base/disk/place.h"\n' >"$work/launcher/vm/spec.cc"
check "$@" || exit 1
printf '#include "launcher/run/disk/place.h"\n' >"$work/launcher/vm/spec.cc"
expect 'launcher/vm/spec.cc:1: launcher/vm may not include launcher/run/disk/place.h; it may use base' "$@"
