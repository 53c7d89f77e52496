"""What Keras computes for one batch in training: loss, gradients, and the weights after some steps of an optimizer.

    gradients.py MODEL.h5 SAMPLES LABELS WEIGHTS OPTIMIZER RATE STEPS OUT

SAMPLES, LABELS and WEIGHTS (of the samples) are float32, one batch. OUT gets float32 values: the loss, the gradient of
each trainable weight, and after STEPS steps each trainable weight and then the moving statistics of each normalization
that is trained, in the order of the names that OUT.names lists, one "layer/weight" a line. The model ends in logits. Run
by Keras 2 (TF_USE_LEGACY_KERAS=1) or 3. Without the moving variances of Keras 3: it averages the variance of the batch,
n values divided by n, where Keras 2, and TensorFlow's fused normalization in general, divide by n - 1.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

if os.environ.get("TF_USE_LEGACY_KERAS") == "1":
    import tf_keras as keras
else:
    import keras


def name_of(model, weight):
    for layer in model.layers:
        for one in layer.weights:
            if one is weight:
                return f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}"
    raise KeyError(weight.name)


def main():
    path, samples, labels, weights, optimizer, rate, steps, out = sys.argv[1:]
    model = keras.models.load_model(path, compile=False)
    labels, weights = (tf.constant(np.fromfile(name, np.float32)) for name in (labels, weights))
    shape = [len(labels), *model.inputs[0].shape[1:]]
    samples = tf.constant(np.fromfile(samples, np.float32).reshape(shape))
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(float(rate)) if optimizer == "adam" else keras.optimizers.SGD(float(rate))
    trained = list(model.trainable_variables)
    statistics = ("moving_mean", "moving_variance") if keras.__version__.startswith("2.") else ("moving_mean",)
    moving = [weight for layer in model.layers if layer.trainable for weight in layer.non_trainable_weights
              if any(name in weight.name for name in statistics)]
    values = []
    for step in range(int(steps)):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(samples, training=True), sample_weight=weights)
        gradients = tape.gradient(loss, [getattr(v, "value", v) if hasattr(v, "path") else v for v in trained])
        if step == 0:
            values += [loss.numpy().reshape(1), *(g.numpy() for g in gradients)]
        optimizer.apply_gradients(zip(gradients, trained, strict=True))
    values += [np.asarray(v) for v in trained + moving]
    np.concatenate([v.astype(np.float32).ravel() for v in values]).tofile(out)
    with open(out + ".names", "w", encoding="utf-8") as file:
        file.write("".join(name_of(model, v) + "\n" for v in trained + moving))


if __name__ == "__main__":
    main()
