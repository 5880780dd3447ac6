DROP TABLE turn_attachments;
DROP TABLE attachments;
