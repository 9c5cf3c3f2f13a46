from rest_framework import serializers


class OrderSerializer(serializers.Serializer):
    order_id = serializers.CharField()
    distance_km = serializers.FloatField()
    items = serializers.IntegerField()
    courier = serializers.CharField()
