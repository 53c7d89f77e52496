/* Lets each system call of an operation fail, the first one, the second, ..., with each of several reasons, and each
 * function of libssl. Whatever fails: the operation is told to have failed, or what it gave is whole; no descriptor
 * stays open, and the next attempt works. */
#include "torture/system.h"

#include "core/log.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/upload.h"
#include "transport/connection.h"
#include "transport/psk.h"
#include "transport/tcp.h"
#include "transport/tls.h"
#include "transport/uart.h"
#include "transport/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/run.h>
#include <kenning/services.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const int errors[] = {EIO,    ENOTSOCK,    EINTR,  EAGAIN,      ENOENT, EADDRINUSE,
                             EACCES, EINPROGRESS, EEXIST, EWOULDBLOCK, 0};
enum { MOST_CALLS = 200 };

static char *directory, *path, *key, *device;
static const char *host = "127.0.0.1";

static int64_t soon(void) { return kn_now_ns() + 5000000000; }

/* ---- operations: NULL when all they did was right ---- */

static kn_status expect(bool holds, const char *what) {
  return holds ? NULL : kn_status_make(KN_BAD_DATA, "wrong: %s", what);
}

/* Bytes in pieces, then a file. */
static kn_status talk(kn_connection *one, kn_connection *other) {
  static const char said[] = "one and two, and a file";
  const kn_piece pieces[] = {{"one", 3}, {"", 0}, {" and two, ", 10}};
  char heard[sizeof said - 1];
  KN_TRY(kn_connection_write(one, pieces, 3, soon()));
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return kn_status_make(KN_IO_ERROR, "the file: %s", strerror(errno));
  kn_status status = kn_connection_send_file(one, file, 10, soon());
  close(file);
  KN_TRY(status);
  for (size_t got = 0, now; got < sizeof heard; got += now) {
    KN_TRY(kn_connection_read(other, heard + got, sizeof heard - got, soon(), &now));
    if (!now) return kn_status_make(KN_IO_ERROR, "an early end");
  }
  return expect(!memcmp(heard, said, sizeof heard), "what was said");
}

static kn_status meet(kn_connection *client, int listener, bool tcp) {
  kn_connection served = {.fd = -1};
  int fd = accept(listener, NULL, NULL);
  kn_status status = fd < 0 ? kn_status_make(KN_IO_ERROR, "accept") : NULL;
  if (!status && tcp) status = kn_tcp_prepare(fd);
  if (!status) status = kn_connection_adopt(fd, &served);
  if (status && fd >= 0) close(fd);
  if (!status) status = talk(client, &served);
  if (!status) status = talk(&served, client);
  kn_connection_close(&served);
  return status;
}

static kn_status over_tcp(void) {
  int listener;
  bool loopback;
  int64_t port;
  kn_connection client;
  KN_TRY(kn_tcp_listen(host, 0, &listener, &loopback, &port));
  kn_status status = port ? expect(loopback, "loopback") : kn_status_make(KN_IO_ERROR, "the port is not known");
  if (!status) {
    status = kn_tcp_connect(host, port, soon(), &client);
    if (!status) status = meet(&client, listener, true);
    kn_connection_close(&client);
  }
  close(listener);
  return status;
}

static kn_status over_unix(void) {
  int listener;
  kn_connection client;
  char *place = kt_path(directory, "socket");
  kn_status status = kn_unix_listen(place, &listener);
  if (!status) {
    status = kn_unix_connect(place, soon(), &client);
    if (!status) status = meet(&client, listener, false);
    kn_connection_close(&client);
    close(listener);
  }
  free(place); /* the file stays: the next one finds a socket that nobody serves */
  return status;
}

