#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tapgate new --from=URL, from a server that does what servers do: it redirects, breaks off, has a
# different file by now, lies about checksums, sends more than there is room for. In the lab, as the lab
# user, without any network but lo.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin launcher -- qemu-img python3

# --- words of this test -------------------------------------------------------------------------

site=$LAB/site
store=$data/.images
requests=$LAB/log/requests
mkdir "$site"
python3 -u - "$site" >"$requests" 2>"$LAB/log/server" <<'EOT' &
import http.server, os, sys, time

site = sys.argv[1]

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        print(self.path, self.headers.get("Range", "-"), self.headers.get("If-None-Match", "-"))
        path = self.path
        if path.startswith("/moved/"):
            return self.answer(302, b"", {"Location": "/" + path[7:]})
        if path.startswith("/to-file/"):
            return self.answer(302, b"", {"Location": "file:///etc/passwd"})
        if path.startswith("/round/"):
            return self.answer(302, b"", {"Location": path})
        if path.startswith("/error/"):
            return self.answer(500, b"no" * 100000, {})
        words = path.split("/")
        name = words[-1]
        file = os.path.join(site, name)
        if not os.path.exists(file):
            return self.answer(404, b"<html>no</html>", {})
        body = open(file, "rb").read()
        headers = {"ETag": '"%s-%d"' % (name, os.stat(file).st_mtime_ns)} if words[1] != "no-tag" else {}
        if self.headers.get("If-None-Match") == headers.get("ETag", ""):
            return self.answer(304, None, headers)
        begin = 0
        wanted = self.headers.get("Range")
        if wanted and words[1] != "no-ranges" and self.headers.get("If-Range") == headers.get("ETag"):
            begin = int(wanted[len("bytes="):].rstrip("-"))
            headers["Content-Range"] = "bytes %d-%d/%d" % (begin, len(body) - 1, len(body))
        if words[1] == "huge" and name.endswith(".qcow2"):
            headers["Content-Length"] = str(1 << 50)
        if words[1] == "breaks" and begin == 0 and name.endswith(".qcow2"):
            headers["Content-Length"] = str(len(body))
            body = body[: len(body) // 2]
            self.close_connection = True
        if words[1] == "slow" and name.endswith(".qcow2"):
            time.sleep(2)
        self.answer(206 if begin else 200, body[begin:], headers)

    def answer(self, status, body, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if body is not None and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body or b"")
        except (BrokenPipeError, ConnectionResetError):
            pass

http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
EOT
server=http://127.0.0.1:8080
evidence+=("$requests" "$LAB/log/server")
answers() {
    (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null
}
lab_poll 10 answers || die "no server: $(cat "$LAB/log/server")"

# image NAME BYTE: a new qcow2 on the server, with something in it.
image() {
    qemu-img create -q -f qcow2 "$site/$1" 8M
    qemu-io -f qcow2 -c "write -q -P $2 0 3M" "$site/$1"
}
sums() { # NAME...: what the list says
    (cd "$site" && sha256sum "$@" >SHA256SUMS)
}
# fetched: the only image in the store.
fetched() {
    find "$store" -name '*.qcow2'
}
# nothing_left NAME: neither a VM, nor an image or a part of one.
nothing_left() {
    [ ! -e "$config/$1.conf" ] || wrong "the VM file of $1 is left"
    [ ! -e "$data/$1" ] || wrong "the directory of $1 is left"
    [ -z "$(ls -A "$store" 2>/dev/null)" ] || wrong "left in the store: $(ls -A "$store")"
}
asked() { # REGEX: how often since `: >"$requests"'
    grep -cE "$1" "$requests" || true
}
forget() { # NAME...: VMs, and the store
    local name
    for name in "$@"; do
        did 0 delete "$name" --disks --yes
    done
    rm -rf "$store"
    : >"$requests"
}

# --- what should be -----------------------------------------------------------------------------

image cloud.qcow2 0x11
sums cloud.qcow2
did 0 new a --from="$server/cloud.qcow2" --net=none
says "$out" "^$config/a.conf$"
says "$err" 'over http anybody on the way can change cloud.qcow2'
cmp -s "$(fetched)" "$site/cloud.qcow2" || wrong "another image than the server's"
[ "$(stat -c %a "$(fetched)")" = 444 ] || wrong "the stored image is $(stat -c %a "$(fetched)")"
grep -q "backing=$(fetched)$" "$config/a.conf" || wrong "the VM stands on: $(cat "$config/a.conf")"
did 0 new b --from="$server/cloud.qcow2" --net=none
[ "$(asked '^/cloud.qcow2')" = 1 ] || wrong "it was fetched $(asked '^/cloud.qcow2') times"
did 0 delete a --disks --yes
[ -e "$(fetched)" ] || wrong "the image went with the first VM"
result "an image is fetched once, compared, and read-only"

image cloud.qcow2 0x22
sums cloud.qcow2
before=$(fetched)
did 0 new c --from="$server/cloud.qcow2" --net=none
[ "$(fetched | wc -l)" = 2 ] || wrong "the new release took the old one's place"
did 0 status b --verify
[ -e "$before" ] || wrong "the old release is gone"
forget b c
result "a new release is another image, and VMs keep theirs"

rm "$site/SHA256SUMS"
(cd "$site" && sha512sum --tag cloud.qcow2 >SHA512SUMS)
did 0 new a --from="$server/moved/moved/cloud.qcow2" --net=none
forget a
did 0 new a --from="$server/moved/cloud.qcow2" --sha256="$(sha256sum "$site/cloud.qcow2" | cut -c -64)" --net=none
[ "$(asked SUMS)" = 0 ] || wrong "it asked for a list"
! grep -q 'over http' "$err" || wrong "it warns although the user has said the checksum"
forget a
did 0 new a --from="file://$site/cloud.qcow2" --net=none
forget a
rm "$site/SHA512SUMS"
did 0 new a --from="$server/cloud.qcow2" --net=none
says "$err" 'nothing says what cloud.qcow2 should be'
did 0 new b --from="$server/cloud.qcow2" --net=none
[ "$(asked '^/cloud.qcow2 - "cloud')" = 1 ] || wrong "it did not ask whether it is the same still"
[ "$(fetched | wc -l)" = 1 ] || wrong "it is there twice"
forget a b
result "redirections, SHA512SUMS, --sha256, file:, and a server without any list"

cp "$site/cloud.qcow2" "$site/ubuntu.img"
tg_refused 'ubuntu-' new a --from="$server/ubuntu.img" --net=none
says "$err" ',format=qcow2'
rm -rf "$store"
did 0 new a --from="$server/ubuntu.img,format=qcow2" --net=none
forget a
printf '%065536d' 0 >"$site/install.iso"
did 0 new a --from="$server/install.iso" --net=none
says "$config/a.conf" "^cdrom = $store/install-[0-9a-f]{12}.iso$"
forget a
result "a .img is what one says it is, and an .iso a CD-ROM"

# --- by name ------------------------------------------------------------------------------------

tg_refused "there is no such file, and /etc/tapgate/images.conf knows" new a --from=debian-99
mkdir -p /etc/tapgate
cat >/etc/tapgate/images.conf <<EOT
# the site's
[lab-image]
url = $server/cloud.qcow2
sums = $server/list
memory = 3G
net = none

[second]
url = $server/ubuntu.img
format = qcow2
EOT
(cd "$site" && sha256sum cloud.qcow2 >list)
did 0 new a --from=lab-image
says "$config/a.conf" '^memory = 3G$'
did 0 new b --from=lab-image --memory=2G
says "$config/b.conf" '^memory = 2G$'
! grep -q 3G "$config/b.conf" || wrong "two values: $(cat "$config/b.conf")"
forget a b
did 0 new a --from=second --net=none
forget a
tg_refused 'knows only lab-image, second' new a --from=third
echo other >"$site/list"
tg_refused 'has no checksum of cloud.qcow2' new a --from=lab-image
nothing_left a
echo 'urll = x' >>/etc/tapgate/images.conf
tg_refused "/etc/tapgate/images.conf:11: unknown key" new a --from=second
rm /etc/tapgate/images.conf
result "names of the site's, with settings that the command line overrides"

# --- what goes wrong ----------------------------------------------------------------------------

sums ubuntu.img
sed 's/ubuntu.img/cloud.qcow2/' "$site/SHA256SUMS" >"$site/SHA256SUMS.new"
image cloud.qcow2 0x33
mv "$site/SHA256SUMS.new" "$site/SHA256SUMS"
tg_refused 'is not what its checksum says' new a --from="$server/cloud.qcow2"
nothing_left a
tg_refused 'is not what its checksum says' new a --from="$server/cloud.qcow2" \
    --sha256="$(printf '%064d' 7)"
nothing_left a
result "a wrong checksum: nothing is kept"

sums cloud.qcow2
tg_refused 'the connection broke off' new a --from="$server/breaks/cloud.qcow2" --net=none
says "$err" 'the same command goes on there'
[ ! -e "$config/a.conf" ] || wrong "there is a VM of half an image"
[ -z "$(fetched)" ] || wrong "half an image is in the store"
half=$(stat -c %s "$store"/.*.part)
cp "$site/SHA256SUMS" "$LAB/log/sums"
did 0 new a --from="$server/breaks/cloud.qcow2" --net=none
[ "$(asked "^/breaks/cloud.qcow2 bytes=$half-")" = 1 ] || wrong "it did not ask for the rest"
cmp -s "$(fetched)" "$site/cloud.qcow2" || wrong "what was put together is another image"
forget a
tg_refused 'the connection broke off' new a --from="$server/breaks/cloud.qcow2" --net=none
sleep 0.01
image cloud.qcow2 0x44
sums cloud.qcow2
# What is on the server is another file: its first half is not to be the old one's. That answer is
# whole, since the server here breaks off only what begins at 0 under this name.
tg_refused 'the connection broke off' new a --from="$server/breaks/cloud.qcow2" --net=none
did 0 new a --from="$server/breaks/cloud.qcow2" --net=none
cmp -s "$(fetched)" "$site/cloud.qcow2" || wrong "what was put together is another image"
forget a
result "what broke off goes on where it was, and begins anew when the file is another one"

for url in "$server/none.qcow2" "file://$site/none.qcow2"; do
    tg_refused 'no such file' new a --from="$url"
    nothing_left a
done
tg_refused 'HTTP status 500' new a --from="$server/error/cloud.qcow2"
nothing_left a
tg_refused 'redirects followed' new a --from="$server/round/cloud.qcow2"
nothing_left a
tg_refused 'Protocol "file" not supported' new a --from="$server/to-file/passwd.raw"
nothing_left a
tg_refused '127.0.0.1 port 9' new a --from=http://127.0.0.1:9/x.qcow2
nothing_left a
tg_refused 'no room' new a --from="$server/huge/cloud.qcow2"
nothing_left a
tg_refused 'is compressed' new a --from="$server/x.qcow2.xz"
tg_refused 'does not tell the image' new a --from="$server/image"
nothing_left a
did 2 new a --from="$server/x.qcow2,bus=ide"
did 2 new a --from="$server/cloud.qcow2" --sha256=abc
did 2 new a
: >"$requests"
tg_refused 'there is no public SSH key' new a --from="$server/cloud.qcow2" --seed
[ "$(asked .)" = 0 ] || wrong "it fetched before it knew that there is no key"
nothing_left a
result "no file, no server, no room, a redirection to a file of this host's: said, and nothing is left"

# A disk that fills up although the server did not say how much there is.
mount -t tmpfs -o "size=2m,uid=$LAB_UID,gid=$LAB_UID,mode=0700" small "$LAB/home/.local/share"
tg_refused 'no room' new a --from="$server/cloud.qcow2" --net=none
[ -z "$(find "$LAB/home/.local/share" -type f)" ] || wrong "left: $(find "$LAB/home/.local/share" -type f)"
umount "$LAB/home/.local/share"
result "a full disk stays as it was"

# At the same moment, and one that is interrupted.
(lab_exec "$tapgate" new a --from="$server/slow/cloud.qcow2" --net=none) </dev/null >/dev/null 2>"$LAB/log/a" &
first=$!
(lab_exec "$tapgate" new b --from="$server/slow/cloud.qcow2" --net=none) </dev/null >/dev/null 2>"$LAB/log/b" &
second=$!
wait $first || wrong "the first fails: $(cat "$LAB/log/a")"
wait $second || wrong "the second fails: $(cat "$LAB/log/b")"
[ "$(asked '^/slow/cloud.qcow2')" = 1 ] || wrong "it was fetched $(asked '^/slow/cloud.qcow2') times"
cat "$LAB/log/a" "$LAB/log/b" >"$out"
says "$out" 'another tapgate is fetching'
forget a b
(lab_exec env --default-signal=INT "$tapgate" new a --from="$server/slow/cloud.qcow2" --net=none) </dev/null >/dev/null 2>"$err" &
first=$!
lab_poll 10 grep -q '^/slow/cloud' "$requests" || wrong "no request"
kill -INT $first
status=0
wait $first || status=$?
[ $status = 130 ] || wrong "Ctrl-C ends with $status"
nothing_left a
result "two at the same moment fetch once; Ctrl-C leaves nothing"

summary
