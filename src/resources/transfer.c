#include "resources/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/library.h"
#include "core/number.h"

/* libcurl's functions with prototypes of our own: its handle and its list are opaque. */
#define CURL_FUNCTIONS(X)                                      \
  X(int, curl_global_init, (long flags))                       \
  X(void *, curl_easy_init, (void))                            \
  X(void, curl_easy_cleanup, (void *easy))                     \
  X(int, curl_easy_setopt, (void *easy, int option, ...))      \
  X(int, curl_easy_getinfo, (void *easy, int info, ...))       \
  X(int, curl_easy_perform, (void *easy))                      \
  X(const char *, curl_easy_strerror, (int code))              \
  X(void *, curl_slist_append, (void *list, const char *text)) \
  X(void, curl_slist_free_all, (void *list))

static struct {
#define CURL_SLOT(type, name, parameters) type(*name) parameters;
  CURL_FUNCTIONS(CURL_SLOT)
#undef CURL_SLOT
} curl;

#define CURL_NAME(type, name, parameters) #name,
static const char *const names[] = {CURL_FUNCTIONS(CURL_NAME)};
#undef CURL_NAME

static kn_library library = {.file = "libcurl.so.4",
                             .package = "libcurl4",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &curl};

/* Numbers of libcurl's interface, which are frozen. */
enum {
  GLOBAL_DEFAULT = 3,
  INFO_RESPONSE_CODE = 0x200000 + 2,
  INFO_RETRY_AFTER = 0x600000 + 57,
  LONG = 0,
  POINTER = 10000,
  FUNCTION = 20000,
  WRITE_DATA = POINTER + 1,
  URL = POINTER + 2,
  RANGE = POINTER + 7,
  ERROR_BUFFER = POINTER + 10,
  WRITE_FUNCTION = FUNCTION + 11,
  USER_AGENT = POINTER + 18,
  HTTP_HEADER = POINTER + 23,
  HEADER_DATA = POINTER + 29,
  NO_PROGRESS = LONG + 43,
  FOLLOW_LOCATION = LONG + 52,
  PROGRESS_DATA = POINTER + 57,
  CA_FILE = POINTER + 65,
  MAX_REDIRECTS = LONG + 68,
  CONNECT_TIMEOUT = LONG + 78,
  HEADER_FUNCTION = FUNCTION + 79,
  NO_SIGNAL = LONG + 99,
  PROGRESS_FUNCTION = FUNCTION + 219,
  PROTOCOLS = POINTER + 318,
  REDIRECT_PROTOCOLS = POINTER + 319
};

/* CURLcodes that another attempt may mend: the network's. */
static bool passes_by(int code) {
  static const int codes[] = {5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i] == code) return true;
  return false;
}

enum { ERROR_BUFFER_BYTES = 256, VALIDATOR_BYTES = 256, MAX_ATTEMPTS = 100, REDIRECTS = 10, TOO_MANY_REDIRECTS = 47 };

typedef struct attempt {
  const kn_transfer *transfer;
  void *easy;
  int file;
  bool begun;           /* the body of a good answer has begun */
  uint64_t offset;      /* bytes that are there */
  uint64_t total;       /* 0: not known */
  uint64_t range_start; /* of the answer; UINT64_MAX: none */
  uint64_t range_total;
  uint64_t length; /* of the answer's body; 0: not known */
  bool encoded;    /* the body is not the file itself */
  char validator[VALIDATOR_BYTES];
  char etag[VALIDATOR_BYTES], date[VALIDATOR_BYTES]; /* of the answer */
  char error[ERROR_BUFFER_BYTES];
  double stall_s;
  int64_t last_bytes, last_change_ns;
  bool stalled;     /* ended for it */
  bool changed;     /* ended since the answer continues another file than the one that is there */
  kn_status status; /* fault of ours */
} attempt;

/* ---- what an answer says ---- */

static const char *value_of(const char *line, const char *name) {
  size_t length = strlen(name);
  if (strncasecmp(line, name, length) != 0 || line[length] != ':') return NULL;
  line += length + 1;
  return line + strspn(line, " \t");
}

static uint64_t number(const char *text) {
  errno = 0;
  unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : 0;
  return errno ? 0 : value;
}

static void copy_value(char out[VALIDATOR_BYTES], const char *value) {
  size_t length = strcspn(value, "\r\n");
  if (length >= VALIDATOR_BYTES) return; /* a validator that does not fit is none */
  memcpy(out, value, length);
  out[length] = '\0';
}

/* "bytes 5-9/10" or "bytes *", with the total behind a slash. */
static void read_range(attempt *at, const char *value) {
  const char *slash = strchr(value, '/');
  if (strncasecmp(value, "bytes ", 6) != 0 || !slash) return;
  at->range_total = number(slash + 1);
  if (value[6] != '*') at->range_start = number(value + 6);
}

