"""Quality limits of the scores. Ten training runs gave an AUC of 0.83 to 0.92 and a log loss of 0.13 to 0.20.

With 20 % of the training labels flipped they gave 0.45 to 0.63 and 1.6 to 1.7.
"""

from seatrial import Quality

quality = Quality(label="is_fraud", score="score", limits={"roc_auc": 0.75, "log_loss": 0.35})
