/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done with a link, file by file; what it is, is in node.h. Private to this folder.
 */
#ifndef A3MI_LINK_H
#define A3MI_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/assoc.h"
#include "core/link_machine.h"
#include "proto/control.h"

struct a3m_base;
struct a3mi_link;
struct a3mi_node;

/* ---- link.c, link_control.c, link_ended.c ---------------------------------- */

struct a3mi_link *a3mi_link_new(struct a3m_base *socket, bool incoming);
/* [engine] [socket] Runs the machine, actions included. `info` is what the event brought, or NULL. */
void a3mi_link_step(struct a3mi_link *link, enum a3mi_link_event event, const struct a3mi_control *info,
                    int64_t now);
/*
 * [engine] [socket] Carries out an end that was asked for and whose CMD_UNLINK has not come yet: it may lie behind a
 * push under way for as long as that thread is kept from running. Whatever else happens to the link comes after it:
 * the machine sees to that, but who looks at a link's state before it runs must have called this.
 */
void a3mi_link_carry_end(struct a3mi_link *link, int64_t now);
/* [socket] For links that applications make: counts it as coming up. */
void a3mi_link_count(struct a3mi_link *link);
/* [socket] No call finds the link any more. */
void a3mi_link_retire(struct a3mi_link *link);
/* [socket] Its last message was taken, or dropped: a link that is over may go. */
void a3mi_link_emptied(struct a3mi_link *link);
/*
 * [engine] When its socket has another link with the same peer's socket: makes
 * this one stand for that one, and says true.
 */
bool a3mi_link_join_twin(struct a3mi_link *link);
/* [engine] The same, taking the socket's lock. */
void a3mi_link_event(struct a3mi_link *link, enum a3mi_link_event event, const struct a3mi_control *info,
                     int64_t now);
/* [engine] CMD_LINK, CMD_UNLINK. */
void a3mi_link_begin(struct a3mi_link *link, int64_t now);
void a3mi_link_unlink(struct a3mi_link *link, int64_t now);
/* [socket] Marks the link as ended by this end and queues CMD_UNLINK; true: carry it. */
bool a3mi_link_request_end(struct a3mi_link *link, int reason);
/* [engine] FINISHING: whether everything has arrived both ways, and closes it then. */
void a3mi_link_check_finished(struct a3mi_link *link, int64_t now);
/* [engine] The association's events about links. */
void a3mi_link_on_control(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                          const uint8_t *bytes, size_t size, int64_t now);
void a3mi_link_on_peer_ended(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                             enum a3mi_peer_end why, int64_t now);
void a3mi_link_on_peer_bound(struct a3mi_peer *peer, uint64_t incarnation);
void a3mi_link_on_peer_silent(struct a3mi_peer *peer, uint64_t incarnation, int64_t since);
void a3mi_link_on_peer_merged(struct a3mi_node *node, struct a3mi_peer *from, struct a3mi_peer *into,
                              int64_t now);
/* [engine] Sends one control message about a link; false: could not (no address, peer over). */
bool a3mi_link_say(struct a3mi_link *link, struct a3mi_control *control, int64_t now);
/* [engine] Answers a message about a link that this end does not have. */
void a3mi_link_answer(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                      const struct a3mi_control *to, enum a3mi_control_kind kind, uint32_t refusal,
                      const char *text, int64_t now);
/* [engine] The link ends before the peer answered: its own request, which crossed ours, is refused. */
void a3mi_link_refuse_crossed(struct a3mi_link *link, int64_t now);
/* What a refusal on the wire means as an error code. */
int a3mi_refusal_code(uint32_t refusal);

/* ---- link_request.c -------------------------------------------------------- */

/* [engine] A peer's request: a link, or a refusal. Not looked at while too many answers wait for the peer (unheard.h). */
void a3mi_link_on_request(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                          const struct a3mi_control *request, int64_t now);

/* ---- link_life.c ----------------------------------------------------------- */

/* [engine] [socket] Draws a new number and a new index for an attempt, and gets all that it takes to attach. A3M_ENOMEM. */
int a3mi_link_renew(struct a3mi_link *link);
/* [engine] [socket] The same before an event that may attach, unless the link has it. */
int a3mi_link_prepare(struct a3mi_link *link);
/* [engine] [socket] An attempt came to nothing: what arrived on its index, ahead of an acceptance, is of another life. So are grants. */
void a3mi_link_drop_attempt(struct a3mi_link *link);
/* [engine] [socket] Writes what both REQUEST and ACCEPT tell about this end. */
void a3mi_link_describe(struct a3mi_link *link, struct a3mi_control *control);
/* [engine] [socket] Binds the link, which is prepared, to what the peer told: it is up. */
void a3mi_link_attach(struct a3mi_link *link, const struct a3mi_control *info, int64_t now);
/* [engine] [socket] Ends both channels, counts what was not finished, and tells the type. */
void a3mi_link_detach(struct a3mi_link *link);

