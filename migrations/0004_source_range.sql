-- A range of tags such as 0.1.*, of which the highest is still to be found: source_url then is where tags are listed.
ALTER TABLE deployments ADD COLUMN source_range TEXT NOT NULL DEFAULT '';
