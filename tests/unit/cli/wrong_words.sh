#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What people type wrong, and the part of the answer that mends it: a command, or the very value that
# is meant. Each fails, with the exit code that tells why, and leaves nothing behind; a line whose
# answer only explains has `-', and of those there may be five in a hundred.
#
# Usage: wrong_words.sh TAPGATE
set -euo pipefail

# shellcheck source=tests/system/words.sh
source "$(dirname "$(readlink -f "$0")")/../../system/words.sh"
tapgate=$1
command -v qemu-img >/dev/null || skip "no qemu-img"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
unset DISPLAY WAYLAND_DISPLAY
mkdir -m 0700 "$work/run"
cd "$work"

qemu-img create -q -f qcow2 gold.qcow2 64M
cp gold.qcow2 ubuntu.img
truncate -s 1M rhce lab.ova
mkfifo pipe
echo "-----BEGIN OPENSSH PRIVATE KEY-----" >private
printf '[a]\ncuont = 2\n' >broken.lab
"$tapgate" create lab --disk=gold.qcow2 --net=none >/dev/null 2>&1
"$tapgate" create other --net=none >/dev/null 2>&1

# CODE WORDS => WHAT THE ANSWER HAS
cat >list <<'END'
2 => tapgate run IMAGE
2 strat lab => did you mean `start'
2 shutdown lab => tapgate stop NAME
2 reboot lab => tapgate restart NAME
2 dominfo lab => tapgate status NAME
2 undefine lab => tapgate delete NAME
2 ps => tapgate list
2 fly lab => tapgate help
2 creat lab => did you mean `create'
2 start => tapgate help start
1 start labb => did you mean `lab'
1 start nobody => tapgate create nobody --disk=PATH
2 stop => --all for all that run
2 stop lab --all => tapgate help stop
2 stop lab --forse => did you mean `--force'
2 stop lab -f => stop does not take -f (did you mean `--force'?)
2 stop lab --memory=2G => belongs to create
1 stop labb => did you mean `lab'
1 kill labb => tapgate list --all
1 restart labb => did you mean `lab'
1 status labb => did you mean `lab'
1 console labb => did you mean `lab'
1 console lab => tapgate start lab
1 log labb => did you mean `lab'
1 log lab => tapgate start lab
1 vnc lab => tapgate start lab
1 view lab => tapgate start lab
1 screenshot lab now.png => tapgate start lab
2 screenshot lab => tapgate help screenshot
1 ssh labb => did you mean `lab'
1 ssh lab => tapgate start lab
2 ssh lab --user=-x => tapgate help ssh
2 exec lab => tapgate exec lab -- COMMAND
1 exec labb -- ls => did you mean `lab'
1 exec lab -- ls => tapgate start lab
2 cp a b => tapgate cp a NAME:b
1 cp nothing lab:/tmp => -
2 cp lab:/a other:/b => two steps
1 ip lab => tapgate start lab
1 wait labb => did you mean `lab'
2 wait lab --for=nothing => ssh, agent, address or running
2 wait labb --for=nothing => ssh, agent, address or running
2 lab wait broken.lab --for=nothing => ssh, agent, address or running
2 exec lab --via=telnet -- ls => --via: `telnet': it can be ssh or agent
2 wait lab --timeout=soon => 0 to 86400
1 pause lab => tapgate start lab
1 resume lab => tapgate start lab
1 reset lab => tapgate start lab
1 reset lab --to-base => tapgate snapshot restore lab TAG
2 reset lab --force => --to-base
1 show labb => did you mean `lab'
2 show lab --null => these do: argv
1 edit labb => did you mean `lab'
1 delete lab => --yes
1 delete labb => did you mean `lab'
2 clone lab => tapgate help clone
1 clone lab other => tapgate delete other
2 clone lab 9lives => a letter, then letters, digits
1 clone nothing.qcow2 new => ls /
2 new => tapgate help new
2 new web => --from=IMAGE
1 new web --from=debian-99 => /etc/tapgate/images.conf
1 new web --from=./rhce => rhce,format=raw
1 new web --from=ubuntu.img => ubuntu.img,format=qcow2
1 new web --from=gold.qcow2 --size=1M => leave --size out
2 new web --from=gold.qcow2 --size=big => 512M or 20G
1 new web --from=ftp://h/x.qcow2 => https://
1 new web --from=http://h/x.qcow2.xz => unpack it
1 new web --from=./lab.ova => tapgate import FILE NAME
1 run ./lab.ova => tapgate import FILE NAME
2 new web --from=http://h/x.qcow2 --sha256=abc => sha256sum
1 new lab --from=gold.qcow2 => tapgate delete lab
1 new web --from=gold.qcow2 --seed => ssh-keygen -t ed25519
1 create lab --disk=gold.qcow2 => tapgate edit lab
2 create ../x => a letter, then letters, digits
1 create web --disk=rhce => rhce,format=raw
1 create web --memory=2X => 512M or 2G
2 create web --memory => --memory=SIZE
2 create web --memory= => --memory=SIZE
2 create web --memry=2G => did you mean `--memory'
2 create web --ram=2G => did you mean `--memory'
2 set lab vcpus=2 => did you mean `cpus'
2 list --jsno => did you mean `--json'
1 create web --cpus=0 => from 1 to 255
1 create web --cpus=3,sockets=2 => -
1 create web --cpu=a=b => host or qemu64
1 create web --disk=gold.qcow2,bus=nvme => virtio, scsi, sata, ide
1 create web --disk=gold.qcow2,format=qcow3 => did you mean `qcow2'
1 create web --disk=a,b.raw => written twice
1 create web --net=br0 => bridge:br0
1 create web --net=user,hostfwd=22 => tcp:127.0.0.1:2222-:22
1 create web --display=sdl => none, vnc
1 create web --display=vnc:public => vnc-password-file=PATH
1 create web --firmware=efi => did you mean `uefi'
1 create web --machine=q36 => pc-q35-7.2
1 create web --boot=floppy => disk, cdrom, net
1 create web --initrd=x => kernel=PATH
1 create web --seed=yes => on, off
1 run nothing.qcow2 => ls /
1 run rhce => tapgate run ./rhce
1 run ./rhce => format=raw
1 run run => tapgate create run --disk=PATH
1 run ./run => run is a directory
1 clone ./run new => run is a directory
1 clone rhce new => tapgate clone ./rhce new
2 resize lab => tapgate help resize
2 resize lab 20Q => +5G
1 resize lab 20G 7 => the first one is 0
1 resize other 20G => other has no disk
2 snapshot => tapgate help snapshot
2 snapshot keep lab x => save, list, restore, delete
2 snapshot save lab => tapgate help snapshot
1 snapshot restore lab none => tapgate snapshot list lab
1 seed lab => ssh-keygen -t ed25519
1 seed lab --ssh-key=private => private.pub
1 bridges br-nowhere => -
2 doctor --bridge=a/b => tapgate help doctor
2 tap => tapgate tap --bridge=br0 -- COMMAND
1 import nothing.vmdk => -
1 import nothing => No such file
1 import / => / is a directory
1 new web --from=/ => / is a directory
2 cp => cp needs
2 cp one lab => tapgate cp one lab:
2 cp one two => tapgate cp one NAME:two
1 import gold.qcow2 lab => tapgate delete lab
2 translate --pid=x => tapgate help translate
2 translate --pid=1 start.sh => FILE -- ARGUMENTS of the script
2 translate => FILE -- ARGUMENTS of the script
2 lab => tapgate help lab
2 lab fly x.lab => up, down, status
2 lab down broken.lab --for=ssh => these do: wait
2 lab ssh broken.lab --via=agent => these do: exec cp
2 lab status broken.lab --force => these do: down reset destroy
1 lab up broken.lab => did you mean `count'
2 lab exec broken.lab => did you mean
2 completion fish => bash nor zsh
1 eject lab => tapgate start lab
1 eject labb => did you mean `lab'
2 export lab lab.zip => file.xml
1 export labb lab.xml => did you mean `lab'
2 set lab => tapgate help set
2 set lab memory 2G => memory=SIZE
1 set lab memory=2X => 512M or 2G
1 set lab memory=99T => from 1M to 16T
2 set lab memry=2G => did you mean `memory'
1 set labb memory=2G => did you mean `lab'
1 rename lab other => tapgate delete other
1 autostart labb on => did you mean `lab'
2 autostart lab maybe => on nor off
2 net => tapgate bridges
2 snapshot create lab first => tapgate snapshot save NAME TAG
2 snapshot revert lab first => tapgate snapshot restore NAME TAG
2 snapshot rm lab first => tapgate snapshot delete NAME TAG
2 lab start broken.lab => tapgate lab up FILE
2 lab stop broken.lab => tapgate lab down FILE
2 lab ls broken.lab => tapgate lab status FILE
2 delete lab --force => did you mean `--yes'
2 rm lab -f => delete does not take -f (did you mean `--yes'?)
2 rm -rf lab => delete does not take -f (did you mean `--yes'?)
2 lab up -f broken.lab => its FILE stands without an option
2 new web --image=debian-13 => did you mean `--from'
2 ssh @lab => is not a VM's name
2 reset --all => reset does not take --all
2 autostart lab --on => autostart takes no options of a VM
2 events --since=1h => unknown option `--since'; see: tapgate help events
2 ssh root@lab => --user=root
2 exec root@lab -- ls => --user=root
2 cp rhce root@lab:/tmp => --user=root
1 cp -r rhce lab:/tmp => tapgate start lab
1 cp pipe lab:/tmp => pipe is neither a file nor a directory
2 attach lab gold.qcow2 => disk=FILE
2 attach lab disk= => disk=PATH
2 detach lab disk=gold.qcow2 => a disk's file alone
2 lab restart broken.lab => lab down FILE, then lab up FILE
2 exec lab ls -l => what the command takes stands behind `--'
1 set lab net=none,model=virtio => none has no properties
2 log lab -n 3 => unknown option `-n'; see: tapgate help log
2 ls -l => does not take --user (-l)
2 stop lab --timeout=soon => number of seconds
1 set lab net=nat => called user
1 set lab net=bridge => bridge:br0
1 set lab cpu=4 => cpus=4
1 rename lab lab => lab is called that already
END
sed -i 's/^2 lab exec broken.lab => did you mean$/1 lab exec broken.lab => did you mean `count'"'"'/' list

count=0
only_explained=0
while read -r code rest; do
    words=${rest%%=> *}
    wanted=${rest#*=> }
    count=$((count + 1))
    status=0
    # shellcheck disable=SC2086 # several words
    answer=$("$tapgate" $words 2>&1 </dev/null) || status=$?
    [ "$status" = "$code" ] || wrong "tapgate $words ends with $status, not $code: $answer"
    if [ "$wanted" = - ]; then
        only_explained=$((only_explained + 1))
    elif [[ $answer != *"$wanted"* ]]; then
        wrong "tapgate $words is not answered by '$wanted': $answer"
    fi
    [ ${#answer} -le 400 ] || wrong "tapgate $words has an answer of ${#answer} letters"
    result "tapgate $words"
done <list
[ $((only_explained * 20)) -le "$count" ] || wrong "$only_explained of $count answers mend nothing"
[ "$count" -ge 100 ] || wrong "only $count"
left=$(find "$work/data" -type f 2>/dev/null || true)
[ -z "$left" ] || wrong "left: $left"
result "$count wrong inputs, and $((count - only_explained)) of them are answered by what mends them"

summary
