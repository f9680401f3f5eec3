#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each rule of the half-connection, left out of the model, gives a counterexample (core/mutation.h).
# covers core
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

optimize=-O0
for name in NO_DEDUP OLD_ID R_TIMES_OUT ACK_EARLY R_REUSED SAME_CLOCK RESET_FROM_ANYBODY RESET_ANY_R \
    RESET_NEVER_UNKNOWN ACK_ANY_ID LOWER_ORDER OPEN_ENDS SAME_S PROBE_CLOSES NO_PROBE CLOSE_FROM_STRANGER \
    OPEN_NAMES_NOBODY NO_TIMER NO_OPEN_TIMER; do
    mutant half_connection "$name" M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=1 POLICY=1
done
# Only where the limit is raised after the acknowledgement.
mutant half_connection NO_PING M=2 DRAWS=2 RESTARTS_A=0 RESTARTS_B=0 POLICY=0 LATER
finish
