"""Saves one MobileNetV2 with random weights in the ways in which users have it: bases.py DIRECTORY

whole.h5, weights.h5 (weights alone), renamed.h5 (weights alone, layers of other names), nested.h5 (a classifier with it
as a layer, partly frozen), top.h5 (with ImageNet's top), small.h5 (width 0.35). Run by Keras 2 (TF_USE_LEGACY_KERAS=1).
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tf_keras as keras  # noqa: E402


def build(**options):
    return keras.applications.MobileNetV2(input_shape=(224, 224, 3), weights=None, **options)


def main():
    place = sys.argv[1]
    keras.utils.set_random_seed(1)
    base = build(include_top=False)
    base.save(f"{place}/whole.h5", include_optimizer=False)
    base.save_weights(f"{place}/weights.h5")
    for layer in base.layers[100:]:
        layer.trainable = False
    base.layers[120].trainable = True
    inputs = keras.Input((224, 224, 3))
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(base(inputs)))
    keras.Model(inputs, outputs).save(f"{place}/nested.h5", include_optimizer=False)
    top = build()
    for one, other in zip(top.layers, base.layers):
        one.set_weights(other.get_weights())
    top.save(f"{place}/top.h5", include_optimizer=False)
    build(include_top=False, alpha=0.35).save(f"{place}/small.h5", include_optimizer=False)
    for number, layer in enumerate(base.layers):
        layer._name = f"layer_{number}"
    base.save_weights(f"{place}/renamed.h5")


if __name__ == "__main__":
    main()
