import os

import joblib
import pandas as pd
from rest_framework.response import Response
from rest_framework.views import APIView

from django_rest.serializers import OrderSerializer

model = joblib.load(os.environ["MODEL"])


class Index(APIView):
    def get(self, request):
        return Response("Delivery times")


class Predict(APIView):
    def post(self, request):
        serializer = OrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        features = pd.DataFrame([data])[["distance_km", "items", "courier"]]
        return Response({"order_id": data["order_id"], "minutes": model.predict(features)[0]})
