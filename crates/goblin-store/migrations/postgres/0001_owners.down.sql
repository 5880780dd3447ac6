DROP TABLE users;
DROP TABLE tenants;
DROP TABLE schema_floor;
