"""A Django site of one view, who a Knox token belongs to; run as a program it makes the tables, a user and a token."""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "knox.sqlite", "CONN_MAX_AGE": None}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "knox"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["BENCH_SECRET"],
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402 - these need the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Me(APIView):
    """The name of the token's user."""

    def get(self, request):
        return Response({"username": request.user.get_username()})


urlpatterns = [path("api/me", Me.as_view())]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.contrib.auth import get_user_model
    from knox.models import AuthToken

    call_command("migrate", verbosity=0)
    print(AuthToken.objects.create(get_user_model().objects.create_user("bench"))[1])
