/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds of a model, and rules that are broken in it, come from the environment of
 * pan: so one pan, which takes longer to compile than to run, does for all of
 * them. A parameter is a hidden variable, no part of the state; its first value
 * counts when the environment has none of its name. MUTATE_<NAME>=1 breaks the
 * rule that middleware/core/mutation.h calls NAME.
 */
c_decl {
static int parameter(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text != 0 ? atoi(text) : otherwise;
}
};

#define READ(name)    c_code { name = parameter(#name, name); };
#define RULE(name)    hidden byte MUTATE_##name = 0;
#define MUTATED(name) (MUTATE_##name != 0)
