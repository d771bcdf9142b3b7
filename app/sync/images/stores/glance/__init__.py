"""Glance v2 behind Keystone v3: regions of an OpenStack cloud as image stores (spec 14).

Importing this package loads the OpenStack client libraries, so only code that is about to talk to a
cloud imports it.
"""

from app.sync.images.stores.glance.cloud import OpenStackCloud
from app.sync.images.stores.glance.store import GlanceStore

__all__ = ["GlanceStore", "OpenStackCloud"]
