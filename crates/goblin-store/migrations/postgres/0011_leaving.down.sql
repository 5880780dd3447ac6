DROP TABLE leaving_elsewhere;
