#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# addresses.pml in small bounds: a record is where its other end answered, and a stranger keeps nobody out.
# Each rule left out gives a counterexample (core/mutation.h).
# covers core
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

check addresses MOVES=2 PACKETS=3 CHALLENGES=3 TELLS=1 OPENS=2
if [[ -n ${A3M_LONG:-} ]]; then
    check addresses MOVES=3 PACKETS=4 CHALLENGES=3 TELLS=1 OPENS=2
fi
for name in NOT_FOLLOWED LATE_RESPONSE ANY_RESPONSE ORDER_OF_ANYBODY; do
    mutant addresses "$name"
done
finish
