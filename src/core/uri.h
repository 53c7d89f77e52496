/* Paths that may be URIs (RFC 3986). */
#ifndef KENNING_CORE_URI_H
#define KENNING_CORE_URI_H

#include <kenning/status.h>

/* True when `text` starts with a scheme and "://". A path that happens to look so is written with "./" before it. */
bool kn_uri_is(const char *text);
/* Also in other letter cases. */
bool kn_uri_has_scheme(const char *uri, const char *scheme);
/* The local path that a path or a file:// URI stands for, percent signs decoded. NULL in *out_path for URIs of other
 * schemes. KN_INVALID_ARGUMENT for a file:// URI with a host, a relative path or a wrong percent sign. Free with
 * kn_free. */
kn_status kn_uri_local_path(const char *text, char **out_path) KN_MUST_USE;

#endif
