/* SPDX-License-Identifier: Apache-2.0 */
#include "base/receipt.h"

#include <stdlib.h>

#include <a3m/errors.h>

#include "base/error.h"
#include "base/message.h"

int a3m_msg_set_receipt(a3m_msg *msg, unsigned kinds, uint64_t id, a3m_receipt_fn *told, void *arg)
{
    if ((kinds & ~((unsigned)A3M_RECEIPT_ACCEPTED | A3M_RECEIPT_TAKEN)) != 0) {
        return a3mi_fail(A3M_EINVAL, "receipts are of a message accepted or taken, not of kind %#x", kinds);
    }
    if (kinds == 0) {
        free(msg->receipt);
        msg->receipt = NULL;
        return A3M_OK;
    }
    if (msg->receipt == NULL) {
        msg->receipt = malloc(sizeof(*msg->receipt));
    }
    if (msg->receipt == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a receipt");
    }
    *msg->receipt = (struct a3mi_receipt){.kinds = kinds, .id = id, .told = told, .arg = arg};
    return A3M_OK;
}
