# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of the a3m command for bash: install as
# /usr/share/bash-completion/completions/a3m, or source it. Commands and options are taken from
# a3m's own help, so that they are always those of the command that is installed.

# The words of the help of "a3m $1" (or of "a3m"): rows begin with two spaces.
_a3m_help() {
    "${COMP_WORDS[0]}" ${1:+"$1"} --help 2>/dev/null
}

_a3m_commands() {
    _a3m_help | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_a3m_options() {
    _a3m_help "$1" | sed -n '/^options:/,/^$/{s/^  \(-[^-], \)\{0,1\}\(--[a-z-]*\).*/\2/p}'
}

# Names for --option, with the equals sign.
_a3m_settings() {
    _a3m_help "$1" | sed -n '/^options of the socket/,/^$/s/^  \([a-z][a-z-]*\) .*/\1=/p'
}

_a3m() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_a3m_commands) help --help --version" -- "$current")
        return
    fi
    case $previous in
    help)
        mapfile -t COMPREPLY < <(compgen -W "$(_a3m_commands)" -- "$current")
        return
        ;;
    --file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --option)
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "$(_a3m_settings "${COMP_WORDS[1]}")" -- "$current")
        return
        ;;
    --bind)
        # The colon of "udp:" divides words in bash, so only the scheme can be offered.
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "udp:" -- "$current")
        return
        ;;
    --socket | --link | --peer | --node | --data | --count | --interval | --timeout | --link-timeout)
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$(_a3m_options "${COMP_WORDS[1]}")" -- "$current")
}

complete -F _a3m a3m
