#include "support/http_server.h"

#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/program.h"

struct kt_http_server {
  kt_process *process;
  char *directory, *place; /* the port's file is in a place of its own */
  char *port;
};

kt_http_server *kt_http_server_start(const char *directory) {
  kt_http_server *server = calloc(1, sizeof *server);
  if (!server) kt_fail("no memory");
  server->directory = strdup(directory);
  server->place = kt_directory_make();
  char *script = kt_source_path("tests/support/http_server.py"), *port_file = kt_path(server->place, "port");
  server->process = kt_start((const char *const[]){"python3", script, directory, port_file, NULL},
                             &(kt_run_options){.timeout_s = 10});
  for (int i = 0; i < 1000 && access(port_file, F_OK) != 0; i++) usleep(20000);
  if (access(port_file, F_OK) != 0) kt_fail("the server does not start");
  server->port = kt_file_read(port_file, NULL);
  free(port_file);
  free(script);
  return server;
}

void kt_http_server_stop(kt_http_server *server) {
  if (!server) return;
  kt_signal(server->process, SIGTERM);
  kt_run run = kt_finish(server->process);
  kt_run_free(&run);
  kt_directory_remove(server->place);
  free(server->directory);
  free(server->port);
  free(server);
}

char *kt_http_server_uri(const kt_http_server *server, const char *name) {
  char *uri = NULL;
  if (asprintf(&uri, "http://127.0.0.1:%s/%s", server->port, name) < 0) kt_fail("no memory");
  return uri;
}

char *kt_http_server_requests(kt_http_server *server) {
  char *path = kt_path(server->directory, "requests.log");
  char *text = access(path, F_OK) == 0 ? kt_file_read(path, NULL) : strdup("");
  (void)unlink(path);
  free(path);
  return text;
}
