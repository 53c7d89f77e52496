#!/usr/bin/env python3
"""Opens a model with Keras and writes its results: predict.py MODEL.h5 SAMPLES RESULTS (float32 values)."""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

model = tf.keras.models.load_model(sys.argv[1])
samples = np.fromfile(sys.argv[2], np.float32).reshape((-1,) + tuple(model.inputs[0].shape[1:]))
model.predict(samples, verbose=0).astype(np.float32).tofile(sys.argv[3])
