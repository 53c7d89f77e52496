/* What is compiled for "this processor" depends on: a part of cache keys. */
#ifndef KN_SHARED_PROCESSOR_IDENTITY_H
#define KN_SHARED_PROCESSOR_IDENTITY_H

#include <kenning/status.h>

/* SHA-256 of name and abilities of the first processor, as Linux tells them. */
kn_status kn_processor_identity(char hex[65]) KN_MUST_USE;

#endif
