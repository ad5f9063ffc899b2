-- A publication may have several timed steps, one row each. Rows from before had one: an IPNI publication (the fleet
-- `cid.contact`) was timed until it was available, every other one until the records were provided.
ALTER TABLE provides_ecs ADD COLUMN step TEXT;

UPDATE provides_ecs
SET step = CASE (SELECT fleet FROM nodes_ecs WHERE nodes_ecs.id = provides_ecs.node_id)
               WHEN 'cid.contact' THEN 'availability'
               ELSE 'provide'
           END;

ALTER TABLE provides_ecs ALTER COLUMN step SET NOT NULL;
