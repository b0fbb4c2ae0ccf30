"""What a Django project does without a pipeline: two plain models, filled by Django's own means."""
