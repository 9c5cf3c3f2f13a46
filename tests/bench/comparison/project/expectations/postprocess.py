from seatrial import Quality

quality = Quality(label="left", score="score", limits={"roc_auc": 0.88})
