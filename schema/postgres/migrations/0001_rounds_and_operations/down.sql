DROP TABLE operations;
DROP TABLE rounds;