/* ---- link_index.c ---------------------------------------------------------- */

/* [socket] Puts a link, whose peer's names are set, on its socket's list; takes it off, and its handle ends. */
void a3mi_link_enlist(struct a3mi_link *link);
void a3mi_link_leave_socket(struct a3mi_link *link);
/* [socket] A link asked for before under the same name; NULL. Ended ones make room. */
struct a3mi_link *a3mi_link_find_wish(struct a3m_base *socket, const struct a3mi_link *wish);
/* [engine] The peer that the link is with from now on; NULL: none any more. Holds and releases nothing. */
void a3mi_link_set_peer(struct a3mi_link *link, struct a3mi_peer *peer);
/* [engine] A link that the peer asked for is wanted by this end as well. */
void a3mi_link_wanted(struct a3mi_link *link);
/* [engine] [socket] The peer alone asked for the link: when it is lost, it is over. */
bool a3mi_link_is_theirs(struct a3mi_link *link);
/*
 * [engine] [socket] The link with a peer's socket, to be or being; one that is being cancelled only when there is no
 * other. One that is ending has its own numbers, and delivers what was sent on it beside a new one. Ends that were
 * asked for are carried out first.
 */
struct a3mi_link *a3mi_link_find_pair(struct a3m_base *socket, const struct a3mi_peer *peer,
                                      const struct a3mi_name *tag, const struct a3mi_link *but, int64_t now);
/*
 * [engine] A link that an earlier socket with this one's tag asked for and has not got. Requests go by names, and
 * the peer may take that one yet.
 */
struct a3mi_link *a3mi_link_find_former(struct a3m_base *socket, const struct a3mi_peer *peer,
                                        const struct a3mi_name *tag);

/* ---- link_metadata.c ------------------------------------------------------- */

/* What one end tells the other with a link. */
struct a3mi_metadata {
    uint8_t *bytes;
    size_t size;
};

/* [socket] What this end tells, and what the peer told, with the link: copied. A3M_ENOMEM. */
int a3mi_link_set_metadata(struct a3mi_link *link, const void *bytes, size_t size);
int a3mi_link_keep_metadata(struct a3mi_link *link, const struct a3mi_control *control);
/* [engine] [socket] A link turned out to be `into`: what this end was to tell with it takes the place of what it told with that one. */
void a3mi_link_pass_metadata(struct a3mi_link *link, struct a3mi_link *into, int64_t now);
/* [socket] The same of what a call gave that found the link there. A3M_ENOMEM; else *carry: carry what was queued. */
int a3mi_link_change_metadata(struct a3mi_link *link, const struct a3mi_metadata *given, bool *carry);
/* [engine] [socket] Of a link that is up: tells what was not told yet. */
void a3mi_link_tell_metadata(struct a3mi_link *link, int64_t now);
/* [socket] What a peer said that refused. */
void a3mi_link_set_text(struct a3mi_link *link, const char *text);
void a3mi_link_free_metadata(struct a3mi_link *link);

/* ---- blocked.c ------------------------------------------------------------- */

/* [socket] Whether the link can send may have changed. */
void a3mi_blocked_note(struct a3mi_link *link);
/* [socket] Why nothing can be sent on it, the outbox included; A3M_OK: something can. */
int a3mi_blocked_get(const struct a3mi_link *link, int64_t *since);

/* ---- resolve.c ------------------------------------------------------------- */

/* [engine] A link asks by node id: after the turn the application's resolver is asked, if that is of use. */
void a3mi_link_ask_resolver(struct a3mi_link *link);

/* ---- heartbeat.c ----------------------------------------------------------- */

/* [engine] A message went on the link: its answer may be awaited. */
void a3mi_heartbeat_arm(struct a3mi_link *link, int64_t now);
/* [engine] The link is not up any more. */
void a3mi_heartbeat_cancel(struct a3mi_link *link);

/* ---- drain.c --------------------------------------------------------------- */

/* [socket] The next `n` messages of the link have been acknowledged, or are given up. */
void a3mi_link_settle(struct a3mi_link *link, uint64_t n, bool lost);
/* [socket] Calls that drain learn that the socket is closed. */
void a3mi_socket_wake_drains(struct a3m_base *socket);

#endif
