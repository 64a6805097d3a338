#!/bin/bash
# tests/unit/audit_dossier.sh TOP: etc/audit.md, which reviewers read, tells the truth: each test that it names
# exists, each file too, and each system call that the helper's filter lets through is in its table.
# shellcheck disable=SC2016 # backticks are quotes of Markdown
set -euo pipefail
cd "$1"

dossier=etc/audit.md
failed=0
wrong() {
    echo "$dossier: $*"
    failed=1
}

tests=$(sed -nE 's/^(TEST|TEST_F|TEST_P)\(([A-Za-z0-9_]+), ?([A-Za-z0-9_]+)\).*/\2.\3/p' tests/system/*.cc)
while read -r name; do
    grep -qxF -- "$name" <<<"$tests" || wrong "no test is called $name"
done < <(grep -oE '`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+`' $dossier | tr -d '`' | sort -u)

while read -r file; do
    compgen -G "$file" >/dev/null || wrong "there is no $file"
done < <(grep -oE '`(helper|common|tests|etc|selinux)/[A-Za-z0-9_/.*]+`' $dossier | tr -d '`' | sort -u)

calls=$(sed -n '/^void allow_what_a_port_takes/,/^#ifdef TAPGATE_SANITIZED/s/.*filter\.allow(SCMP_SYS(\([a-z0-9_]*\)).*/\1/p' \
    helper/syscall_filter_generator.cc | sort -u)
[ "$(wc -l <<<"$calls")" -gt 10 ] || wrong "the filter's calls are not found in helper/syscall_filter_generator.cc"
for call in $calls; do
    sed -n '/^| call | for |/,/^$/p' $dossier | grep -q "\`$call\`" || wrong "the filter lets $call through, and the table has it not"
done
exit $failed
