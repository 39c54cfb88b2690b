"""The chart's address, among those of the admin."""

from django.contrib import admin
from django.urls import path

from rates.chart.page import lane_chart

urlpatterns = [path("chart/", admin.site.admin_view(lane_chart), name="rates-chart")]
