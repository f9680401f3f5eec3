/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options. An option that means something different to different
 * commands has a row for each meaning. The help shows rows in this order.
 */
#include "options.h"

#include <stddef.h>
#include <stdlib.h>

#include <a3m/a3m.h>

#define AT(member) offsetof(struct cli_options, member)

const struct cli_arg cli_option_table[] = {
    {"bind", 0, CLI_ARG_TEXT, CLI_ALL, AT(bind), "URL",
     "address to be found at: udp://127.0.0.1:7101, udp://[::]:7101;\nport 0 takes any free one"},
    {"socket", 0, CLI_ARG_TEXT, CLI_ALL, AT(socket), "TAG",
     "name of the socket that peers link to; with --bind the\ndefault is the name of the command"},
    {"link", 0, CLI_ARG_TEXTS, CLI_ALL, AT(links), "PEER",
     "link to a peer's socket: udp://127.0.0.1:7101/TAG, or\nID/TAG with --peer; may be given several times"},
    {"peer", 0, CLI_ARG_TEXTS, CLI_ALL, AT(peers), "ID=URL",
     "where the node ID is: server=udp://192.0.2.7:7101; may be\ngiven several times"},
    {"node", 0, CLI_ARG_TEXT, CLI_ALL, AT(node), "ID",
     "id of this node, unique in its network; default: made of\nhost name, process number and a random part"},

    {"echo", 0, CLI_ARG_FLAG, CLI_REP, AT(echo), NULL, "reply with the request itself"},
    {"data", 0, CLI_ARG_TEXT, CLI_REP, AT(data), "TEXT", "reply with TEXT"},
    {"lines", 0, CLI_ARG_FLAG, CLI_REP, AT(lines), NULL,
     "print each request as a line, and reply with the next line\nof standard input"},
    {"data", 0, CLI_ARG_TEXT, CLI_REQ, AT(data), "TEXT", "the request"},
    {"lines", 0, CLI_ARG_FLAG, CLI_PUSH, AT(lines), NULL, "send each line of standard input as a message"},
    {"file", 0, CLI_ARG_TEXT, CLI_PUSH, AT(file), "PATH",
     "send the whole file as one message; '-' is standard input"},
    {"data", 0, CLI_ARG_TEXT, CLI_PUSH, AT(data), "TEXT", "send TEXT as a message"},
    {"taken", 0, CLI_ARG_FLAG, CLI_PUSH, AT(taken), NULL,
     "end when all messages have been received by who reads there,\nnot when they have been acknowledged"},
    {"zero", '0', CLI_ARG_FLAG, CLI_PUSH, AT(zero), NULL,
     "with --lines: messages end at NUL bytes, not at newlines"},
    {"zero", '0', CLI_ARG_FLAG, CLI_PULL, AT(zero), NULL,
     "print a NUL byte after each message, not a newline"},
    {"raw", 0, CLI_ARG_FLAG, CLI_PULL, AT(raw), NULL, "print messages as they are, with nothing after them"},

    {"count", 0, CLI_ARG_COUNT, CLI_REP, AT(count), "N",
     "end after N replies; 0 (default): when interrupted"},
    {"count", 0, CLI_ARG_COUNT, CLI_REQ, AT(count), "N",
     "number of requests; default 1; 0: until interrupted"},
    {"count", 0, CLI_ARG_COUNT, CLI_PULL, AT(count), "N",
     "end after N messages; 0 (default): when interrupted"},
    {"interval", 0, CLI_ARG_DURATION, CLI_REQ, AT(interval), "TIME",
     "from the beginning of a request to that of the next"},
    {"rtt", 0, CLI_ARG_FLAG, CLI_REQ, AT(rtt), NULL, "print the round trip beside each reply"},
    {"timeout", 0, CLI_ARG_DURATION, CLI_REP | CLI_PULL, AT(timeout), "TIME",
     "end when nothing came for so long"},
    {"timeout", 0, CLI_ARG_DURATION, CLI_REQ, AT(timeout), "TIME",
     "wait so long for each reply; default: for ever"},
    {"timeout", 0, CLI_ARG_DURATION, CLI_PUSH, AT(timeout), "TIME",
     "wait so long for room to send, and so long for the last\nacknowledgements, or receipts; default: for "
     "ever"},
    {"link-timeout", 0, CLI_ARG_DURATION, CLI_ALL, AT(link_timeout), "TIME",
     "wait so long for the first link"},
    {"option", 0, CLI_ARG_TEXTS, CLI_ALL, AT(settings), "NAME=VALUE",
     "set an option of the socket: credit-messages=100,\nmax-message=1GiB, link-retry-max=500ms; see below"},
    {"quiet", 'q', CLI_ARG_FLAG, CLI_ALL, AT(quiet), NULL, "say nothing but errors"},
    {"help", 'h', CLI_ARG_FLAG, CLI_ALL | CLI_TOP, AT(help), NULL, "print this help"},
    {"version", 'V', CLI_ARG_FLAG, CLI_ALL | CLI_TOP, AT(version), NULL, "print the version"},
    {.name = NULL},
};

void cli_options_init(struct cli_options *options)
{
    *options = (struct cli_options){
        .timeout = {-1},
        .link_timeout = {-1},
        .interval = {-1},
        .count = -1,
    };
}

void cli_options_fini(struct cli_options *options)
{
    free(options->links.items);
    free(options->peers.items);
    free(options->settings.items);
}

a3m_time cli_options_deadline(a3m_duration d)
{
    return d.ns < 0 ? A3M_FOREVER : a3m_in(d);
}
