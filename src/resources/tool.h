/* Scripts of back-ends, run by an interpreter that is known already; see kn_tool_run in <kenning/services.h>. */
#ifndef KENNING_RESOURCES_TOOL_H
#define KENNING_RESOURCES_TOOL_H

#include <kenning/services.h>

/* As kn_tool_run: the script at `path`, by the interpreter `python`. request->framework is not looked at. */
kn_status kn_tool_run_by(const char *python, const char *path, const kn_tool_request *request,
                         kn_record *result) KN_MUST_USE;

#endif
