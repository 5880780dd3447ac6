DROP INDEX turns_first;
DROP INDEX traces_by_time;
DROP INDEX usage_by_time;
