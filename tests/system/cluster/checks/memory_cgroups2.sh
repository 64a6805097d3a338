# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# The job's memory in version 2 of cgroups.

# The memory controller is in one version of cgroups, here mostly in the first: a kernel of its own.
mapfile -t linked < <({ ldd "$launcher" && ldd "$(command -v qemu-system-x86_64)"; } | grep -o '/[^ ]*' | sort -u)
for file in /usr/share/seabios/bios-256k.bin /usr/share/qemu/{linuxboot,linuxboot_dma,kvmvapic}.bin \
    /usr/lib/x86_64-linux-gnu/qemu/accel-tcg-*.so; do
    [ ! -e "$file" ] || linked+=("$file")
done
"$top/tests/guest/build" "$TAPGATE_GUEST" $LAB/memory2.cpio "$here/cluster/memory2" "$launcher" \
    "$(command -v qemu-system-x86_64)" "$TAPGATE_GUEST/vmlinuz" "${linked[@]}"
timeout $((120 * LAB_PATIENCE)) qemu-system-x86_64 -accel tcg -m 1024 -nodefaults -no-user-config -nographic \
    -serial stdio -no-reboot -nic none -kernel "$TAPGATE_GUEST/kernel" -initrd $LAB/memory2.cpio \
    -append "$GUEST_KERNEL cgroup_no_v1=all" </dev/null 2>&1 |
    tr -d '\r' >"$out" || wrong "the guest does not come to its end"
: >"$err"
part() { # NAME REGEX: what the guest says of it
    awk -v name="$1" '/^[A-Z]+-[0-9A-Z]+$/ { is = $0 == name } is' "$out" | matches -E "$2" || wrong "$1: not '$2'"
}
says "$out" '^CONTROLLERS .*memory'
says "$out" '^PASS$'
part DOCTOR-MAX '"text": "[0-9]+ MiB available"$'
# The kernel's own number, which grows while a guest that has just booted frees what it booted from.
awk '$1 == "FREE" { free[++n] = $2 }
    /"text": "[0-9]+ MiB available"/ { split($0, word, "\""); said = word[4] + 0 }
    END { exit !(n == 2 && said >= free[1] - 16 && said <= free[2] + 16) }' "$out" || wrong "doctor's number is not the kernel's"
part DOCTOR-150M '"text": "1[34][0-9] MiB available \(of the limit of this job or session, 150 MiB\)"$'
part LAB-150M 'and 1[34][0-9] MiB are to spare of the limit of this job or session, 150 MiB;'
part LAB-150M '^EXIT 1$'
part QEMU-60M '^tapgate: the kernel has killed QEMU .* the limit of this job or session is 60 MiB'
part QEMU-60M '^EXIT 1$'
part QEMU-12M '^tapgate: the kernel has killed QEMU .* the limit of this job or session is 12 MiB'
part QEMU-12M '^EXIT 1$'
took "cgroups, version 2: the job's memory in doctor and lab up, and the error when the kernel kills QEMU"
