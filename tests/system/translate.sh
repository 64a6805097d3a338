#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The real QEMU accepts what `tapgate translate` makes of old command lines, and `tapgate import` of
# domains: each case in the cases.txt of tests/unit/foreign/{translate,domains} is started, with images
# of the formats in the descriptions, and asked over QMP how it is. There are no bridges here: adapters
# are behind QEMU's own NAT instead.
#
# Usage: translate.sh TAPGATE.
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_alone --net
ip route add 224.0.0.0/4 dev lo # for adapters on a multicast address
home_begin qemu-system-x86_64 qemu-img
cases=$here/../unit/foreign
qemu=
# shellcheck disable=SC2317 # called by home.sh
at_end() {
    [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true
}
unset XDG_DATA_HOME # as most people have it
images=$work/data
mkdir -p "$images/dir" "$XDG_CONFIG_HOME/tapgate"
cd "$images"

# The images of a VM file, each made once.
make_images() {
    local path format
    while IFS=$'\t' read -r path format; do
        path=${path//,,/,}
        [ -e "$path" ] && continue
        mkdir -p "${path%/*}"
        qemu-img create -q -f "$format" -- "$path" 8M || return
    done < <(sed -nE 's/^disk = (.*),format=([a-z0-9]+),bus=.*/\1\t\2/p' "$1")
    while read -r path; do
        [ -e "$path" ] || truncate -s 2M "$path"
    done < <(sed -nE 's/^(cdrom|kernel|initrd) = //p' "$1")
}

# Those of arguments that are kept.
truncate -s 1440K dos.img floppy.img
truncate -s 8M stick.raw
qemu-img create -q -f qed old.qed 8M
qemu-img create -q -f qcow2 n.qcow2 8M
qemu-img create -q -f qcow2 OpenCore.qcow2 8M
truncate -s 8M vm-100-disk-0.raw b.raw whole.raw base.raw card.raw e.raw
qemu-img create -q -f qcow2 given.qcow2 8M
qemu-img create -q -f qcow2 base.qcow2 8M
qemu-img create -q -f qcow2 base-52-disk-0.qcow2 8M
qemu-img create -q -f qcow2 -b base.raw -F raw top.qcow2 8M
qemu-img create -q -f qcow2 -o data_file=bulk head.qcow2 8M
printf secret >key
for image in luks:a.luks qcow2:locked.qcow2 qcow2:closed.qcow2; do
    locks=(key-secret=s iter-time=10)
    [ "${image%:*}" = luks ] || locks=("${locks[@]/#/encrypt.}" encrypt.format=luks)
    qemu-img create -q -f "${image%:*}" --object secret,id=s,file=key -o "$(IFS=, && echo "${locks[*]}")" "${image#*:}" 8M
done
truncate -s 64 first.dat slic.dat msdm.dat
truncate -s 64K my.bin my.rom nic.rom card.rom

# The UEFI variables that the command line names, which a start would make: ovmf's template.
make_variables() { # ARGUMENTS...
    local path
    path=$(printf '%s\n' "$@" | sed -nE 's/.*"filename":"([^"]*uefi(-secure)?-variables\.qcow2)".*/\1/p')
    [ -n "$path" ] && [ ! -e "$path" ] || return 0
    mkdir -p "${path%/*}"
    qemu-img convert -q -f raw -O qcow2 /usr/share/OVMF/OVMF_VARS_4M.fd "$path"
}

# start: QEMU comes to the point where it answers; otherwise $problem says what came instead.
start() {
    local arguments left=2400 status=0 # times 50 ms; for 255 processors, on a host that has more to do
    rm -rf "$XDG_RUNTIME_DIR/tapgate"
    mkdir -p "$XDG_RUNTIME_DIR/tapgate/vm"
    # `tapgate start' would serve these, and QEMU alone waits for that; shares.sh does.
    sed -i '/^share = .*via=virtiofs/d' "$conf"
    local less=--memory=64M
    # What the memory lies in has its size, too.
    if grep -qE '^qemu-arg = .*(memory-backend=|memdev=|maxmem=)' "$conf"; then less=; fi
    mapfile -d '' -t arguments < <("$tapgate" argv vm --null --accel=tcg ${less:+"$less"} 2>"$work/qemu.log")
    if [ ${#arguments[@]} = 0 ]; then
        problem="there is no command line"
        return
    fi
    make_variables "${arguments[@]}"
    rm -f "$work/qmp"
    mkfifo "$work/qmp"
    exec 3<>"$work/qmp" # for writing too, so that it never ends
    printf '{"execute":"%s"}\n' qmp_capabilities query-status >&3
    : >"$work/replies"
    "${arguments[@]}" -S -qmp stdio <"$work/qmp" 3>&- >"$work/replies" 2>"$work/qemu.log" &
    qemu=$!
    until grep -qs prelaunch "$work/replies"; do
        kill -0 "$qemu" 2>/dev/null || break
        [ $((left -= 1)) -gt 0 ] || break
        sleep 0.05
    done
    kill -KILL "$qemu" 2>/dev/null || true
    wait "$qemu" 2>/dev/null || status=$?
    qemu=
    grep -qs prelaunch "$work/replies" || problem="QEMU does not start: status $status, $left looks left"
}

conf=$XDG_CONFIG_HOME/tapgate/vm.conf
not_translated=0
# not_taken KIND NAME: refused here, as expected.txt says; why is in $work/error.
not_taken() {
    not_translated=$((not_translated + 1))
    awk -v name="$2" '/^== / { is = substr($0, 4) == name } is && /^error: / { found = 1 } END { exit !found }' \
        "$cases/$1/expected.txt" || not_ok "$1: $2" "it is refused: $(cat "$work/error")"
}
# What is kept of an option goes, where its value begins so.
drop_arguments() { # OPTION [VALUE]
    sed -i "/^qemu-arg = $1\$/{N;/\n.*= ${2:-}/d}" "$conf"
}

# A kernel that is none is refused, so one case has a real one or is left out.
run_case() { # NAME
    # Which of its files are there decides what it does.
    if [ "$1" = "the first of several firmwares that is there" ]; then
        truncate -s 64K there.fd
        sed -i "s:/data/:$images/:g" "$work/case"
    fi
    if ! "$tapgate" translate "$work/case" >"$conf" 2>"$work/error"; then
        not_taken translate "$1"
        return
    fi
    case $1 in
    # Nobody serves them here, or QEMU 7.2 has none.
    "a sound card on virtio" | "an image on the network" | "a vhost-user adapter keeps its socket" | "huge pages of libvirt's, and of Proxmox'" | \
        "-mem-path of libvirt's" | "a TPM and a shared directory whose programs are started before" | \
        "a throttled disk on iSCSI, as Proxmox has it" | "a disk on the network between two others" | \
        "Proxmox: a snapshot on the network below a disk, which has limits" | "a directory by virtiofs, whose server stays" | \
        "what stands behind backslashes, copied from ps") return 0 ;;
    "a kernel") sed -i '/^\(kernel\|initrd\|append\) = /d' "$conf" ;;
    "modules of a multiboot kernel") sed -i '/^kernel = /d' "$conf" && drop_arguments -initrd ;;
    # More than 255 need KVM's interrupt controller; a shim came with QEMU 10.
    "more CPUs than cpus= has"*) drop_arguments -smp && drop_arguments -device intel-iommu ;;
    "a share of a network that is kept") drop_arguments -shim ;;
    # The test itself asks QEMU on its standard input.
    "a console where nobody types") sed -i 's/= stdio,mux=on/= null/' "$conf" ;;
    "an adapter whose slot depends on a file that is not here") drop_arguments -readconfig ;;
    esac
    # Nothing is made or opened outside of the work directory.
    sed -i -E "s:(^|[^[:alnum:]])/(data|dev/pve|tmp/images)/:\\1$images/:g; s:/dev/sr0$:$images/sr0:" "$conf"
    start_conf "$1"
}

