-- A session of a person is open on a node.
-- KEYS 1 hash of the person's sessions (session -> node), 2 hash of the node's sessions (session -> person),
--      3 zset of people who are away (person -> deadline, ms)
-- ARGV 1 session, 2 node, 3 person
-- Returns 1 if the person was away, else 0.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return redis.call('ZREM', KEYS[3], ARGV[3])
