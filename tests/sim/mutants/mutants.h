/* SPDX-License-Identifier: Apache-2.0 */
/* The programs whose main is called otherwise here (mutants.c); included into each of them by the build. */
#ifndef MUTANTS_H
#define MUTANTS_H

int core_named_main(void);
int core_move_main(void);
int core_control_main(void);
int core_restarts_main(void);
int core_hostile_records_main(void);
int core_addresses_main(void);
int core_random_main(void);
int node_crossing_main(void);
int node_found_main(void);

#endif
