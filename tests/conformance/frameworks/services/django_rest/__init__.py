"""A project of Django REST framework, as in https://www.django-rest-framework.org/tutorial/1-serialization/."""
