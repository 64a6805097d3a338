#!/bin/bash
# libvirt's per-user session (virsh -c qemu:///session) starts a domain with <interface type='bridge'>,
# and calls the helper for it, in its own way: with another order of the arguments, standard input and
# output on /dev/null, and stderr captured for the user.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- qemu-img virsh libvirtd virt-install virt-xml-validate xmllint
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
lab_install "$helper" setuid

# The session daemon reads this when it starts. stdio_handler: or it starts a virtlogd as well.
install -d -o "$LAB_UID" -g "$LAB_UID" $LAB/home/.config $LAB/home/.config/libvirt
printf '%s\n' "bridge_helper = \"$LAB_HELPER\"" 'stdio_handler = "file"' \
    >$LAB/home/.config/libvirt/qemu.conf

cat >$LAB/domain.xml <<END
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$GUEST_DIR/kernel</kernel>
    <initrd>$GUEST_DIR/initramfs.cpio</initrd>
    <cmdline>$GUEST_APPEND tapgate.hold=15</cmdline>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <interface type='bridge'>
      <source bridge='br0'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'>
      <source path='$LAB/home/serial'/>
    </serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
END

session() { # VIRSH-ARGS...
    (lab_exec timeout -k 2 30 virsh -q -c qemu:///session "$@") </dev/null
}

# By its pid, and not by its own time-out: a daemon that outlives its test owns the next one's socket.
stop_session() {
    local pid
    pid=$(cat "/run/user/$LAB_UID/libvirt/libvirtd.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    lab_poll 5 pid_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
}
pid_gone() {
    ! kill -0 "$1" 2>/dev/null
}
trap stop_session EXIT

serial_said() { # REGEX
    [ -e "$LAB/home/serial" ] && grep -Eq "$1" "$LAB/home/serial"
}
domain_gone() {
    [ -z "$(session list --name 2>/dev/null)" ]
}

evidence=("$LAB/log/virsh" "$LAB/home/serial" "$LAB/home/.cache/libvirt/qemu/log/guest.log")

# --- allowed --------------------------------------------------------------------------------------

port='' alias='' verdict=''
if ! session create $LAB/domain.xml >$LAB/log/virsh 2>&1; then
    wrong "virsh create failed"
else
    lab_poll "${TAPGATE_BOOT_TIMEOUT:-20}" serial_said '^(PASS|FAIL)' ||
        wrong "no verdict from the guest within ${TAPGATE_BOOT_TIMEOUT:-20} s"
    verdict=$(tr -d '\r' <$LAB/home/serial | grep -E -m 1 '^(PASS|FAIL)') || true
    [ "$verdict" = PASS ] || wrong "$verdict"
    port=$(lab_ports br0)
    if [ -e "/sys/class/net/$port/tun_flags" ]; then
        alias=$(cat "/sys/class/net/$port/ifalias")
    fi
fi
result "virsh create: a guest behind <interface type='bridge'> pings the bridge"

case $port in
'' | *$'\n'*) wrong "br0's ports while the guest ran: '$port'" ;;
esac
case ${helper##*/}/$alias in
"tapgate-helper/tapgate uid=$LAB_UID" | "tapgate-helper/tapgate uid=$LAB_UID "*) ;;
tapgate-helper/*) wrong "the port's alias is '$alias'" ;;
esac
result "its tap was the bridge's only port"

session destroy guest >$LAB/log/virsh 2>&1 || wrong "virsh destroy failed"
lab_poll 5 domain_gone || wrong "the domain is still there"
lab_no_tap_left
result "virsh destroy leaves no tap"

# --- refused --------------------------------------------------------------------------------------

virsh_refused() { # TEXT NAME
    rm -f $LAB/home/serial
    # libvirt reads the helper's stderr in a thread of its own, and makes its error of what that has by the
    # time that the socket closes: on a busy host nothing, now and then, with any helper.
    local try
    for try in 1 2 3 4 5; do
        if session create $LAB/domain.xml >$LAB/log/virsh 2>&1; then
            wrong "the domain was started"
            session destroy guest >/dev/null 2>&1 || true
            break
        fi
        grep -q 'bridge helper: : ' $LAB/log/virsh || break
        echo "# try $try: libvirt was faster than its own thread"
    done
    # libvirt puts "stderr=" before what the helper said.
    says $LAB/log/virsh "(^|stderr=)$1"
    lab_no_taps || wrong "a tap is left over: $(lab_taps)"
    result "$2: virsh shows the helper's text"
}

# The reason after the stock text is ours, and must come through whole: one line, to its end.
case ${helper##*/} in
tapgate-helper) reason=': /etc/qemu/bridge.conf:2: deny br0$' ;;
*) reason='' ;;
esac
lab_policy 'allow br0' 'deny br0'
virsh_refused "access denied by acl file$reason" "denied bridge"

