"""The connections between the parts, and NetworkPolicies that allow no others."""
