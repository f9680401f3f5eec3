# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# For tests with two machines: two network namespaces with a pair of Ethernet devices between them; or with one,
# where everything goes over its loopback device, and what is said of $net_a and $net_b is said of that one. To be
# sourced after cli.sh. Exits with 77 when that cannot be had here (it takes root, ip and nft).
#
#   net_setup                makes them: $net_a (10.77.0.1, fd77::1) and $net_b (10.77.0.2, fd77::2)
#   net_setup_loopback       makes one, with all four addresses
#   net_everywhere COMMAND…  runs COMMAND… with the one, and then with the other
#   net_setup_relay OPTION…  the same with tests/net/relay.c between them, which takes the options
#   net_lose PERCENT         each drops so much of the UDP datagrams that arrive; 100: a partition
#   net_lost                 prints how many that were so far
#   net_down, net_up         the device of $net_a
#   net_rate MBIT            each sends no faster than that (a token bucket, 50 ms of queue)
#   net_move OLD NEW [NET]   $net_a, or NET, has the address NEW (IPv4, or IPv6) instead of OLD from now on
#   net_rebind INSIDE=OUTSIDE…  the UDP ports INSIDE of $net_a are seen as OUTSIDE by others from now on, as by
#                            a translator of addresses that forgot what it had given out before
#   in_a, in_b               sets $prefix, so that run and start work there
#   in_none                  … and here again
#
# All of it is gone when the test ends, however it ends.

net_name=a3m-$$-$RANDOM
net_a=$net_name-a
net_b=$net_name-b
nets=("$net_a" "$net_b")
net_device=v0

net_skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

net_cleanup() {
    cleanup
    net_remove
}

net_remove() {
    local net
    for net in "${nets[@]}"; do
        ip netns del "$net" 2>/dev/null || true
    done
}

net_make() {
    [[ $EUID -eq 0 ]] || net_skip "root is needed"
    local tool
    for tool in ip nft ping; do
        command -v "$tool" >/dev/null || net_skip "$tool is missing"
    done
    trap net_cleanup EXIT
    local net
    for net in "${nets[@]}"; do
        ip netns add "$net" || net_skip "network namespaces cannot be made here"
    done
}

# A pair of namespaces with these devices in them, or one.
net_pair() {
    net_remove
    net_a=$net_name-a
    net_b=$net_name-b
    nets=("$net_a" "$net_b")
    net_device=v0
}

net_setup() {
    net_pair
    net_make
    ip link add name v0 netns "$net_a" type veth peer name v0 netns "$net_b" || net_skip "no veth devices here"
    net_configure_both
}

net_setup_loopback() {
    net_remove
    net_a=$net_name-l
    net_b=$net_a
    nets=("$net_a")
    net_device=lo
    net_make
    net_configure_both
}

net_everywhere() {
    net_setup
    "$@"
    printf '== over loopback\n'
    net_setup_loopback
    "$@"
}

net_setup_relay() {
    net_pair
    net_make
    [[ -c /dev/net/tun ]] || net_skip "no TAP devices here"
    in_none
    program=$A3M_BUILD/tests/net/relay
    start relay --a "$net_a" --b "$net_b" "$@"
    await_line relay "A3M_SEED=(.*)"
    printf 'relay %s: A3M_SEED=%s\n' "$*" "${BASH_REMATCH[1]}"
    await_line relay ready
    program=$A3M_BIN
    net_configure_both
}

net_configure_both() {
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
    [[ -e /proc/net/if_inet6 ]] || net_skip "this machine has no IPv6"
    # Addresses of IPv6 stay when the device goes down, as those of IPv4 do.
    ip netns exec "$net" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down' ||
        net_skip "a namespace's /proc/sys cannot be written here"
    ip -n "$net" link set lo up
    ip -n "$net" address add "10.77.0.$host/24" dev "$net_device"
    ip -n "$net" address add "fd77::$host/64" dev "$net_device" nodad ||
        net_skip "IPv6 is switched off here"
    ip -n "$net" link set "$net_device" up
}

net_lose() {
    local net some="numgen random mod 100 < $1"
    [[ $1 -lt 100 ]] || some=
    for net in "${nets[@]}"; do
        # The file is read whole before anything is changed: the table is replaced at once.
        ip netns exec "$net" nft -f - <<-EOF || net_skip "nft cannot drop packets here"
		add table inet loss
		delete table inet loss
		table inet loss {
		    chain arriving {
		        type filter hook input priority 0; policy accept;
		        meta l4proto udp $some counter drop
		    }
		}
		EOF
    done
}

net_down() { ip -n "$net_a" link set "$net_device" down; }
net_up() { ip -n "$net_a" link set "$net_device" up; }

net_rate() {
    local net
    command -v tc >/dev/null || net_skip "tc is missing"
    for net in "${nets[@]}"; do
        tc -n "$net" qdisc replace dev "$net_device" root tbf rate "$1mbit" burst 16kb latency 50ms ||
            net_skip "tc has no token bucket here"
    done
}

net_move() {
    local length=24 net=${3:-$net_a}
    [[ $1 != *:* ]] || length=64
    ip -n "$net" address del "$1/$length" dev "$net_device"
    if [[ $1 == *:* ]]; then
        ip -n "$net" address add "$2/$length" dev "$net_device" nodad
    else
        ip -n "$net" address add "$2/$length" dev "$net_device"
    fi
}

net_rebind() {
    local pair out='' in=''
    for pair in "$@"; do
        out+="udp sport ${pair%=*} udp sport set ${pair#*=};"$'\n'
        # Nobody is to be reached at the inner port from outside.
        in+="udp dport ${pair%=*} drop; udp dport ${pair#*=} udp dport set ${pair%=*};"$'\n'
    done
    ip netns exec "$net_a" nft -f - <<-EOF || net_skip "nft cannot rewrite ports here"
	add table inet rebind
	delete table inet rebind
	table inet rebind {
	    chain leaving { type filter hook postrouting priority 0; policy accept; $out }
	    chain arriving { type filter hook prerouting priority -300; policy accept; $in }
	}
	EOF
}

# Prints how many datagrams were dropped so far, in all directions.
net_lost() {
    local net
    for net in "${nets[@]}"; do
        ip netns exec "$net" nft list table inet loss
    done | awk '/counter packets/ { for (i = 1; i < NF; i++) if ($i == "packets") sum += $(i + 1) } END { print sum + 0 }'
}

in_a() { prefix=(ip netns exec "$net_a"); }
in_b() { prefix=(ip netns exec "$net_b"); }
in_none() { prefix=(); }
