#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# half_connection.pml in small bounds: no state breaks an invariant, and each rule left out gives a counterexample
# (core/mutation.h). A3M_LONG=1: in larger bounds.
# covers core
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

check half_connection M=2 DRAWS=3 RESTARTS_A=0 RESTARTS_B=1 POLICY=1
check half_connection M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=0 POLICY=1
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=1 POLICY=1
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=0 POLICY=1 W=2
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=0 POLICY=1 LATER=1
check half_connection M=3 DRAWS=2 RESTARTS_A=1 RESTARTS_B=1 POLICY=0
check half_connection M=3 DRAWS=3 RESTARTS_A=0 RESTARTS_B=0 POLICY=1
if [[ -n ${A3M_LONG:-} ]]; then
    check half_connection M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=1 POLICY=0
    check half_connection M=2 DRAWS=2 RESTARTS_A=2 RESTARTS_B=2 POLICY=0
fi

for name in NO_DEDUP R_TIMES_OUT ACK_EARLY R_REUSED SAME_CLOCK RESET_FROM_ANYBODY RESET_ANY_R RESET_NEVER_UNKNOWN \
    LOWER_ORDER OPEN_ENDS SAME_S PROBE_CLOSES NO_PROBE CLOSE_FROM_STRANGER OPEN_NAMES_NOBODY NO_TIMER NO_OPEN_TIMER; do
    mutant half_connection "$name" M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=1 POLICY=1
done
mutant half_connection OLD_ID M=2 DRAWS=3 RESTARTS_A=0 RESTARTS_B=0 POLICY=0
mutant half_connection ACK_ANY_ID M=2 DRAWS=2 RESTARTS_A=0 RESTARTS_B=1 POLICY=1
# Only where the limit is raised after the acknowledgement.
mutant half_connection NO_PING M=2 DRAWS=2 RESTARTS_A=0 RESTARTS_B=0 POLICY=0 LATER=1
finish
