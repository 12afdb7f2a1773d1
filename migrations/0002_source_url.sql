-- Where the package of a deployment is fetched from; empty for uploads.
ALTER TABLE deployments ADD COLUMN source_url TEXT NOT NULL DEFAULT '';
