# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# Disks that a VM on another host writes to are left alone, whoever asks.

bed_user ctl sh -c 'mkdir -p .local/share/tapgate/gold && qemu-img create -q -f qcow2 .local/share/tapgate/gold/disk.qcow2 16M'
vm gold 192.0.2.23 --disk=/home/alice/.local/share/tapgate/gold/disk.qcow2
did 0 clone gold data
did 0 start data
disks() {
    sha256sum $BED/home/alice/.local/share/tapgate/*/*.qcow2 | sort
}
before=$(disks)
for verb in "clone data data2" "reset data --to-base" "delete data --yes --disks" "snapshot save data one"; do
    # As one who does not know of Slurm.
    # shellcheck disable=SC2086
    bed_user ctl env TAPGATE_ON=here tapgate $verb </dev/null >"$out" 2>"$err" && wrong "$verb ends with 0"
    says "$err" 'is in use'
done
for verb in stop kill; do
    bed_user ctl env TAPGATE_ON=here tapgate $verb data </dev/null >"$out" 2>"$err" &&
        wrong "$verb elsewhere ends with 0"
    says "$err" 'data does not run on this host but on n[12]'
done
[ "$(disks)" = "$before" ] || wrong "the disks are others now"
took "clone, reset, delete, snapshot, stop and kill where it does not run: refused, and it says where"

did 1 reset data --to-base
says "$err" 'data runs'
did 0 reset data --to-base --force
no_job data || wrong "it runs on"
did 0 delete data --yes --disks
[ ! -e $BED/home/alice/.local/share/tapgate/data ] || wrong "files are left over"
nothing_left
took "reset --to-base --force: its power is cut there, and its disks are reset"
