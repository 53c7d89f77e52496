#include "transport/uart.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

/* clang-format off */
#define SPEEDS(X)                                                                                              \
  X(1200) X(2400) X(4800) X(9600) X(19200) X(38400) X(57600) X(115200) X(230400) X(460800) X(500000) X(576000) \
  X(921600) X(1000000) X(1152000) X(1500000) X(2000000) X(2500000) X(3000000) X(3500000) X(4000000)
/* clang-format on */

static const struct {
  int64_t baudrate;
  speed_t speed;
} speeds[] = {
#define SPEED(rate) {rate, B##rate},
    SPEEDS(SPEED)
#undef SPEED
};

static kn_status speed_of(int64_t baudrate, speed_t *out_speed) {
  for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
    if (speeds[i].baudrate == baudrate) {
      *out_speed = speeds[i].speed;
      return NULL;
    }
  return kn_status_make(KN_INVALID_ARGUMENT, "a serial device has no speed of %lld baud; 9600 and 115200 are usual",
                        (long long)baudrate);
}

static kn_status prepare(int fd, const char *device, speed_t speed) {
  struct termios settings;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
    return kn_status_make(KN_BUSY, "%s is used by another program", device);
  if (tcgetattr(fd, &settings) < 0)
    return kn_status_make(KN_IO_ERROR, "%s is no serial device: %s", device, strerror(errno));
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  if (cfsetispeed(&settings, speed) < 0 || cfsetospeed(&settings, speed) < 0 || tcsetattr(fd, TCSANOW, &settings) < 0 ||
      tcflush(fd, TCIFLUSH) < 0)
    return kn_status_make(KN_IO_ERROR, "%s cannot be set up: %s", device, strerror(errno));
  return NULL;
}

kn_status kn_uart_open(const char *device, int64_t baudrate, kn_connection *out_connection) {
  speed_t speed;
  *out_connection = (kn_connection){.fd = -1};
  KN_TRY(speed_of(baudrate, &speed));
  int fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "%s cannot be opened: %s", device,
                          strerror(errno));
  kn_status status = prepare(fd, device, speed);
  if (!status) status = kn_connection_adopt(fd, out_connection);
  if (status) close(fd);
  return status;
}