static size_t on_header(const char *data, size_t size, size_t count, void *context) {
  attempt *at = context;
  char line[1024];
  size_t bytes = size * count, length = bytes < sizeof line ? bytes : sizeof line - 1;
  memcpy(line, data, length);
  line[length] = '\0';
  const char *value;
  if (!strncmp(line, "HTTP/", 5)) { /* another answer: that before was a redirect */
    at->etag[0] = at->date[0] = '\0';
    at->range_start = UINT64_MAX;
    at->range_total = at->length = 0;
    at->encoded = false;
  } else if ((value = value_of(line, "ETag"))) {
    if (*value == '"') copy_value(at->etag, value); /* weak ones do not vouch for bytes */
  } else if ((value = value_of(line, "Last-Modified"))) {
    copy_value(at->date, value);
  } else if ((value = value_of(line, "Content-Range"))) {
    read_range(at, value);
  } else if ((value = value_of(line, "Content-Length"))) {
    at->length = number(value);
  } else if ((value = value_of(line, "Content-Encoding"))) {
    at->encoded = strncasecmp(value, "identity", 8) != 0;
  }
  return bytes;
}

static long response_code(attempt *at) {
  long code = 0;
  (void)curl.curl_easy_getinfo(at->easy, INFO_RESPONSE_CODE, &code);
  return code;
}

/* ---- the file ---- */

static char *validator_path(const kn_transfer *transfer) { return kn_format("%s.validator", transfer->path); }

/* Forgets what an earlier transfer left. */
static kn_status start_anew(attempt *at) {
  at->offset = 0;
  at->validator[0] = '\0';
  return ftruncate(at->file, 0) == 0 ? NULL : kn_file_fault(at->transfer->path, "write", errno);
}