static kn_status over_a_pipe(void) {
  int ends[2];
  kn_connection one = {.fd = -1}, other = {.fd = -1};
  const kn_piece piece = {"through a pipe", 14};
  char heard[14];
  size_t got = 0;
  assert_int_equal(pipe(ends), 0);
  kn_status status = kn_connection_adopt(ends[0], &other);
  if (!status) status = kn_connection_adopt(ends[1], &one);
  if (!status) status = kn_connection_write(&one, &piece, 1, soon());
  if (!status) status = kn_connection_read(&other, heard, sizeof heard, soon(), &got);
  if (!status && !got) status = kn_status_make(KN_IO_ERROR, "an early end"); /* EIO: as of a terminal */
  if (!status) status = expect(got == sizeof heard && !memcmp(heard, piece.data, got), "what was said");
  close(ends[0]);
  close(ends[1]);
  return status;
}

static kn_status a_line(void) {
  kn_connection line;
  KN_TRY(kn_uart_open(device, 115200, &line));
  kn_connection_close(&line);
  return NULL;
}

static kn_status a_key(void) {
  char *other = kt_path(directory, "another.psk");
  uint8_t bytes[KN_PSK_BYTES];
  kn_status status = kn_psk_make(other);
  if (!status) {
    status = kn_psk_read(other, bytes);
    unlink(other);
  }
  bool left = !access(other, F_OK);
  free(other);
  return status ? (left ? kn_status_make(KN_BAD_DATA, "wrong: a key that could not be made is there") : status)
                : expect(!left, "no key is there");
}

/* A model: the one that was there before stays until it is replaced. */
static kn_status an_upload(void) {
  char *place = kt_path(directory, "model");
  kn_upload upload;
  kt_file_write_text(place, "before");
  kn_status status = kn_upload_begin(place, &upload);
  if (!status) {
    status = kn_upload_add(&upload, "after", 5);
    if (!status) status = kn_upload_commit(&upload);
    kn_upload_clear(&upload);
  }
  char *text = kt_file_read(place, NULL);
  if (strcmp(text, "before") != 0 && strcmp(text, "after") != 0) {
    kn_status_free(status);
    status = expect(false, "half a model");
  } else if (!status) {
    status = expect(!strcmp(text, "after"), "the model before");
  }
  free(text);
  free(place);
  return status;
}

typedef struct served {
  kn_connection connection;
  kn_status status;
} served;

static void *serve(void *context) {
  served *s = context;
  s->status = kn_tls_begin(&s->connection, true, key, soon());
  char byte;
  size_t got = 0;
  if (!s->status) s->status = kn_connection_read(&s->connection, &byte, 1, soon(), &got);
  if (!s->status && !got) s->status = kn_status_make(KN_IO_ERROR, "an early end");
  const kn_piece piece = {&byte, 1};
  if (!s->status) s->status = kn_connection_write(&s->connection, &piece, 1, soon());
  kn_connection_close(&s->connection);
  return NULL;
}

/* There and back; both ends have to be content. */
static kn_status over_tls(void) {
  int ends[2];
  pthread_t thread;
  char byte = 0;
  size_t got = 0;
  const kn_piece piece = {"x", 1};
  KN_TRY(kn_tls_check(key));
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  served s = {.connection.fd = -1};
  kn_connection client;
  kt_assert_ok(kn_connection_adopt(ends[0], &client));
  kt_assert_ok(kn_connection_adopt(ends[1], &s.connection));
  assert_int_equal(pthread_create(&thread, NULL, serve, &s), 0);
  kn_status status = kn_tls_begin(&client, false, key, soon());
  if (!status) status = kn_connection_write(&client, &piece, 1, soon());
  if (!status) status = kn_connection_read(&client, &byte, 1, soon(), &got);
  if (!status && !got) status = kn_status_make(KN_IO_ERROR, "an early end");
  if (!status) status = expect(byte == 'x', "what came back");
  kn_connection_close(&client);
  assert_int_equal(pthread_join(thread, NULL), 0);
  return kn_status_join(status, s.status);
}

/* ---- the driver ---- */

typedef kn_status (*operation)(void);

static kn_status operate(void *context) { return (*(operation *)context)(); }

/* `vital` (NULL-terminated) are those whose failing (EIO) cannot be overcome. */
static void let_fail(const char *what, operation one, const char *const *vital) {
  kt_system_torture(&(kt_torture){.what = what,
                                  .operation = operate,
                                  .context = &one,
                                  .calls = kt_system_calls,
                                  .errors = errors,
                                  .most = MOST_CALLS,
                                  .whole = true,
                                  .vital = vital});
}