rm /etc/qemu/bridge.conf
# shellcheck disable=SC2016 # the quotes are the stock helper's
virsh_refused 'failed to parse default acl file `/etc/qemu/bridge.conf'\' "no policy file"

# --- and afterwards -------------------------------------------------------------------------------

starts() { # NAME COMMAND...
    local name=$1
    shift
    rm -f $LAB/home/serial
    if "$@" >$LAB/log/virsh 2>&1; then
        lab_poll "${TAPGATE_BOOT_TIMEOUT:-20}" serial_said '^PASS' || wrong "the guest did not say PASS"
        session destroy guest >/dev/null 2>&1 || true
    else
        wrong "the domain was not started"
    fi
    lab_no_tap_left
    result "$name"
}

lab_policy 'allow br0'
starts "allowed again: the same daemon starts the domain again" session create $LAB/domain.xml

virt_install() {
    (lab_exec timeout -k 2 60 virt-install --connect qemu:///session --virt-type qemu --name guest \
        --memory 128 --vcpus 1 --osinfo detect=off,require=off --disk none --transient \
        --graphics none --noautoconsole --serial "file,path=$LAB/home/serial" --network bridge=br0,model=virtio \
        --install "kernel=$GUEST_DIR/kernel,initrd=$GUEST_DIR/initramfs.cpio,kernel_args=$GUEST_APPEND,kernel_args_overwrite=yes" \
        ) </dev/null
}
starts "virt-install --network bridge=br0" virt_install

name="in the stock helper's place: no bridge_helper in qemu.conf"
stop_session
echo 'stdio_handler = "file"' >$LAB/home/.config/libvirt/qemu.conf
if lab_replace_stock; then
    starts "$name" session create $LAB/domain.xml
else
    not_here "$name" "this host's QEMU has no helper at the usual places"
fi

# A VM of tapgate's as a domain of libvirt's: it takes it, and gives back the same.
exported() {
    (lab_exec "$@") </dev/null >"$LAB/log/virsh" 2>&1 || wrong "this failed: $*"
}
exported qemu-img create -q -f qcow2 $LAB/home/a.qcow2 64M
exported truncate -s 1M $LAB/home/i.iso
exported $LAB/tapgate create exported --disk=a.qcow2 --cdrom=i.iso --net=bridge:br0 --net=user --accel=tcg \
    --display=vnc --share=/tmp,tag=notes,readonly=on --boot=cdrom,disk:0 --memory=128M --cpus=4,cores=2,threads=2
exported $LAB/tapgate export exported exported.xml
exported virt-xml-validate exported.xml domain
session define $LAB/home/exported.xml >"$LAB/log/virsh" 2>&1 || wrong "virsh define does not take it"
session dumpxml exported >"$LAB/home/back.xml" 2>"$LAB/log/virsh" || wrong "virsh dumpxml"
chmod 0644 "$LAB/home/back.xml"
exported $LAB/tapgate import back.xml back --yes
uuid=$(sed -n 's/.*<uuid>\(.*\)<.uuid>.*/\1/p' $LAB/home/exported.xml)
{ [ -n "$uuid" ] && grep -q "$uuid" $LAB/home/back.xml; } || wrong "libvirt has another UUID than '$uuid'"
for line in "memory = 128M" 'cpus = 4' "disk = $LAB/home/a.qcow2" "cdrom = $LAB/home/i.iso" 'net = bridge:br0'; do
    grep -q "^$line" $LAB/home/.config/tapgate/back.conf || wrong "not in what came back: $line"
