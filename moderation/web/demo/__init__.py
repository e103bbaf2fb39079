"""The demo site: an invented newspaper, its articles, comments and webhook receiver."""
