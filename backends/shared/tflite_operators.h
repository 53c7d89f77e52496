#ifndef KN_SHARED_TFLITE_OPERATORS_H
#define KN_SHARED_TFLITE_OPERATORS_H

#include <stdint.h>

/* "CONV_2D", ... of the BuiltinOperator of TensorFlow Lite's schema; NULL for numbers it did not have when this was
 * written. Never freed; any thread. */
const char *kn_tflite_operator_name(int64_t code);

#endif
