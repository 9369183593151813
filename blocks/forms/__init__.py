"""What a person fills in about runs and actions, in groups, and where its fields were before."""