# What import makes of a domain: its images are in the work directory.
run_domain() { # NAME
    # What is not here: a server, a card of the host's, a firmware, a bridge.
    case $1 in
    "on the network" | "a screen, a sound card, host devices" | "a firmware of one's own" | \
        "a BIOS of one's own without a type, a CPU that does not migrate" | "adapters on sockets" | \
        "a card of the host's, and ACPI tables of one's own" | "all of libvirt's elements" | "programs beside QEMU, and devices of the host's" | \
        "disks on the network, each as QEMU has it" | "cards by their decimal places, sticks of one kind, two SCSI controllers" | \
        "more CPUs than cpus = has"*) return 0 ;;
    "a kernel") sed -i -E 's:<(kernel|initrd|cmdline)>[^<]*</[a-z]*>::g' "$work/case" ;;
    esac
    # No huge pages are set aside here, no card is vfio-pci's, nobody serves a socket, and of IOMMUs QEMU has one.
    sed -i -E "s:<hugepages.*(</hugepages>|<hugepages/>)::; s:<hugepages/>::; s:<(disk|interface) type='(nvme|vhostuser|vdpa)'.*</(disk|interface)>::
        s:<vsock .*</vsock>::; s:<channel .*mode='connect'.*</channel>::; s:<iommu .*</iommu>(<iommu ):\\1:; s:(<table [^>]*>)/i/:\\1$images/:g" "$work/case"
    sed -i -E "s:(file|dev)='(/[^']*/)([^/']+)':\\1='$images/\\3':g; s:<source dir='/[^']*':<source dir='$images/dir':g; s:(<path>|<source [^>]*path=')/i/:\\1$images/:g" "$work/case"
    mv "$work/case" "$work/case.xml"
    rm -f "$conf"
    if ! "$tapgate" import --yes "$work/case.xml" vm >"$work/out" 2>"$work/error"; then
        not_taken domains "$1"
        return
    fi
    start_conf "$1"
}

