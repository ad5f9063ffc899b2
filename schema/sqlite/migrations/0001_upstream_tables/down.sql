DROP TABLE provides_ecs;
DROP TABLE retrievals_ecs;
DROP TABLE nodes_ecs;
DROP TABLE schedulers_ecs;
DROP TABLE provides;
DROP TABLE retrievals;
DROP TABLE nodes;
DROP TABLE runs;
