#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each rule of the link handshake, left out of the model, gives a counterexample (core/mutation.h).
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

optimize=-O0
for name in LINK_BOTH_ANSWER LINK_NONE_ANSWERS LINK_END_UNKNOWN LINK_ANY_NUMBER; do
    mutant link "$name" ASKS=2 UNLINKS=2 REFUSALS=1 LASTS=1 RESETS=0
done
finish
