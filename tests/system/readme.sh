#!/bin/bash
# The README's commands, as printed: those of a section up to the next one are typed into a shell, and
# then a user runs a guest with what they installed. They install things, so run this on a machine that
# nobody needs any more (../guest/debian-machine).
#
#   tests/system/readme.sh packages|directly
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"

# typed FROM TO: the commands between the line that begins with FROM and the one that does with TO.
typed() {
    sed -n "/^$1/,/^$2/s/^    //p" README.md
}
case ${1:-} in
packages) commands=$(typed 'The build needs' 'As packages' && typed 'As packages' 'Or without packages') ;;
directly) commands=$(typed 'The build needs' 'As packages' && typed 'Or without packages' '| option') ;;
*)
    echo "usage: tests/system/readme.sh packages|directly" >&2
    exit 2
    ;;
esac
if [ "$(id -u)" != 0 ] || [ ! -e /share ]; then
    echo "readme.sh: only on a machine that tests/guest/debian-machine made: it installs packages" >&2
    exit 1
fi

echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/assume-yes
apt-get update -q
# It is root who types.
bash -euxo pipefail -c "sudo() { \"\$@\"; }
$commands"

apt-get install -q --no-install-recommends qemu-system-x86 busybox-static cpio lz4 iproute2 util-linux
MUST_WORK=1 tests/system/installed.sh
