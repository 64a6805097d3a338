# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# A lab, of which Slurm puts some VMs on one node and some on the other: they are one LAN.

cat >$BED/home/alice/rhce.conf <<END
# A class, the server first, wherever Slurm finds room
on = slurm,partition=vms
accel = tcg
kernel = /home/guest/kernel
initrd = /home/guest/initramfs.cpio
memory = 96M

[server]
append = $append tapgate.hold=3600 tapgate.ip=192.0.2.10/24

[client]
count = 4
after = server:address
append = $append tapgate.hold=3600 tapgate.ip=192.0.2.1{n}/24 tapgate.ping=192.0.2.10
END
did 0 lab status rhce.conf
says "$out" '^rhce-server-1 +not made '
did 0 lab up rhce.conf
says "$out" '^the lab rhce runs$'
for i in 1 2 3 4; do
    guest_says "rhce-client-$i" '^PASS'
done
[ "$(bed_root ctl squeue -h -t R -o '%j %N' | sed -n 's/^tapgate-rhce.* //p' | sort -u | wc -l)" = 2 ] || wrong "they are not on two nodes"
took "lab up: 5 guests on two nodes are one LAN"

did 0 lab status rhce.conf
says "$out" '^NAME +STATE +UP +MEMORY +ADDRESS +NODE$'
says "$out" '^rhce-client-4 +running +[0-9:]+ +96M .* n[12]$'
did 0 list
says "$out" '^NAME +STATE +UP +PID +ACCEL +NETWORK +NODE +LIMIT +JOB$'
says "$out" '^rhce-server-1 +running +[0-9:]+ .* n[12] +1:00:00 +[0-9]+$'
did 1 lab reset rhce.conf
did 0 lab up rhce.conf
[ ! -s "$err" ] || ! grep -q 'waiting for Slurm' "$err" || wrong "a VM was started again"
lab_down() {
    tg lab down rhce.conf --timeout=60
}
lab_down
for i in 1 2 3 4; do
    if [ "$status" = 1 ] && hangs "rhce-client-$i" "192.0.2.1$i"; then
        echo "# the guest of rhce-client-$i hangs: it answers no ping, and saw no power button; its power is cut"
        did 0 kill "rhce-client-$i"
        lab_down
    fi
done
[ "$status" = 0 ] || wrong "lab down ends with $status: $(tail -n 3 "$err")"
nothing_left
did 0 lab status rhce.conf
says "$out" '^rhce-client-4 +off '
did 0 lab destroy rhce.conf --yes
[ -z "$(find $BED/home/alice/.config/tapgate $BED/home/alice/.local/share/tapgate -name 'rhce-*')" ] ||
    wrong "files of the lab are left over"
took "status, list, down, destroy: nothing is left on any node"
