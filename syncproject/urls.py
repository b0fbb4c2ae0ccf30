"""The doors for people and for health checks."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from syncproject.health import healthz, readyz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
]

handler500 = "syncproject.outage.server_failed"
