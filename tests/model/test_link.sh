#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# link.pml in small bounds: both ends of a link agree. A3M_LONG=1: in larger ones. covers L1 L2 L4 L7 L11
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

check link ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=1 RESETS=0
check link ASKS=2 UNLINKS=1 REFUSALS=1 LASTS=0 RESETS=1
check link ASKS=1 UNLINKS=1 REFUSALS=0 LASTS=1 RESETS=1
if [[ -n ${A3M_LONG:-} ]]; then
    check link ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=1 RESETS=1
fi
finish