static void connections(void **state) {
  (void)state;
  let_fail("tcp", over_tcp,
           (const char *const[]){"socket", "setsockopt", "bind", "listen", "connect", "fcntl", "sendmsg", "sendfile",
                                 "getsockname", "getaddrinfo", NULL});
  let_fail("unix", over_unix, (const char *const[]){"bind", "listen", "connect", "fcntl", "sendmsg", "sendfile", NULL});
  let_fail("pipe", over_a_pipe, (const char *const[]){"fcntl", "writev", NULL});
}

static void six(void **state) {
  (void)state;
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  bool there = fd >= 0;
  if (there) close(fd);
  if (!there || access("/proc/net/if_inet6", R_OK)) kt_skip("this machine has no IPv6");
  host = "::1";
  kt_assert_ok(over_tcp());
  host = "::";
  int listener;
  bool loopback;
  int64_t port;
  kt_assert_ok(kn_tcp_listen(host, 0, &listener, &loopback, &port));
  assert_false(loopback);
  assert_true(port > 0);
  close(listener);
  host = "127.0.0.1";
  /* Not of this machine; they differ from ::1 in one of its four words each. */
  static const char *const others[] = {"1::1", "0:0:1::1", "::1:0:1", "::2"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    kt_assert_fault(kn_tcp_listen(others[i], 0, &listener, &loopback, &port), KN_IO_ERROR, "cannot listen");
    assert_false(loopback);
  }
}

/* ---- ends that are seldom ---- */

static void who_stops_the_program_waits_no_longer(void **state) {
  (void)state;
  kn_connection client;
  kn_cancel();
  kt_system_fail("connect", 1, EINPROGRESS);
  kt_assert_fault(kn_tcp_connect("127.0.0.1", 9, soon(), &client), KN_CANCELLED, NULL);
  (void)kt_system_mend();
  kn_cancel_reset();
  assert_int_equal(client.fd, -1);
}

static void names_without_an_address(void **state) {
  (void)state;
  kn_connection client;
  kt_system_fail("getaddrinfo", 1, ENOMEM);
  kt_assert_fault(kn_tcp_connect("host", 1, soon(), &client), KN_OUT_OF_MEMORY, "has no address");
  kt_system_fail("getaddrinfo", 1, EIO);
  kt_assert_fault(kn_tcp_connect("host", 1, soon(), &client), KN_NOT_FOUND, strerror(EIO));
  (void)kt_system_mend();
}

/* Reads until the client is gone. */
static void *listen_to(void *context) {
  served *s = context;
  char heard[64];
  size_t got = 1;
  s->status = kn_tls_begin(&s->connection, true, key, soon());
  while (!s->status && got) s->status = kn_connection_read(&s->connection, heard, sizeof heard, soon(), &got);
  kn_connection_close(&s->connection);
  return NULL;
}

