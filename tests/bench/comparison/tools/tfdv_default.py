"""TensorFlow Data Validation: a schema inferred from training, with comparators of training and serving."""

import json
import sys

import pandas as pd
import tensorflow_data_validation as tfdv

NUMBERS = ["hour", "bill", "tenure", "usage", "complaints", "risk"]

training = tfdv.generate_statistics_from_dataframe(pd.read_csv("previous/held_out_served.csv"))
serving = tfdv.generate_statistics_from_dataframe(pd.read_csv(sys.argv[1]))
schema = tfdv.infer_schema(training)
for name in NUMBERS:
    tfdv.get_feature(schema, name).skew_comparator.jensen_shannon_divergence.threshold = 0.1
tfdv.get_feature(schema, "label").skew_comparator.infinity_norm.threshold = 0.1
skew = tfdv.validate_statistics(training, schema, serving_statistics=serving)
anomalies = tfdv.validate_statistics(serving, schema)
failed = [f"{name}: {info.description}" for found in (skew, anomalies) for name, info in found.anomaly_info.items()]
print(json.dumps({"failed": failed}))
