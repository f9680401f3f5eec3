# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# For tests with two machines: two network namespaces with a pair of Ethernet devices between them. To be
# sourced after cli.sh. Exits with 77 when that cannot be had here (it takes root, ip and nft).
#
#   net_setup                makes them: $net_a (10.77.0.1, fd77::1) and $net_b (10.77.0.2, fd77::2)
#   net_lose PERCENT         each drops so much of the UDP datagrams that arrive
#   in_a, in_b               sets $prefix, so that run and start work there
#   in_none                  … and here again
#
# All of it is gone when the test ends, however it ends.

net_a=a3m-$$-$RANDOM-a
net_b=${net_a%a}b

net_skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

net_cleanup() {
    cleanup
    ip netns del "$net_a" 2>/dev/null || true
    ip netns del "$net_b" 2>/dev/null || true
}

net_setup() {
    [[ $EUID -eq 0 ]] || net_skip "root is needed"
    local tool
    for tool in ip nft; do
        command -v "$tool" >/dev/null || net_skip "$tool is missing"
    done
    trap net_cleanup EXIT
    if ! ip netns add "$net_a" || ! ip netns add "$net_b"; then
        net_skip "network namespaces cannot be made here"
    fi
    ip link add name v0 netns "$net_a" type veth peer name v0 netns "$net_b" || net_skip "no veth devices here"
    net_configure "$net_a" 1
    net_configure "$net_b" 2
    # For a moment after a link came up IPv6 neighbours are not found; that is not what is tested.
    local i
    for i in {1..20}; do
        ip netns exec "$net_a" ping -6 -q -c 1 -W 1 fd77::2 >/dev/null 2>&1 &&
            ip netns exec "$net_b" ping -6 -q -c 1 -W 1 fd77::1 >/dev/null 2>&1 && return
    done
    net_skip "IPv6 does not work between two namespaces ($i attempts)"
}

net_configure() {
    local net=$1 host=$2
    ip -n "$net" link set lo up
    ip -n "$net" address add "10.77.0.$host/24" dev v0
    ip -n "$net" address add "fd77::$host/64" dev v0 nodad
    ip -n "$net" link set v0 up
}

net_lose() {
    local net
    for net in "$net_a" "$net_b"; do
        # The file is read whole before anything is changed: the table is replaced at once.
        ip netns exec "$net" nft -f - <<-EOF || net_skip "nft cannot drop packets here"
		add table inet loss
		delete table inet loss
		table inet loss {
		    chain arriving {
		        type filter hook input priority 0; policy accept;
		        meta l4proto udp numgen random mod 100 < $1 counter drop
		    }
		}
		EOF
    done
}

# Prints how many datagrams were dropped so far, in both directions.
net_lost() {
    local net
    for net in "$net_a" "$net_b"; do
        ip netns exec "$net" nft list table inet loss
    done | awk '/counter packets/ { for (i = 1; i < NF; i++) if ($i == "packets") sum += $(i + 1) } END { print sum + 0 }'
}

in_a() { prefix=(ip netns exec "$net_a"); }
in_b() { prefix=(ip netns exec "$net_b"); }
in_none() { prefix=(); }