/* More is promised than the file has. */
static void a_file_that_becomes_shorter(void **state) {
  (void)state;
  for (int secure = 0; secure < 2; secure++) {
    int ends[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    served s = {.connection.fd = -1};
    kn_connection client;
    kt_assert_ok(kn_connection_adopt(ends[0], &client));
    kt_assert_ok(kn_connection_adopt(ends[1], &s.connection));
    if (secure) {
      assert_int_equal(pthread_create(&thread, NULL, listen_to, &s), 0);
      kt_assert_ok(kn_tls_begin(&client, false, key, soon()));
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    kt_assert_fault(kn_connection_send_file(&client, file, 11, soon()), KN_BAD_DATA, "shorter");
    if (secure) { /* and one that cannot be read, or not at once */
      kt_system_fail("read", 1, EIO);
      kt_assert_fault(kn_connection_send_file(&client, file, 1, soon()), KN_IO_ERROR, "cannot be read");
      assert_int_equal(lseek(file, 0, SEEK_SET), 0);
      kt_system_fail("read", 1, EINTR);
      kt_assert_ok(kn_connection_send_file(&client, file, 10, soon()));
      assert_true(kt_system_mend());
    }
    const kn_piece five[5] = {{"", 0}};
    kt_assert_fault(kn_connection_write(&client, five, 5, soon()), KN_INTERNAL, "too many pieces");
    close(file);
    kn_connection_close(&client);
    if (secure) {
      assert_int_equal(pthread_join(thread, NULL), 0);
      kn_status_free(s.status);
    } else {
      kn_connection_close(&s.connection);
    }
  }
}

static void keys_of_others(void **state) {
  (void)state;
  uint8_t bytes[KN_PSK_BYTES];
  char *other = kt_path(directory, "stranger.psk");
  kt_file_write_text(other, "0011223344556677 is no hexadecimal number, though it is as long as a key: 64 of them");
  assert_int_equal(truncate(other, 64), 0);
  assert_int_equal(chmod(other, 0600), 0);
  kt_assert_fault(kn_psk_read(other, bytes), KN_BAD_DATA, "is no key");
  if (geteuid() == 0) { /* only root can give a file away */
    assert_int_equal(chown(other, 12345, 12345), 0);
    assert_int_equal(seteuid(54321), 0);
    kn_status status = kn_psk_read(other, bytes);
    assert_int_equal(seteuid(0), 0);
    assert_true(status); /* it cannot be opened */
    kn_status_free(status);
    kt_assert_fault(kn_psk_read(other, bytes), KN_INVALID_ARGUMENT, "belongs to another user");
  }
  free(other);
}

static void paths_of_sockets(void **state) {
  (void)state;
  char longer[200];
  int listener;
  kn_connection client;
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  kt_assert_fault(kn_unix_listen("", &listener), KN_INVALID_ARGUMENT, "1 to");
  kt_assert_fault(kn_unix_connect(longer, soon(), &client), KN_INVALID_ARGUMENT, "1 to");
  kt_assert_fault(kn_unix_listen(path, &listener), KN_BUSY, "it is no socket"); /* and the file stays */
  assert_int_equal(access(path, F_OK), 0);
}

static void lines_and_keys(void **state) {
  (void)state;
  let_fail(
      "line", a_line,
      (const char *const[]){"open", "tcgetattr", "cfsetispeed", "cfsetospeed", "tcsetattr", "tcflush", "fcntl", NULL});
  let_fail("upload", an_upload, (const char *const[]){"open", "ftruncate", "write", "fsync", NULL});
  let_fail("key", a_key, (const char *const[]){"open", "fchmod", "getrandom", "write", "fsync", "fstat", "read", NULL});
}

/* A function of libssl fails for a reason of its own. */
static void secure_connections(void **state) {
  (void)state;
  operation one = over_tls;
  kt_system_torture(&(kt_torture){.what = "tls",
                                  .operation = operate,
                                  .context = &one,
                                  .calls = kt_tls_calls,
                                  .errors = (const int[]){EIO, 0},
                                  .most = 1,
                                  .vital = kt_tls_calls});
}

static int set_up(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_IGN);
  kn_log_set_level(KN_LOG_CRITICAL);
  directory = kt_directory_make();
  path = kt_path(directory, "file");
  key = kt_path(directory, "psk");
  kt_file_write_text(path, "and a file");
  kt_assert_ok(kn_psk_make(key));
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) || unlockpt(terminal) || !(device = strdup(ptsname(terminal))))
    kt_fail("no pseudo-terminal");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  free(path);
  free(key);
  free(device);
  kt_directory_remove(directory);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(connections),
      cmocka_unit_test(six),
      cmocka_unit_test(lines_and_keys),
      cmocka_unit_test(secure_connections),
      cmocka_unit_test(who_stops_the_program_waits_no_longer),
      cmocka_unit_test(names_without_an_address),
      cmocka_unit_test(a_file_that_becomes_shorter),
      cmocka_unit_test(keys_of_others),
      cmocka_unit_test(paths_of_sockets),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
