from django.urls import path

from django_rest.views import Index, Predict

urlpatterns = [path("", Index.as_view()), path("predict/", Predict.as_view())]
