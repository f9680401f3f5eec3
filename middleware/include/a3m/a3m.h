/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A3M for applications: everything they need in one include. Authors of socket
 * types take a3m/socket_type.h besides, authors of transports a3m/transport.h.
 */
#ifndef A3M_A3M_H
#define A3M_A3M_H

#include <a3m/errors.h>
#include <a3m/handles.h>
#include <a3m/message.h>
#include <a3m/node.h>
#include <a3m/options.h>
#include <a3m/payload.h>
#include <a3m/poller.h>
#include <a3m/receipt.h>
#include <a3m/socket.h>
#include <a3m/socket_event.h>
#include <a3m/time.h>
#include <a3m/version.h>

#endif
