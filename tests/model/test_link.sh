#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# link.pml in small bounds: both ends of a link agree, and each rule left out gives a counterexample
# (core/mutation.h). A3M_LONG=1: in larger bounds. covers L1 L2 L4 L7 L11 L12
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"
# Not optimized: it has few states for its many steps.
optimize=-O0

check link ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=1
check link ASKS=2 UNLINKS=1 REFUSALS=1 LASTS=0 RESTARTS=1
check link ASKS=2 UNLINKS=1 REFUSALS=1 LASTS=0 GIVEUPS=1
check link ASKS=1 UNLINKS=1 REFUSALS=1 LASTS=1 RESTARTS=1 GIVEUPS=1
check link ASKS=2 UNLINKS=0 REFUSALS=1 LASTS=0 CLOSES=1
check link ASKS=1 UNLINKS=1 REFUSALS=1 LASTS=0 CLOSES=1 RESTARTS=1
check link ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 ABORTS=2
check link ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 ABORTS=1 GIVEUPS=1
check link ASKS=1 UNLINKS=1 REFUSALS=0 LASTS=0 ABORTS=1 RESTARTS=1 CLOSES=1
check link ASKS=1 UNLINKS=1 REFUSALS=1 LASTS=1 EARLIES=1
check link ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 EARLIES=1 GIVEUPS=1
check link ASKS=1 UNLINKS=1 REFUSALS=0 LASTS=0 EARLIES=1 RESTARTS=1 CLOSES=1
# An end that forgets what it owes (link.pml): no other end of this library does.
forgetful=(ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 GIVEUPS=1 FORGETS=1)
check link "${forgetful[@]}"
check link "${forgetful[@]}" ABORTS=1
if [[ -n ${A3M_LONG:-} ]]; then
    check link ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=0 CLOSES=1
    check link ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=0 RESTARTS=1
    check link ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 RESTARTS=1 GIVEUPS=1
fi

for name in LINK_BOTH_ANSWER LINK_NONE_ANSWERS LINK_END_UNKNOWN LINK_ANY_NUMBER; do
    mutant link "$name" ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=1
done
mutant link LINK_ENDS_ANY ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 RESTARTS=1
mutant link LINK_LEAVES_CROSSED ASKS=1 UNLINKS=1 REFUSALS=0 LASTS=0 EARLIES=1
mutant link LINK_ANOTHERS ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 EARLIES=1 GIVEUPS=1
# Either of the two mends what the other one does.
mutant link LINK_ANSWERS_THE_DEAD MUTATE_LINK_LATE_ANSWER=1 ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 GIVEUPS=1
mutant link LINK_ACCEPT_UNKNOWN "${forgetful[@]}"
mutant link LINK_NO_REPLACE "${forgetful[@]}"
mutant link NOT_OWED ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 GIVEUPS=1
mutant link NOT_AFRESH ASKS=2 UNLINKS=1 REFUSALS=0 LASTS=0 GIVEUPS=1
finish
