/* A file server on this machine that can misbehave on request; http_server.py says how. */
#ifndef TESTS_SUPPORT_HTTP_SERVER_H
#define TESTS_SUPPORT_HTTP_SERVER_H

typedef struct kt_http_server kt_http_server;

/* Serves `directory` until kt_http_server_stop. Fails the running test when it cannot. */
kt_http_server *kt_http_server_start(const char *directory);
void kt_http_server_stop(kt_http_server *server);
/* "http://127.0.0.1:PORT/`name`"; free with free(). */
char *kt_http_server_uri(const kt_http_server *server, const char *name);
/* What was asked since the last call: lines of path and range; free with free(). */
char *kt_http_server_requests(kt_http_server *server);

#endif