done
mac=$(sed -n 's/.*<mac address="\(.*\)" .*/\1/p' $LAB/home/exported.xml | head -n 1)
{ [ -n "$mac" ] && grep -q "^net = bridge:br0.*mac=$mac" $LAB/home/.config/tapgate/back.conf; } ||
    wrong "another MAC address than '$mac'"
session undefine exported --nvram >"$LAB/log/virsh" 2>&1 || session undefine exported >"$LAB/log/virsh" 2>&1 || wrong "virsh undefine"
evidence+=("$LAB/home/exported.xml" "$LAB/home/.config/tapgate/back.conf")
result "export: virsh define takes it, and what it gives back is the same VM"

exported $LAB/tapgate create efi --firmware=uefi --disk=a.qcow2 --net=none --accel=tcg --memory=128M
exported $LAB/tapgate start efi
exported $LAB/tapgate kill efi
exported $LAB/tapgate export efi efi.xml
exported virt-xml-validate efi.xml domain
session define $LAB/home/efi.xml >"$LAB/log/virsh" 2>&1 || wrong "virsh define does not take it: $(cat "$LAB/log/virsh")"
session dumpxml efi >"$LAB/home/efi-back.xml" 2>"$LAB/log/virsh" || wrong "virsh dumpxml"
chmod 0644 "$LAB/home/efi-back.xml"
grep -q "$LAB/home/efi_VARS.fd</nvram>" "$LAB/home/efi-back.xml" || wrong "libvirt has other UEFI variables"
exported $LAB/tapgate import efi-back.xml efi-back --yes
exported qemu-img compare -f qcow2 -F raw "$LAB/home/.local/share/tapgate/efi-back/uefi-variables.qcow2" efi_VARS.fd
grep -q '^firmware = uefi$' $LAB/home/.config/tapgate/efi-back.conf || wrong "it came back without UEFI"
# With Secure Boot, too, and neither becomes the other.
exported $LAB/tapgate create secure --firmware=uefi-secure --disk=a.qcow2 --net=none --accel=tcg --memory=128M
exported $LAB/tapgate export secure secure.xml
exported virt-xml-validate secure.xml domain
session define $LAB/home/secure.xml >"$LAB/log/virsh" 2>&1 || wrong "virsh define does not take it: $(cat "$LAB/log/virsh")"
session dumpxml secure >"$LAB/home/secure-back.xml" 2>"$LAB/log/virsh" || wrong "virsh dumpxml"
chmod 0644 "$LAB/home/secure-back.xml"
exported $LAB/tapgate import secure-back.xml secure-back --yes
grep -q '^firmware = uefi-secure$' $LAB/home/.config/tapgate/secure-back.conf || wrong "it came back without Secure Boot"
session undefine secure --nvram >"$LAB/log/virsh" 2>&1 || wrong "virsh undefine"
# libvirt 9 knows it, but not in a user's session.
exported $LAB/tapgate set efi share=/tmp,tag=notes,via=virtiofs
exported rm efi_VARS.fd
exported $LAB/tapgate export efi shared.xml
exported virt-xml-validate shared.xml domain
exported $LAB/tapgate import shared.xml shared --yes
grep -q '^share = /tmp,tag=notes,via=virtiofs' $LAB/home/.config/tapgate/shared.conf || wrong "it came back without the directory"
session undefine efi --nvram >"$LAB/log/virsh" 2>&1 || wrong "virsh undefine"
evidence=("$LAB/log/virsh" "$LAB/home/efi.xml" "$LAB/home/efi-back.xml" "$LAB/home/.config/tapgate/efi-back.conf")
result "export: with UEFI variables and a directory by virtiofs"

stop_session
trap - EXIT
summary
