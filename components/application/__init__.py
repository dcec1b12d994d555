"""The application's namespace: how its pods reach Sentry and Jaeger."""
