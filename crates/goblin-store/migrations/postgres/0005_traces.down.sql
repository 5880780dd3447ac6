DROP TABLE labels;
DROP TABLE traces;
