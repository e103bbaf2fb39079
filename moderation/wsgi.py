"""The WSGI application of this installation: ``moderation.wsgi:application``."""

from moderation.app import create_app
from moderation.settings import read_settings

application = create_app(read_settings())
