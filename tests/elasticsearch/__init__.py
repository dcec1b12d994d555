"""What each login may do, asked of the real Elasticsearch."""
