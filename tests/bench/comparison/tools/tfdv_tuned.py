"""TensorFlow Data Validation on the recorded requests, before and now: feature skew, example by example."""

import json
import sys
import tempfile
from pathlib import Path

import apache_beam as beam
import pandas as pd
import tensorflow as tf
import tensorflow_data_validation as tfdv


def example(row):
    kinds = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, str)
        else tf.train.Feature(float_list=tf.train.FloatList(value=[float(value)]))
        for name, value in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=kinds))


def examples(path):
    return [example(row) for row in pd.read_csv(path).to_dict("records")]


with tempfile.TemporaryDirectory() as folder:
    with beam.Pipeline() as pipeline:
        before = pipeline | "before" >> beam.Create(examples("recorded/reference_served.csv"))
        now = pipeline | "now" >> beam.Create(examples(sys.argv[1]))
        skew, _ = (before, now) | tfdv.DetectFeatureSkew(["customer_id"], float_round_ndigits=6)
        different = skew | beam.Filter(lambda found: found.diff_count)
        lines = different | beam.Map(
            lambda found: f"{found.feature_name}: {found.diff_count} of {found.base_count} differ"
        )
        lines | beam.io.WriteToText(folder + "/skew")
    failed = [line for part in Path(folder).glob("skew*") for line in part.read_text().splitlines()]
print(json.dumps({"failed": failed}))
