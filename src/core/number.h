/* Numbers in text that programs read: files, JSON, arguments. Whatever locale the process has, their mark is a point.
 */
#ifndef KENNING_CORE_NUMBER_H
#define KENNING_CORE_NUMBER_H

#include <kenning/base.h>
#include <locale.h>

/* strtod with a decimal point. */
double kn_number_read(const char *text, char **out_end);
/* snprintf with a decimal point. */
int kn_number_print(char *out, size_t size, const char *format, ...) KN_PRINTF(3, 4);

/* Between the two, this thread prints with a decimal point. */
locale_t kn_number_locale_enter(void);
void kn_number_locale_leave(locale_t before);

#endif