/* How far an earlier transfer came, and what tells whether the server still has the same. */
static kn_status look_back(attempt *at) {
  struct stat found;
  char *path = validator_path(at->transfer), *text = NULL;
  size_t bytes;
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_file_read(path, VALIDATOR_BYTES - 1, &text, &bytes);
  if (!status) memcpy(at->validator, text, bytes + 1);
  kn_free(text);
  kn_free(path);
  if (kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  bool known = !status && at->validator[0] && !strpbrk(at->validator, "\r\n");
  kn_status_free(status);
  if (fstat(at->file, &found) != 0) return kn_file_fault(at->transfer->path, "read", errno);
  at->offset = (uint64_t)found.st_size;
  return known && at->offset ? NULL : start_anew(at);
}

static kn_status keep_validator(attempt *at) {
  const char *text = at->etag[0] ? at->etag : at->date;
  char *path = validator_path(at->transfer);
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_file_write(path, text, strlen(text));
  kn_free(path);
  memcpy(at->validator, text, strlen(text) + 1);
  return status;
}

static kn_status too_large(const attempt *at) {
  return kn_status_make(KN_BAD_DATA, "%s is larger than the %llu bytes it may have", at->transfer->uri,
                        (unsigned long long)at->transfer->limit_bytes);
}

/* Some servers send a part whatever If-Range says. */
static bool continues_another(const attempt *at) {
  const char *now = at->validator[0] == '"' ? at->etag : at->date;
  return now[0] && strcmp(now, at->validator) != 0;
}

static kn_status begin_body(attempt *at) {
  at->begun = true;
  if (at->encoded)
    return kn_status_make(KN_IO_ERROR, "%s: the server sends an encoding that was not asked for", at->transfer->uri);
  if (response_code(at) == 206) {
    if (at->range_start != at->offset)
      return kn_status_make(KN_IO_ERROR, "%s: the server sends another part than was asked for", at->transfer->uri);
    at->total = at->range_total;
    at->changed = continues_another(at);
    if (at->changed) return start_anew(at);
  } else {
    KN_TRY(start_anew(at));
    KN_TRY(keep_validator(at));
    at->total = at->length;
  }
  if (at->total > at->transfer->limit_bytes) return too_large(at);
  return lseek(at->file, (off_t)at->offset, SEEK_SET) < 0 ? kn_file_fault(at->transfer->path, "write", errno) : NULL;
}

static kn_status write_body(attempt *at, const char *data, size_t bytes) {
  if (!at->begun) KN_TRY(begin_body(at));
  if (at->changed) return NULL;
  if (bytes > at->transfer->limit_bytes - at->offset) return too_large(at);
  while (bytes) {
    ssize_t written = write(at->file, data, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return kn_file_fault(at->transfer->path, "write", errno);
    data += written;
    bytes -= (size_t)written;
    at->offset += (uint64_t)written;
  }
  return NULL;
}

static size_t on_body(const char *data, size_t size, size_t count, void *context) {
  attempt *at = context;
  long code = response_code(at);
  if (code != 200 && code != 206) return size * count; /* the text of a refusal */
  at->status = write_body(at, data, size * count);
  return at->status || at->changed ? 0 : size * count;
}

static void show(const attempt *at, bool done) {
  char detail[64];
  double there = (double)at->offset, total = (double)at->total;
  if (total > 0)
    snprintf(detail, sizeof detail, "%.1f of %.1f MB", there / 1e6, total / 1e6);
  else
    snprintf(detail, sizeof detail, "%.1f MB", there / 1e6);
  /* The end is told when it has come. */
  if (done)
    kn_progress(at->transfer->what, 1, 1, detail);
  else
    kn_progress(at->transfer->what, there < 0.99 * total ? there : 0.99 * total, total, detail);
}

static int on_progress(void *context, int64_t total, int64_t now, int64_t up_total, int64_t up_now) {
  (void)total, (void)up_total, (void)up_now;
  attempt *at = context;
  show(at, false);
  if (now != at->last_bytes) at->last_change_ns = kn_now_ns();
  at->last_bytes = now;
  at->stalled = (double)(kn_now_ns() - at->last_change_ns) / 1e9 > at->stall_s;
  return at->stalled || kn_cancelled();
}

/* ---- one attempt ---- */

static double stall_limit(const kn_transfer *transfer) {
  if (transfer->stall_s > 0) return transfer->stall_s;
  const char *text = getenv("KENNING_DOWNLOAD_TIMEOUT");
  char *end = NULL;
  double value = text ? kn_number_read(text, &end) : 0;
  return text && end != text && !*end && value >= 1 && value <= 86400 ? value : 30;
}

static bool set_options(attempt *at, void *headers, const char *range) {
  const kn_transfer *t = at->transfer;
  bool secure = !strncasecmp(t->uri, "https:", 6);
  void *e = at->easy;
  int failed = 0;
#define SET(option, value) failed |= curl.curl_easy_setopt(e, option, value)
  SET(URL, t->uri);
  SET(PROTOCOLS, "http,https");
  SET(REDIRECT_PROTOCOLS, secure ? "https" : "http,https");
  SET(FOLLOW_LOCATION, 1L);
  SET(MAX_REDIRECTS, (long)REDIRECTS);
  SET(NO_SIGNAL, 1L);
  SET(CONNECT_TIMEOUT, (long)(at->stall_s + 0.5));
  SET(USER_AGENT, "kenning/" KENNING_VERSION);
  SET(ERROR_BUFFER, at->error);
  SET(WRITE_FUNCTION, on_body);
  SET(WRITE_DATA, at);
  SET(HEADER_FUNCTION, on_header);
  SET(HEADER_DATA, at);
  SET(NO_PROGRESS, 0L);
  SET(PROGRESS_FUNCTION, on_progress);
  SET(PROGRESS_DATA, at);
  const char *certificates = getenv("SSL_CERT_FILE");
  if (certificates && *certificates) SET(CA_FILE, certificates);
  if (range) SET(RANGE, range);
  if (headers) SET(HTTP_HEADER, headers);
#undef SET
  return !failed;
}

/* Asks once; the CURLcode into *out_code. */
static kn_status ask(attempt *at, int *out_code) {
  char line[VALIDATOR_BYTES + 16], range[32];
  void *headers = NULL;
  at->begun = at->stalled = at->changed = false;
  at->error[0] = '\0';
  at->last_bytes = 0;
  at->last_change_ns = kn_now_ns();
  KN_TRY(look_back(at));
  if (at->offset) {
    snprintf(line, sizeof line, "If-Range: %s", at->validator);
    snprintf(range, sizeof range, "%llu-", (unsigned long long)at->offset);
    headers = curl.curl_slist_append(NULL, line);
    if (!headers) return kn_status_out_of_memory();
  }
  at->easy = curl.curl_easy_init();
  kn_status status = at->easy ? NULL : kn_status_out_of_memory();
  if (!status && !set_options(at, headers, headers ? range : NULL))
    status = kn_status_make(KN_INCOMPATIBLE, "libcurl.so.4 is older than 7.85: install a newer libcurl4");
  if (!status) {
    *out_code = curl.curl_easy_perform(at->easy);
    status = at->status;
    at->status = NULL;
  }
  curl.curl_slist_free_all(headers);
  return status;
}

/* What the answer means: done, a final refusal, or *out_again. */
static kn_status judge(attempt *at, int code, bool *out_done, char reason[ERROR_BUFFER_BYTES]) {
  const char *uri = at->transfer->uri;
  *out_done = false;
  if (kn_cancelled())
    return kn_status_make(KN_CANCELLED, "stopped while downloading %s; the part that is there will be continued", uri);
  if (at->stalled) {
    snprintf(reason, ERROR_BUFFER_BYTES, "nothing came for %.0f s", at->stall_s);
    return NULL;
  }
  long response = response_code(at);
  bool whole = !code && (response == 200 || response == 206);
  if (whole && !at->begun) KN_TRY(begin_body(at)); /* nothing came of it */
  if (at->changed) {
    snprintf(reason, ERROR_BUFFER_BYTES, "the server has another file by now than the part that is there");
    return NULL;
  }
  if (code) {
    snprintf(reason, ERROR_BUFFER_BYTES, "%s", at->error[0] ? at->error : curl.curl_easy_strerror(code));
    if (code == TOO_MANY_REDIRECTS)
      return kn_status_make(KN_IO_ERROR, "%s: the server redirects more than %d times", uri, REDIRECTS);
    return passes_by(code) ? NULL : kn_status_make(KN_IO_ERROR, "%s cannot be downloaded: %s", uri, reason);
  }
  if (whole) {
    *out_done = !at->total || at->offset == at->total;
    snprintf(reason, ERROR_BUFFER_BYTES, "the answer ended after %llu of %llu bytes", (unsigned long long)at->offset,
             (unsigned long long)at->total);
    return NULL;
  }
  if (response == 416) { /* nothing behind what is there */
    *out_done = at->offset && at->range_total == at->offset;
    snprintf(reason, ERROR_BUFFER_BYTES, "the server does not continue the part that is there");
    return *out_done ? NULL : start_anew(at);
  }
  if (response == 404 || response == 410)
    return kn_status_make(KN_NOT_FOUND, "%s: the server has no such file (HTTP %ld)", uri, response);
  snprintf(reason, ERROR_BUFFER_BYTES, "the server answered with HTTP %ld", response);
  if (response == 408 || response == 425 || response == 429 || response >= 500) return NULL;
  return kn_status_make(KN_IO_ERROR, "%s cannot be downloaded: %s", uri, reason);
}

static void wait_for(double seconds) {
  for (int64_t end = kn_now_ns() + (int64_t)(seconds * 1e9); kn_now_ns() < end && !kn_cancelled();)
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* The delay that the server asks for, at most a minute; 0: none. */
static double asked_delay(attempt *at) {
  int64_t seconds = 0;
  if (curl.curl_easy_getinfo(at->easy, INFO_RETRY_AFTER, &seconds) || seconds <= 0) return 0;
  return seconds < 60 ? (double)seconds : 60;
}

static kn_status try_until_done(attempt *at) {
  const kn_transfer *t = at->transfer;
  int limit = t->attempts ? t->attempts : 5, fruitless = 0;
  double delay = t->first_delay_s > 0 ? t->first_delay_s : 0.5;
  char reason[ERROR_BUFFER_BYTES] = "";
  for (int i = 0; i < MAX_ATTEMPTS && fruitless < limit; i++) {
    uint64_t before = at->offset;
    bool done = false;
    int code = 0;
    kn_status status = ask(at, &code);
    if (!status) status = judge(at, code, &done, reason);
    double asked = status || done ? 0 : asked_delay(at);
    if (at->easy) curl.curl_easy_cleanup(at->easy);
    at->easy = NULL;
    if (status || done) return status;
    fruitless = at->offset > before ? 1 : fruitless + 1;
    if (fruitless == limit) break;
    if (fruitless == 1) delay = t->first_delay_s > 0 ? t->first_delay_s : 0.5;
    kn_log(KN_LOG_WARNING, "%s: %s; trying again", t->uri, reason);
    wait_for(asked > delay ? asked : delay);
    delay = delay * 2 < 30 ? delay * 2 : 30;
  }
  return kn_status_make(KN_IO_ERROR, "%s could not be downloaded, also by trying again: %s", t->uri, reason);
}

static kn_status initialize(void) {
  static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
  static bool ready;
  KN_TRY(kn_library_use(&library));
  pthread_mutex_lock(&opening);
  if (!ready) ready = !curl.curl_global_init(GLOBAL_DEFAULT);
  bool worked = ready;
  pthread_mutex_unlock(&opening);
  return worked ? NULL : kn_status_make(KN_BACKEND_FAILED, "libcurl cannot be initialized");
}

kn_status kn_transfer_run(const kn_transfer *transfer) {
  if (strncasecmp(transfer->uri, "http://", 7) != 0 && strncasecmp(transfer->uri, "https://", 8) != 0)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s is neither an http:// nor an https:// URI", transfer->uri);
  KN_TRY(initialize());
  KN_TRY(kn_directory_make_parent(transfer->path));
  attempt at = {.transfer = transfer, .stall_s = stall_limit(transfer)};
  at.file = open(transfer->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (at.file < 0) return kn_file_fault(transfer->path, "write", errno);
  kn_status status = try_until_done(&at);
  if (!status) show(&at, true);
  if (close(at.file) != 0 && !status) status = kn_file_fault(transfer->path, "write", errno);
  return status;
}
