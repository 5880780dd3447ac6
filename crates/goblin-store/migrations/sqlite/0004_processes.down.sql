ALTER TABLE turns DROP COLUMN process;
DROP TABLE processes;
