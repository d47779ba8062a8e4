"""How lists of the API are cut."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """Pages of 100 rows, up to 1,000 on request."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
