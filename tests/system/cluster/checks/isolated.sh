# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# Ports that are isolated, across hosts. Leaves the VM iso2.

for node in n1 n2; do
    bed_root $node sed -i 's/$/ isolated/' /etc/tapgate/slurm-rules
done
bed_user ctl srun -w n1 --mem=200M tapgate doctor --json >"$out" 2>"$err" || true
[ "$(jq -r '.[] | select(.check == "isolated") | .result' "$out")" = warn ] ||
    wrong "doctor does not see that vx0 is not isolated"
[ "$(jq -r '.[] | select(.check == "mtu") | .result' "$out")" = ok ] || wrong "doctor does not see that the MTU fits"
for node in n1 n2; do
    bed_root $node bridge link set dev vx0 isolated on
    bed_root $node ip addr add 192.0.2.254/24 dev br0
done
# The gateway is each node's own.
vm iso1 192.0.2.31 --append="$append tapgate.ip=192.0.2.31/24 tapgate.ping=192.0.2.254 tapgate.hold=3600"
vm iso2 192.0.2.32 --append="$append tapgate.ip=192.0.2.32/24 tapgate.ping=192.0.2.31 tapgate.count=1 tapgate.hold=3600"
did 0 start iso1 --on=slurm,nodelist=n1
guest_says iso1 '^PASS'
did 0 start iso2 --on=slurm,nodelist=n2
guest_says iso2 '^FAIL: 192.0.2.31 did not answer'
did 0 kill iso1
did 0 kill iso2
for node in n1 n2; do
    bed_root $node sed -i 's/ isolated//' /etc/tapgate/slurm-rules
    bed_root $node bridge link set dev vx0 isolated off
    bed_root $node ip addr del 192.0.2.254/24 dev br0
done
nothing_left
took "isolated across hosts, with a gateway on each; doctor sees a port to them that is not"