# What import makes of an appliance: its disks are made as its descriptor names them.
run_appliance() { # NAME
    local file
    rm -rf "$work/appliance" "$conf" "$HOME/.local/share/tapgate/vm"
    mkdir "$work/appliance"
    mv "$work/case" "$work/appliance/vm.ovf"
    while read -r file; do
        case $file in
        ./*) file=${file#./} ;;
        /* | ..*) continue ;;
        esac
        mkdir -p "$work/appliance/$(dirname "$file")"
        case $file in
        *.qcow2.gz) qemu-img create -q -f qcow2 "$work/appliance/${file%.gz}" 8M && gzip "$work/appliance/${file%.gz}" ;;
        *.vmdk) qemu-img create -q -f vmdk -o subformat=streamOptimized "$work/appliance/$file" 8M ;;
        *.qcow2 | *.vdi) qemu-img create -q -f "${file##*.}" "$work/appliance/$file" 8M ;;
        *.vhd) qemu-img create -q -f vpc -o force_size=on "$work/appliance/$file" 8M ;;
        *)
            # oVirt's files have no ending that tells.
            if grep -qE "fileRef=\"$file\"[^>]*volume-format=\"COW\"" "$work/appliance/vm.ovf"; then
                qemu-img create -q -f qcow2 "$work/appliance/$file" 8M
            else
                truncate -s 1M "$work/appliance/$file"
            fi
            ;;
        esac
    done < <(grep -oE 'ovf:href="[^"]*"' "$work/appliance/vm.ovf" | cut -d'"' -f2)
    if ! "$tapgate" import --yes "$work/appliance/vm.ovf" vm >"$work/out" 2>"$work/error"; then
        not_taken appliances "$1"
        return
    fi
    start_conf "appliance: $1"
}

# start_conf NAME: with what is here.
start_conf() {
    # No card is vfio-pci's here: one of QEMU's is in its place.
    sed -i -E '/^qemu-arg = vfio-pci/{s/vfio-pci(-nohotplug)?/pci-testdev/;s/,(host|sysfsdev|x-[a-z-]*|rombar|bootindex|display|driver)=[^,]*//g}' "$conf"
    sed -i -E "s:=/dev/shm/:=$images/:g" "$conf"
    # -cpu host is KVM's.
    sed -i -E "s/^net = bridge:[^,]*/net = user/; /^net = /s/,queues=[0-9]+//; s/^cpu = host/cpu = max/" "$conf"
    make_images "$conf"
    evidence=("$work/qemu.log" "$work/replies" "$conf")
    start
    result "$1"
}

