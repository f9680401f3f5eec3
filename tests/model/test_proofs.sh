#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# proofs.pml in small bounds: no proof ends an incarnation that lives. Each rule left out gives a counterexample
# (core/mutation.h).
# covers core
# shellcheck source=tests/model/model.sh
source "$(dirname "${BASH_SOURCE[0]}")/model.sh"

check proofs RESTARTS=2 DRAWS=4
for name in PROOF_ENDS_LATER OPEN_ENDS; do
    mutant proofs "$name"
done
finish
