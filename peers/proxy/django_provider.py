"""django-oauth-toolkit as a provider of plain OAuth 2: opaque tokens, refresh tokens that rotate, `/me` for a token's user.

One JSON line on stdin: {"client": {"id", "secret"}, "redirects": [..], "users": [..], "password", "lifetime"}; one on
stdout when it is ready: {"origin": "http://127.0.0.1:PORT"}. It ends with its input.
"""
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

setting = json.loads(sys.stdin.readline())
folder = tempfile.TemporaryDirectory(prefix="portcullis-peers-")
LOGIN = "<form method=post>{% csrf_token %}{{ form.as_p }}<input type=hidden name=next value='{{ next }}'><button type=submit>Log in</button></form>"
AUTH = "django.contrib.auth"

settings.configure(
    SECRET_KEY="a test provider keeps no secret",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(folder.name) / "db", "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"}}},
    # Hashing is not what is shown here.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[AUTH, "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware", f"{AUTH}.middleware.AuthenticationMiddleware"],
    LOGIN_URL="/login/",
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", f"{AUTH}.context_processors.auth"],
            "loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN}), "django.template.loaders.app_directories.Loader"],
        },
    }],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": setting["lifetime"],
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
        "PKCE_REQUIRED": True,
        "SCOPES": {"profile": "See who you are"},
    },
)
django.setup()

from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource
from oauth2_provider.models import get_application_model


@protected_resource()
def me(request):
    return JsonResponse({"id": request.resource_owner.pk, "username": request.resource_owner.username})


urlpatterns = [path("login/", LoginView.as_view()), path("me", me), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *words):
        pass


def fill():
    call_command("migrate", verbosity=0)
    for name in setting["users"]:
        get_user_model().objects.create_user(name, password=setting["password"])
    client = setting["client"]
    get_application_model().objects.create(
        name="The proxy",
        client_id=client["id"],
        client_secret=client["secret"],
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=" ".join(setting["redirects"]),
    )


def main():
    fill()
    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"origin": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    sys.stdin.read()
    folder.cleanup()
    os._exit(0)


if __name__ == "__main__":
    sys.modules[__name__] = sys.modules["__main__"]
    main()
