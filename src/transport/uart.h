/* Serial devices: raw bytes, eight bits, no parity, one stop bit, no flow control. */
#ifndef KENNING_TRANSPORT_UART_H
#define KENNING_TRANSPORT_UART_H

#include "transport/connection.h"

/* KN_INVALID_ARGUMENT for a speed that the system does not know, KN_NOT_FOUND, KN_IO_ERROR, KN_BUSY when another
 * program has locked it. */
kn_status kn_uart_open(const char *device, int64_t baudrate, kn_connection *out_connection) KN_MUST_USE;

#endif
