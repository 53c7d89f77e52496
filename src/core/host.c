/* The table of host functions that plug-ins get. */
#include "core/registry.h"

const kn_host kn_host_table = {.struct_size = sizeof(kn_host),
                               .abi_major = KN_ABI_MAJOR,
                               .abi_minor = KN_ABI_MINOR,
#define KN_HOST_ENTRY(type, name, parameters, arguments) .name = name,
                               KN_HOST_FUNCTIONS(KN_HOST_ENTRY)
#undef KN_HOST_ENTRY
#define KN_HOST_ENTRY(name, parameters, arguments) .name = name,
                                   KN_HOST_PROCEDURES(KN_HOST_ENTRY)
#undef KN_HOST_ENTRY
};
