#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# half_connection.pml in small bounds: no state breaks an invariant. A3M_LONG=1: in larger ones.
# covers core
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

check half_connection M=2 DRAWS=3 RESTARTS_A=0 RESTARTS_B=1 POLICY=1
check half_connection M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=0 POLICY=1
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=1 POLICY=1
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=0 POLICY=1 W=2
check half_connection M=3 DRAWS=2 RESTARTS_A=1 RESTARTS_B=1 POLICY=0
check half_connection M=3 DRAWS=3 RESTARTS_A=0 RESTARTS_B=0 POLICY=1
check half_connection M=2 DRAWS=2 RESTARTS_A=1 RESTARTS_B=0 POLICY=1 LATER
if [[ -n ${A3M_LONG:-} ]]; then
    check half_connection M=2 DRAWS=3 RESTARTS_A=1 RESTARTS_B=1 POLICY=0
    check half_connection M=2 DRAWS=2 RESTARTS_A=2 RESTARTS_B=2 POLICY=0
fi
finish
