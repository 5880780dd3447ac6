DROP TABLE provider_settings;
ALTER TABLE provider_keys DROP COLUMN base_url;