# run NAME KIND: the case that is in $work/case.
run() {
    case $2 in
    translate) run_case "$1" ;;
    domains) run_domain "$1" ;;
    appliances) run_appliance "$1" ;;
    esac
}

# each_case KIND: those of its cases.txt.
each_case() {
    local name='' line
    while IFS= read -r line; do
        if [[ $line == "== "* ]]; then
            [ -z "$name" ] || run "$name" "$1"
            name=${line#== }
            : >"$work/case"
        else
            printf '%s\n' "$line" >>"$work/case"
        fi
    done <"$cases/$1/cases.txt"
    run "$name" "$1"
}

each_case translate
commands=$passed
each_case domains
domains=$((passed - commands))
each_case appliances

# A QEMU that runs, by its number.
qemu-system-x86_64 -S -M q35 -m 64 -nodefaults -display none -accel tcg -drive file=stick.raw,if=virtio,format=raw &
qemu=$!
until [ "$(tr '\0' ' ' <"/proc/$qemu/cmdline" | cut -d' ' -f1)" = qemu-system-x86_64 ]; do sleep 0.05; done
"$tapgate" translate --pid="$qemu" --create=lab >"$work/out"
kill -KILL "$qemu"
wait "$qemu" 2>/dev/null || true
qemu=
grep -qxF "disk = $images/stick.raw,format=raw,bus=virtio" "$XDG_CONFIG_HOME/tapgate/lab.conf"
"$tapgate" show lab >/dev/null

# A script with its arguments, and without.
cat >start.sh <<'END'
#!/bin/bash
memory=512
while getopts m: option; do memory=$OPTARG; done
shift $((OPTIND - 1))
qemu-system-x86_64 -m "$memory" -net none -drive "file=/data/$1.raw,format=raw,if=virtio"
END
"$tapgate" translate start.sh -- -m 768 stick >"$work/out"
for line in "memory = 768M" "disk = /data/stick.raw,format=raw,bus=virtio"; do
    grep -qxF "$line" "$work/out" || die "a script is not followed with its arguments: there is no $line"
done
if "$tapgate" translate start.sh >"$work/out" 2>"$work/error"; then die "a script that needs arguments needs none"; fi
grep -q "after --" "$work/error" || die "nothing tells where a script's arguments stand"

# Old and new side by side, for people at 80 columns and for programs.
"$tapgate" translate --diff -- qemu-kvm -m 512 -drive file=stick.raw,format=raw -net none >"$work/out"
grep -qxE -- '-m 512 +\| -m size=512M' "$work/out" || die "--diff does not show the new command line"
if grep -qE '.{81}' "$work/out"; then die "--diff has a line of more than 80 columns"; fi
"$tapgate" translate --diff --json -- qemu-kvm -m 512 -drive file=stick.raw,format=raw -net none >"$work/out"
grep -qF '{"kind":"changed","was":"-m 512","argv":["-m","size=512M"],"became":"memory = 512M","why":""}' "$work/out" ||
    die "--diff --json does not show the new command line"

# From a pipe, as of Proxmox: with the UEFI variables, which are at the beginning of a larger file.
cat /usr/share/OVMF/OVMF_VARS_4M.fd >efi.raw
size=$(stat -c %s efi.raw)
truncate -s 4M efi.raw
of_uefi() { # NAME FILE,SIZE [FORMAT [OPTION...]]
    echo "/usr/bin/kvm -id 7 -m 512 -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/pve-edk2-firmware//OVMF_CODE_4M.fd" \
        "-drive if=pflash,unit=1,id=drive-efidisk0,format=${3:-raw},file=$work/data/$2" \
        "-drive file=$work/data/stick.raw,format=raw,if=virtio -drive file=$work/data/gone.raw,format=raw,if=virtio -machine type=pc+pve0" \
        "-netdev type=tap,id=net0,ifname=tap7i0,script=/usr/libexec/qemu-server/pve-bridge -device virtio-net-pci,netdev=net0" |
        "$tapgate" translate --create="$1" "${@:4}" - >"$work/out" 2>"$work/error"
}
of_uefi of-proxmox "efi.raw,size=$size"
variables=$HOME/.local/share/tapgate/of-proxmox/uefi-variables.qcow2
cmp -n "$size" efi.raw <(qemu-img dd -f qcow2 -O raw if="$variables" of="$work/taken.raw" && cat "$work/taken.raw") ||
    die "they are other variables"
[ "$(stat -c %s "$work/taken.raw")" = "$size" ] || die "the variables are of another size"
grep -qF "its UEFI variables are copied from $work/data/efi.raw" "$work/error" || die "nothing says that they are copied"
grep -qF "its bridge br0 is a guess: " "$work/error" || die "nothing says that the bridge is a guess"
grep -qF "not on this host: $work/data/gone.raw: " "$work/error" || die "nothing says which disk is missing"
# Of a size that no firmware has, and away: the VM has new ones, and a note says why.
of_uefi of-odd efi.raw
grep -qF "its UEFI variables  ->  dropped: they are of 4096 KiB, " "$work/error" || die "odd variables have no note"
of_uefi of-none "away.raw,size=$size"
grep -qF "\`head -c $size $work/data/away.raw >vars.raw' where they are, and here \`(umask 077; mkdir -p $HOME/.local/share/tapgate/of-none; qemu-img convert " "$work/error" ||
    die "nothing says how to bring the variables"
mkfifo pipe
of_uefi of-short "stick.raw,size=8388609"
grep -qF "its UEFI variables  ->  dropped: $work/data/stick.raw is no raw image" "$work/error" || die "variables are larger than their file"
of_uefi of-pipe "pipe,size=$size" raw --net=none
if grep -qF "is a guess" "$work/error"; then die "a network that is said is a guess"; fi
grep -qF "its UEFI variables  ->  dropped: $work/data/pipe is no raw image" "$work/error" || die "a pipe has variables"
# Of a linked clone.
qemu-img convert -f raw -O qcow2 "$work/taken.raw" base-vars.qcow2
qemu-img create -q -f qcow2 -b base-vars.qcow2 -F qcow2 linked.qcow2
of_uefi of-clone linked.qcow2 qcow2
convert=$(sed -nE "s/.*before the first start: .(\(umask 077; mkdir .*)'\$/\1/p" "$work/error")
(eval "$convert") || die "what a note says about variables of a clone does not work: $convert"
qemu-img compare -q "$HOME/.local/share/tapgate/of-clone/uefi-variables.qcow2" base-vars.qcow2 || die "they are others"
for name in of-odd of-none of-pipe of-short; do
    [ -e "$XDG_CONFIG_HOME/tapgate/$name.conf" ] || die "there is no VM $name"
    [ ! -e "$HOME/.local/share/tapgate/$name" ] || die "$name has variables"
done

echo "# $not_translated are refused"
[ "$commands" -ge 250 ] || die "only $commands command lines started"
[ "$domains" -ge 90 ] || die "only $domains domains started"
[ $((passed - commands - domains)) -ge 45 ] || die "only $((passed - commands - domains)) appliances started"
summary
