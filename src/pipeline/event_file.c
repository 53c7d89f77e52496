#include "pipeline/event_file.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG_LIMIT = 512, BUCKETS = 30, MESSAGE_LIMIT = TAG_LIMIT + BUCKETS * 16 + 128 };

/* A protocol buffer under construction; MESSAGE_LIMIT holds the largest that is made here. */
typedef struct message {
  unsigned char data[MESSAGE_LIMIT];
  size_t length;
} message;

/* ---- checksum ---- */

static uint32_t sums[256]; /* of each byte */

static void make_sums(void) {
  for (uint32_t i = 0; i < 256; i++) {
    sums[i] = i;
    for (int bit = 0; bit < 8; bit++) sums[i] = (sums[i] >> 1) ^ (sums[i] & 1 ? 0x82f63b78u : 0);
  }
}

uint32_t kn_crc32c(const void *data, size_t bytes) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_sums);
  const unsigned char *at = data;
  uint32_t sum = UINT32_MAX;
  for (size_t i = 0; i < bytes; i++) sum = (sum >> 8) ^ sums[(sum ^ at[i]) & 255];
  return ~sum;
}

static uint32_t masked(const void *data, size_t bytes) {
  uint32_t sum = kn_crc32c(data, bytes);
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8u;
}

static void put_little(unsigned char *out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> (8 * i));
}

/* ---- protocol buffers ---- */

static void put_varint(message *m, uint64_t value) {
  for (; value >= 0x80; value >>= 7) m->data[m->length++] = (unsigned char)(value | 0x80);
  m->data[m->length++] = (unsigned char)value;
}

static void put_bytes(message *m, int field, const void *data, size_t length) {
  put_varint(m, (uint64_t)field << 3 | 2);
  put_varint(m, length);
  memcpy(m->data + m->length, data, length);
  m->length += length;
}

static void put_number(message *m, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_little(m->data + m->length, bits, 8);
  m->length += 8;
}

static void put_double(message *m, int field, double value) {
  put_varint(m, (uint64_t)field << 3 | 1);
  put_number(m, value);
}

static void put_float(message *m, int field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_varint(m, (uint64_t)field << 3 | 5);
  put_little(m->data + m->length, bits, 4);
  m->length += 4;
}

static void put_doubles(message *m, int field, const double *values, size_t count) {
  put_varint(m, (uint64_t)field << 3 | 2);
  put_varint(m, count * 8);
  for (size_t i = 0; i < count; i++) put_number(m, values[i]);
}

static void put_time(message *m) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  put_double(m, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

/* ---- records ---- */

static kn_status write_record(kn_event_file *file, const message *m) {
  unsigned char record[MESSAGE_LIMIT + 16];
  put_little(record, m->length, 8);
  put_little(record + 8, masked(record, 8), 4);
  memcpy(record + 12, m->data, m->length);
  put_little(record + 12 + m->length, masked(m->data, m->length), 4);
  size_t bytes = m->length + 16;
  for (size_t done = 0; done < bytes;) {
    ssize_t written = write(file->descriptor, record + done, bytes - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return kn_file_fault(file->path, "write", errno);
    done += (size_t)written;
  }
  return NULL;
}

/* An event that holds one value: Event.summary.value. */
static kn_status write_value(kn_event_file *file, int64_t step, const message *value) {
  message summary = {.length = 0}, event = {.length = 0};
  put_bytes(&summary, 1, value->data, value->length);
  put_time(&event);
  put_varint(&event, 2 << 3);
  put_varint(&event, (uint64_t)step);
  put_bytes(&event, 5, summary.data, summary.length);
  return write_record(file, &event);
}

static void put_tag(message *value, const char *tag) {
  size_t length = strlen(tag);
  put_bytes(value, 1, tag, length < TAG_LIMIT ? length : TAG_LIMIT);
}

kn_status kn_event_file_scalar(kn_event_file *file, const char *tag, int64_t step, double value) {
  message m = {.length = 0};
  put_tag(&m, tag);
  put_float(&m, 2, (float)value);
  return write_value(file, step, &m);
}

kn_status kn_event_file_histogram(kn_event_file *file, const char *tag, int64_t step, const float *values,
                                  size_t count) {
  double least = INFINITY, greatest = -INFINITY, sum = 0, squares = 0, limits[BUCKETS], counts[BUCKETS] = {0};
  for (size_t i = 0; i < count; i++) {
    double value = values[i];
    least = fmin(least, value);
    greatest = fmax(greatest, value);
    sum += value;
    squares += value * value;
  }
  if (!count || !isfinite(sum)) return NULL; /* nothing that a histogram could show */
  double width = greatest > least ? (greatest - least) / BUCKETS : 1;
  for (size_t i = 0; i < count; i++) {
    size_t bucket = (size_t)(((double)values[i] - least) / width);
    counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  }
  for (int i = 0; i < BUCKETS; i++)
    limits[i] = i + 1 < BUCKETS ? least + (i + 1) * width : fmax(greatest, least + width);
  message histogram = {.length = 0}, m = {.length = 0};
  const double facts[5] = {least, greatest, (double)count, sum, squares};
  for (int i = 0; i < 5; i++) put_double(&histogram, i + 1, facts[i]);
  put_doubles(&histogram, 6, limits, BUCKETS);
  put_doubles(&histogram, 7, counts, BUCKETS);
  put_tag(&m, tag);
  put_bytes(&m, 5, histogram.data, histogram.length);
  return write_value(file, step, &m);
}

/* ---- the file ---- */

static kn_status write_version(kn_event_file *file) {
  static const char version[] = "brain.Event:2";
  message event = {.length = 0};
  put_time(&event);
  put_bytes(&event, 3, version, sizeof version - 1);
  return write_record(file, &event);
}

kn_status kn_event_file_create(const char *directory, kn_event_file *out_file) {
  static atomic_uint number;
  *out_file = (kn_event_file){.descriptor = -1};
  KN_TRY(kn_directory_make(directory));
  char host[65] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  out_file->path = kn_format("%s/events.out.tfevents.%010lld.%s.%lld.%u", directory, (long long)time(NULL), host,
                             (long long)getpid(), atomic_fetch_add(&number, 1));
  if (!out_file->path) return kn_status_out_of_memory();
  out_file->descriptor = open(out_file->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  kn_status status =
      out_file->descriptor < 0 ? kn_file_fault(out_file->path, "create", errno) : write_version(out_file);
  if (status) kn_event_file_close(out_file);
  return status;
}

void kn_event_file_close(kn_event_file *file) {
  if (file->path && file->descriptor >= 0) close(file->descriptor);
  kn_free(file->path);
  *file = (kn_event_file){.descriptor = -1};
}
