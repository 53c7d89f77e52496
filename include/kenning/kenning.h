/* Everything for users of the C library. Plug-ins include <kenning/plugin.h> instead. */
#ifndef KENNING_KENNING_H
#define KENNING_KENNING_H

#include <kenning/report.h>
#include <kenning/resource.h>
#include <kenning/run.h>

#endif
